"""What models that judge by writing are asked, and a server that gives fixed verdicts for them."""

import asyncio
from collections.abc import Sequence

from aiohttp import web
from mock_server import Body, MockServer

from inference_kit.records import Message, Problem, StepScores
from inference_kit.reward_models.base import RewardModel

PROBLEM = Problem("1", (Message("user", "How many?"),))
SOLUTIONS = [("So the sum is 12.", "The answer is 42."), ("Ada",), ("Ada has", "12 + 30", "= 42")]


def score_all(scorer: RewardModel, solutions: Sequence[tuple[str, ...]]) -> list[StepScores]:
    """Score solutions of `PROBLEM` together."""

    async def together() -> list[StepScores]:
        try:
            return list(await asyncio.gather(*(scorer.scores(PROBLEM, steps) for steps in solutions)))
        finally:
            await scorer.close()

    return asyncio.run(together())


def answering(*choices: Body, asked: list[Body]) -> MockServer:
    """A server that gives `choices`, one for each seed from 0 on, to everyone who asks."""

    def answer(request: web.Request, body: Body) -> web.StreamResponse | None:
        if not request.path.endswith("/chat/completions"):
            return None
        asked.append(body)
        given = choices[body.get("seed", 0) :][: body.get("n", 1)]
        usage = {"prompt_tokens": 9, "completion_tokens": 5 * len(given)}
        return web.json_response({"choices": [*given], "usage": usage})

    return MockServer(fault=answer)


def verdicts(*texts: str) -> Sequence[Body]:
    return [{"index": 0, "message": {"role": "assistant", "content": text}, "finish_reason": "stop"} for text in texts]
