"""A server that gives fixed verdicts, for models that judge behind an address."""

from collections.abc import Sequence

from aiohttp import web
from mock_server import Body, MockServer


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
