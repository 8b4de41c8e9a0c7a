"""Whole runs over a server that stumbles: nothing is wrong, lost or counted twice."""

import asyncio
import random
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

from aiohttp import web
from mock_server import Body, MockServer, three_steps

from inference_kit.grader import GraderPool
from inference_kit.models.http.openai import OpenAI
from inference_kit.records import GenerationConfig, Message, Problem, Record
from inference_kit.reward_models.served.http import HTTP
from inference_kit.runner import Outcome, run
from inference_kit.search.beam_search import beam_search
from inference_kit.search.best_of_n import best_of_n
from inference_kit.solver import Solver
from inference_kit.store.call_log import CallLog
from inference_kit.store.results import PartialFile

PROBLEMS = 200


def problems(count: int) -> Iterator[Problem]:
    for number in range(count):
        yield Problem(number, (Message("user", f"question {number}"),), answer="3")


def solve(
    folder: Path, server: MockServer, method: Callable[..., object] = best_of_n, count: int = PROBLEMS, tries: int = 15
) -> Outcome:
    """A run as the command line makes it, in `folder`."""
    records, calls = PartialFile(folder / "run.jsonl", fsync_seconds=None), CallLog(folder / "calls", "run")
    engine = OpenAI(server.url, max_retries=tries - 1, retry_seconds=0.001, server_concurrency=64)
    scored = HTTP(server.url, max_retries=14, retry_seconds=0.001) if method is not best_of_n else None

    async def all_of_it(grader: GraderPool) -> Outcome:
        solver = Solver(
            engine,
            partial(method, n=2),  # type: ignore[arg-type]
            GenerationConfig(max_new_tokens=64),
            grader,
            reward_model=scored,
            call_log=calls,
        )
        try:
            return await run(problems(count), solver, records, concurrency=64, show=lambda _: None)
        finally:
            await engine.close()
            calls.close()
            if scored:
                await scored.close()

    with GraderPool() as grader:
        outcome = asyncio.run(all_of_it(grader))
    records.close()
    return outcome


def stumbling(seed: int) -> Callable[[web.Request, Body], web.StreamResponse | str | None]:
    """20 % 429 with Retry-After, 10 % 500, 5 % resets, 5 % cut-off JSON."""
    dice = random.Random(seed)

    def fault(request: web.Request, body: Body) -> web.StreamResponse | str | None:
        chance = dice.random()
        if chance < 0.2:
            return web.Response(status=429, headers={"Retry-After": "0.01"})
        if chance < 0.3:
            return web.Response(status=500)
        return "reset" if chance < 0.35 else "cut" if chance < 0.375 else "half" if chance < 0.4 else None

    return fault


def answered(server: MockServer) -> list[tuple[str, int]]:
    return [(body["messages"][0]["content"], body["seed"]) for body in server.bodies()]


def test_a_server_that_stumbles_costs_time_and_nothing_else(tmp_path: Path) -> None:
    """MAIN-85, PEERS 3: 40 % of all requests fail in some way."""
    with MockServer(fault=stumbling(0)) as server:
        outcome = solve(tmp_path, server)
    records = PartialFile(tmp_path / "run.jsonl").read_all()
    assert (outcome.done, outcome.failed, len(records)) == (PROBLEMS, 0, PROBLEMS)
    for index, record in records.items():
        seeds = {seed for question, seed in answered(server) if question == f"question {index}"}
        expected = ["".join(three_steps(f"question {index}", seed)) for seed in sorted(seeds)]
        assert [each.text for each in record.candidates] == expected
        assert record.usage.calls == 2
        assert record.usage.generated_tokens == sum(len(text.split()) for text in expected)


def test_a_search_over_a_server_that_stumbles_finds_the_same(tmp_path: Path) -> None:
    found: list[dict[int | str, Record]] = []
    for name, fault in (("calm", None), ("stumbling", stumbling(1))):
        (tmp_path / name).mkdir()
        with MockServer(fault=fault) as server:
            assert solve(tmp_path / name, server, beam_search, count=50).failed == 0
        found.append(PartialFile(tmp_path / name / "run.jsonl").read_all())
    assert {index: record.candidates for index, record in found[0].items()} == {
        index: record.candidates for index, record in found[1].items()
    }


def test_what_always_fails_is_said_and_asked_again_alone(tmp_path: Path) -> None:
    """MAIN-85: 5 % of the problems always fail; a second run asks for just those, and for nothing that was paid."""
    dead = {f"question {number}" for number in range(0, PROBLEMS, 20)}

    def fault(_: web.Request, body: Body) -> web.Response | None:
        question = body["messages"][0]["content"] if body else ""
        return web.Response(status=500) if question in dead and body["seed"] % 2 else None

    with MockServer(fault=fault) as server:
        outcome = solve(tmp_path, server, tries=7)
        records = PartialFile(tmp_path / "run.jsonl").read_all()
        assert (outcome.done, outcome.failed) == (PROBLEMS, len(dead))
        assert {record.input for record in records.values() if record.error} == dead
        assert "HTTP 500; tried 7 times" in str(records[0].error)
        server.fault = None
        server.asked.clear()
        outcome = solve(tmp_path, server, tries=7)
    assert (outcome.done, outcome.failed) == (len(dead), 0)
    assert sorted(question for question, _ in answered(server)) == sorted(dead)
