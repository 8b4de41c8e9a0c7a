"""Reward models behind HTTP, against a server on a real socket."""

import asyncio
from collections.abc import Sequence
from typing import Any

import pytest
from aiohttp import web
from mock_server import Body, MockServer, digest

from inference_kit.errors import EngineError, UserError
from inference_kit.records import Message, Problem, StepScores
from inference_kit.reward_models.served.http import HTTP

PROBLEM = Problem(1, (Message("system", "Be brief."), Message("user", "What is 3 + 4?")))


def score(model: HTTP, solutions: Sequence[Sequence[str]]) -> list[StepScores | BaseException]:
    async def all_of_them() -> list[StepScores | BaseException]:
        try:
            asked = (model.scores(PROBLEM, steps) for steps in solutions)
            return await asyncio.gather(*asked, return_exceptions=True)
        finally:
            await model.close()

    return asyncio.run(all_of_them())


def answering(answer: Any) -> MockServer:
    return MockServer(fault=lambda *_: web.json_response(answer))


def test_solutions_that_wait_together_are_posted_together() -> None:
    with MockServer() as server:
        found = score(HTTP(server.url), [["a", "b"], ["c"], ["a", "d", "e"]])
    assert [each.body for each in server.asked] == [
        {
            "items": [
                {"problem": "What is 3 + 4?", "steps": ["a", "b"]},
                {"problem": "What is 3 + 4?", "steps": ["c"]},
                {"problem": "What is 3 + 4?", "steps": ["a", "d", "e"]},
            ]
        }
    ]
    assert found[1] == StepScores((digest("What is 3 + 4?", "c") % 101 / 100,))
    assert [len(each.scores) for each in found if isinstance(each, StepScores)] == [2, 1, 3]


def test_a_batch_holds_no_more_than_it_may_and_all_run_at_once() -> None:
    with MockServer(latency=0.05) as server:
        score(HTTP(server.url, max_batch_size=2), [[str(place)] for place in range(6)])
    assert sorted(len(each.body["items"]) for each in server.asked) == [2, 2, 2]


@pytest.mark.parametrize("address", ["", "/", "/v1", "/v1/"])
def test_the_address_may_end_as_it_likes(address: str) -> None:
    with MockServer() as server:
        assert score(HTTP(server.root + address), [["a"]])
    assert server.asked[0].path == "/v1/step_rewards"


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        ({"scores": [[0.5, 0.5, 0.5]]}, "3 scores for 2 steps"),
        ({"scores": []}, "0 items of 1"),
        ({"scores": [[0.5, 1.5]]}, r"\[0.5, 1.5\].*numbers in \[0, 1\]"),
        ({"scores": [[0.5, float("inf")]]}, "numbers in"),
        ({"scores": [["good", "bad"]]}, "numbers in"),
        ({"scores": [0.5]}, "numbers in"),
        ({"scores": [[True, True]]}, "numbers in"),
    ],
)
def test_scores_that_are_wrong_are_an_error_that_shows_them(answer: Any, said: str) -> None:
    with answering(answer) as server:
        [found] = score(HTTP(server.url), [["a", "b"]])
    assert isinstance(found, EngineError)
    with pytest.raises(EngineError, match=said):
        raise found
    assert len(server.asked) == 1


@pytest.mark.parametrize("nothing", [float("nan"), None])
def test_a_score_that_is_not_a_number_counts_0_and_is_reported(nothing: float | None) -> None:
    """Issue 12: as docs/reward-models.md says of all; a problem keeps its other candidates."""
    with answering({"scores": [[0.5, nothing], [nothing, 0.25]]}) as server:
        model = HTTP(server.url)
        assert score(model, [["a", "b"], ["c", "d"]]) == [StepScores((0.5, 0.0)), StepScores((0.0, 0.25))]
    assert model.n_nan == 2


def test_rounding_beyond_the_range_is_taken_off() -> None:
    with answering({"scores": [[1.0000001, -1e-9]]}) as server:
        assert score(HTTP(server.url), [["a", "b"]]) == [StepScores((1.0, 0.0))]


def test_an_outcome_reward_model_gives_one_number() -> None:
    with answering({"scores": [[0.25]]}) as server:
        assert score(HTTP(server.url), [["a", "b"]]) == [StepScores((0.25,))]


def test_one_wrong_item_fails_alone() -> None:
    with answering({"scores": [[0.5], [7]]}) as server:
        good, bad = score(HTTP(server.url), [["a"], ["b"]])
    assert good == StepScores((0.5,))
    assert isinstance(bad, EngineError)


def test_an_item_that_the_server_refuses_fails_alone() -> None:
    def refuse(_: web.Request, body: Body) -> web.Response | None:
        long = any(item["steps"] == ["too long"] for item in body["items"])
        return web.json_response({"error": "longer than 4096 tokens"}, status=400) if long else None

    with MockServer(fault=refuse) as server:
        good, bad = score(HTTP(server.url), [["a"], ["too long"]])
    assert isinstance(good, StepScores)
    assert isinstance(bad, EngineError)
    assert "longer than 4096 tokens" in str(bad)


def test_a_stumble_is_asked_again_and_a_wrong_key_is_not() -> None:
    left = [2]

    def stumble(*_: Any) -> str | None:
        left[0] -= 1
        return "reset" if left[0] >= 0 else None

    with MockServer(fault=stumble) as server:
        assert isinstance(score(HTTP(server.url), [["a"]])[0], StepScores)
    with MockServer(fault=lambda *_: web.Response(status=401)) as server:
        [found] = score(HTTP(server.url), [["a"]])
    assert type(found) is UserError
    assert len(server.asked) == 1


def test_the_identity_needs_no_server() -> None:
    assert HTTP("http://127.0.0.1:9").identity == "http:http://127.0.0.1:9/v1"
