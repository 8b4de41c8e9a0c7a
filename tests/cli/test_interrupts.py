"""SIGTERM and Ctrl-C, whatever a run waits for: it ends within seconds with 130, and what was finished is kept."""

import asyncio
import json
import os
import signal
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from fakes import SeededEngine
from mock_server import Body, MockServer

from inference_kit import cli
from inference_kit.dataset.simpledataset import SimpleDataset
from inference_kit.grader.workers.process import WorkerProcess
from inference_kit.models.http.openai import OpenAI
from inference_kit.records import Problem
from inference_kit.reward_models.base import RewardModel
from inference_kit.reward_models.served.http import HTTP
from inference_kit.setup.registries import Registries

SECONDS = 5.0
"""Within so many a run ends on a machine that does much else; a run that waits takes a minute or more."""
FINISHED = 2
"""Problems that are answered before something hangs."""
HARD = "\\int_0^1 x^x \\sin(x^x) dx"
GOLD = "\\tan(x^2) + \\sqrt{x^3 + 1}"
"""No comparison of the one with the other ends before its limit."""
both = pytest.mark.parametrize("end", [signal.SIGTERM, signal.SIGINT], ids=lambda each: each.name)


class Slow(RewardModel):
    """Computes without end from the third problem on, in a thread that nothing can stop; says so by `at_work`."""

    def __init__(self, at_work: threading.Event, ended: threading.Event) -> None:
        self.identity, self._at_work, self._ended = "slow", at_work, ended

    def score(self, problem: Problem, steps: Sequence[str]) -> list[float]:
        if problem.index >= FINISHED:
            self._at_work.set()
            self._ended.wait(60)
        return [0.5] * len(steps)


@contextmanager
def told(end: signal.Signals, is_time: Callable[[], object]) -> Iterator[None]:
    """Send this process a signal once it `is_time`; see that the `with` block ends soon afterwards."""
    sent: list[float] = []

    def send() -> None:
        deadline = time.monotonic() + 60
        while not is_time() and time.monotonic() < deadline:
            time.sleep(0.01)
        sent.append(time.monotonic())
        os.kill(os.getpid(), end)

    thread = threading.Thread(target=send)
    thread.start()
    yield
    thread.join()
    assert time.monotonic() - sent[0] < SECONDS


def start(home: Path, registries: dict[str, Any], *words: str, answer: str = "3") -> int:
    """Run the command line over ten problems, one at a time, with `registries` for an engine and a reward model."""
    rows = [json.dumps({"index": i, "input": f"question {i}", "answer": answer}) for i in range(10)]
    (home / "mine.jsonl").write_text("\n".join(rows))
    found = Registries(
        {"served": registries["engine"]},
        {"scored": registries["reward_model"]} if "reward_model" in registries else {},
        {"mine": partial(SimpleDataset, dataset_name="mine", dataset_path=str(home / "mine.jsonl"))},
        home,
    )
    fixed = ("--model", "served", "--dataset", "mine", "--work-dir", str(home), "--log-level", "ERROR")
    return cli.main(["run", *fixed, "--n", "2", "--concurrency", "1", *words], found)


def count_stored(home: Path) -> int:
    """Count the problems that are stored without an error."""
    [path] = home.glob("mine/*/*.jsonl")
    return sum(json.loads(line).get("error") is None for line in path.read_text().splitlines())


def from_third(spoil: Callable[[], web.StreamResponse]) -> Callable[[web.Request, Body], web.StreamResponse | None]:
    """A fault at every request for the third problem and those behind it, of a model or a reward model."""

    def fault(_: web.Request, body: Body) -> web.StreamResponse | None:
        asked = json.dumps(body)
        return None if not body or any(f"question {i}" in asked for i in range(FINISHED)) else spoil()

    return fault


def say_too_long() -> web.Response:
    """A server that finds every request too long and never tells by how much."""
    time.sleep(0.2)
    return web.json_response({"error": {"message": "input length exceeds the context length"}}, status=400)


def throttle() -> web.Response:
    return web.Response(status=429, headers={"Retry-After": "120"})


def fail() -> web.Response:
    return web.Response(status=500)


@both
@pytest.mark.parametrize("spoil", [say_too_long, throttle, fail])
def test_a_run_that_asks_again_ends(tmp_path: Path, end: signal.Signals, spoil: Callable[[], web.Response]) -> None:
    """Issue 12: while a length is looked for, and while a retry is waited for."""
    with MockServer(fault=from_third(spoil)) as server:
        engine = partial(OpenAI, server.url, max_retries=100, retry_seconds=60.0)
        with told(end, lambda: len(server.bodies()) > 2 * FINISHED):
            assert start(tmp_path, {"engine": engine}) == 130
    assert count_stored(tmp_path) == FINISHED


class Hangs(MockServer):
    """Answers nothing for the third problem and those behind it, on `path`."""

    path = "/v1/chat/completions"

    async def _answer(self, request: web.Request, body: Body) -> web.StreamResponse:
        if request.path == self.path and from_third(fail)(request, body):
            await asyncio.sleep(60)
        return await super()._answer(request, body)


class RewardsHang(Hangs):
    """The same of a served reward model."""

    path = "/v1/step_rewards"


@both
@pytest.mark.parametrize("kind", [Hangs, RewardsHang])
def test_a_run_over_a_server_that_hangs_ends(tmp_path: Path, end: signal.Signals, kind: type[Hangs]) -> None:
    with kind() as server:
        parts = {"engine": partial(OpenAI, server.url), "reward_model": partial(HTTP, server.url)}
        n_asked = 2 * FINISHED if kind is Hangs else FINISHED
        with told(end, lambda: len(server.bodies(kind.path)) > n_asked):
            assert start(tmp_path, parts, "--reward-model", "scored") == 130
    assert count_stored(tmp_path) == FINISHED


@both
def test_a_run_whose_reward_model_computes_ends(tmp_path: Path, end: signal.Signals) -> None:
    at_work, ended = threading.Event(), threading.Event()
    parts = {"engine": SeededEngine, "reward_model": partial(Slow, at_work, ended)}
    try:
        with told(end, at_work.is_set):
            assert start(tmp_path, parts, "--reward-model", "scored") == 130
    finally:
        ended.set()
    assert count_stored(tmp_path) == FINISHED


@both
def test_a_run_ends_while_a_verdict_is_waited_for(
    tmp_path: Path, end: signal.Signals, monkeypatch: pytest.MonkeyPatch
) -> None:
    """From the third problem on each verdict takes the grader's whole limit."""
    asked = threading.Event()
    ask = WorkerProcess.ask

    def ask_and_tell(worker: WorkerProcess, job: Any) -> Any:
        if "x^x" in repr(job):
            asked.set()
        return ask(worker, job)

    def write(question: str, seed: int) -> list[str]:
        return [f"So it is \\boxed{{{GOLD if int(question[-1]) < FINISHED else f'{HARD} + {seed}'}}}."]

    monkeypatch.setattr(WorkerProcess, "ask", ask_and_tell)
    with MockServer(steps=write) as server, told(end, asked.is_set):
        assert start(tmp_path, {"engine": partial(OpenAI, server.url)}, answer=GOLD) == 130
    assert count_stored(tmp_path) >= FINISHED
