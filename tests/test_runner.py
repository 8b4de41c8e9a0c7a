"""The runner: resume, failures, cancellation."""

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest
from fakes import FailingEngine, OutOfOrderEngine, SeededEngine

from inference_kit.errors import UserError
from inference_kit.grader import GraderPool
from inference_kit.records import GenerationConfig, Message, Problem, Record
from inference_kit.runner import Outcome, run
from inference_kit.search.best_of_n import best_of_n
from inference_kit.solver import Solver
from inference_kit.store.results import PartialFile


def problems(count: int) -> Iterator[Problem]:
    for number in range(count):
        text = "impossible" if number == 3 else f"question {number}"
        yield Problem(number, (Message("user", text),), answer=str(number % 7))


def solve(
    path: Path, engine: SeededEngine, count: int = 8, concurrency: int = 3
) -> tuple[Outcome, dict[int | str, Record]]:
    partial = PartialFile(path, fsync_seconds=None)
    with GraderPool() as grader:
        solver = Solver(engine, best_of_n, GenerationConfig(), grader)
        outcome = asyncio.run(
            run(
                problems(count),
                solver,
                partial,
                concurrency=concurrency,
                show=lambda _: None,
            )
        )
    partial.close()
    return outcome, PartialFile(path).read_all()


def test_what_is_finished_is_not_asked_again(tmp_path: Path) -> None:
    """MAIN-63."""
    engine = SeededEngine()
    solve(tmp_path / "a.jsonl", engine, count=5)
    paid = engine.completions
    outcome, records = solve(tmp_path / "a.jsonl", engine, count=8)
    assert outcome.done == 3
    assert engine.completions == paid + 3 * 16
    assert sorted(records) == list(range(8))


def test_results_do_not_depend_on_concurrency_or_order(tmp_path: Path) -> None:
    """MAIN-50."""
    _, one = solve(tmp_path / "one.jsonl", SeededEngine(), concurrency=1)
    _, many = solve(tmp_path / "many.jsonl", OutOfOrderEngine(), concurrency=8)
    assert {index: record.candidates for index, record in one.items()} == {
        index: record.candidates for index, record in many.items()
    }


def test_a_failed_problem_is_recorded_and_tried_again(tmp_path: Path) -> None:
    """MAIN-85: the run goes on, and the next one retries just the failure."""
    engine = FailingEngine()
    outcome, records = solve(tmp_path / "a.jsonl", engine)
    assert (outcome.done, outcome.failed) == (8, 1)
    assert records[3].error == "the engine has no answer to this one"
    engine.healed = True
    outcome, records = solve(tmp_path / "a.jsonl", engine)
    assert (outcome.done, outcome.failed) == (1, 0)
    assert records[3].error is None


def test_what_concerns_the_whole_run_stops_it_and_keeps_what_is_stored(tmp_path: Path) -> None:
    class Broken(SeededEngine):
        def _write(self, prompt, seed):  # type: ignore[no-untyped-def]
            if "question 5" in prompt.messages[-1].content:
                raise UserError("the weights do not load")
            return super()._write(prompt, seed)

    with pytest.raises(UserError, match="weights do not load"):
        solve(tmp_path / "a.jsonl", Broken(), concurrency=1)
    assert sorted(PartialFile(tmp_path / "a.jsonl").read_all()) == [0, 1, 2, 3, 4]


def test_a_record_is_on_disk_before_anyone_is_told(tmp_path: Path) -> None:
    """MAIN-18: anyone may read the partial file while the run goes on."""
    path = tmp_path / "a.jsonl"
    stored: list[bool] = []

    def show(record: Record) -> None:
        stored.append(f'"index": {record.index},' in path.read_text())

    with GraderPool() as grader:
        solver = Solver(SeededEngine(), best_of_n, GenerationConfig(), grader)
        partial = PartialFile(path, fsync_seconds=None)
        asyncio.run(run(problems(4), solver, partial, concurrency=2, show=show))
    assert stored == [True] * 4


def test_an_error_of_the_watcher_ends_the_run(tmp_path: Path) -> None:
    """What was stored until then stays."""

    def show(record: Record) -> None:
        raise UserError("nobody can look")

    with GraderPool() as grader:
        solver = Solver(SeededEngine(), best_of_n, GenerationConfig(), grader)
        partial = PartialFile(tmp_path / "a.jsonl", fsync_seconds=None)
        with pytest.raises(UserError, match="nobody can look"):
            asyncio.run(run(problems(4), solver, partial, concurrency=2, show=show))
        partial.close()
    assert PartialFile(tmp_path / "a.jsonl").read_all()
