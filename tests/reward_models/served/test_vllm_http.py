"""Reward models on vLLM's pooling endpoints; the server plays what vLLM 0.32 answers."""

import asyncio
from collections.abc import Iterator
from typing import Any

import pytest
from aiohttp import web
from mock_server import Body, MockServer

from inference_kit.errors import EngineError, UserError
from inference_kit.records import Message, Problem, StepScores
from inference_kit.reward_models.served.vllm_http import SYSTEM, VllmHTTP

PROBLEM = Problem(1, (Message("user", "What is 3 + 4?"),))
USAGE = {"usage": {"prompt_tokens": 11, "total_tokens": 11}}


def score(model: VllmHTTP, *steps: str) -> StepScores:
    async def one() -> StepScores:
        try:
            return await model.scores(PROBLEM, steps)
        finally:
            await model.close()

    return asyncio.run(one())


@pytest.fixture
def server() -> Iterator[MockServer]:
    """Scores each tag 0.1 higher than the one before it."""

    def answer(request: web.Request, body: Body) -> web.Response | None:
        if request.path == "/classify":
            return web.json_response({"data": [{"index": 0, "probs": [0.75], "num_classes": 1}], **USAGE})
        if request.path != "/pooling":
            return None
        assert body["task"] == "token_classify"
        rows = [[0.9 - place / 10, 0.1 + place / 10] for place in range(body["messages"][-1]["content"].count("<+>"))]
        return web.json_response({"data": [{"index": 0, "object": "pooling", "data": rows}], **USAGE})

    with MockServer(fault=answer, owned_by="vllm", models=("prm",)) as running:
        yield running


def test_steps_are_scored_at_their_tags(server: MockServer) -> None:
    found = score(VllmHTTP(server.url, tag="<+>"), "a", "b", "c")
    assert found == StepScores((0.1, 0.2, 0.1 + 2 / 10), tokens=11)
    [asked] = server.bodies("/pooling")
    assert asked["messages"] == [
        {"role": "system", "content": SYSTEM},
        {"role": "user", "content": "What is 3 + 4?"},
        {"role": "assistant", "content": "a<+>b<+>c<+>"},
    ]
    assert (asked["model"], asked["add_generation_prompt"]) == ("prm", False)


def test_an_outcome_reward_model_reads_the_whole(server: MockServer) -> None:
    assert score(VllmHTTP(server.root, outcome=True, system=""), "a", "b") == StepScores((0.75,), tokens=11)
    [asked] = server.bodies("/classify")
    assert [turn["content"] for turn in asked["messages"]] == ["What is 3 + 4?", "a\n\nb"]


def test_a_server_that_pools_no_steps_says_how_to_start_it(server: MockServer) -> None:
    with pytest.raises(EngineError, match=r"0 rows came back for 2 steps.*step_tag_id"):
        score(VllmHTTP(server.url), "a", "b")


def test_a_step_with_the_tag_in_it_is_refused(server: MockServer) -> None:
    with pytest.raises(EngineError, match="own tag"):
        score(VllmHTTP(server.url, tag="<+>"), "a <+> b")
    assert not server.bodies("/pooling")


def test_a_server_without_the_endpoint_says_what_it_must_be() -> None:
    with MockServer() as server, pytest.raises(EngineError, match=r"404.*--runner pooling"):
        score(VllmHTTP(server.url), "a")


def test_a_server_that_is_not_there_is_said_before_work() -> None:
    with pytest.raises(UserError, match=r"cannot be reached.*--reward-model-path"):
        VllmHTTP("http://127.0.0.1:9").check()


def test_the_identity_names_model_and_tag(server: MockServer) -> None:
    found: Any = VllmHTTP(server.url, tag="<+>").identity
    assert found.startswith(f"vllm_http:{server.root}:prm:steps:<+>:")
