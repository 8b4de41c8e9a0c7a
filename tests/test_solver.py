"""The solver: a search may be watched, and ends with its watcher."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import aclosing

import pytest
from fakes import FailingEngine, Likes, SeededEngine

from inference_kit.errors import EngineError
from inference_kit.grader import GraderPool
from inference_kit.models.base import Engine
from inference_kit.records import Completion, GenerationConfig, Message, Problem, Prompt
from inference_kit.records.events import CandidateWhole, Event, NodeScored, NodeWritten, Piece, Solved
from inference_kit.search.best_of_n import best_of_n
from inference_kit.search.vanilla import vanilla
from inference_kit.solver import Solver

PROBLEM = Problem(17, (Message("user", "What is it?"),), answer="3")


class Endless(SeededEngine):
    """Writes a piece after the other until it is closed."""

    def __init__(self) -> None:
        super().__init__()
        self.rows, self.asked = 0, asyncio.Event()

    async def stream(self, prompt: Prompt, config: GenerationConfig) -> AsyncIterator[tuple[int, str | Completion]]:
        self.rows += prompt.n
        self.asked.set()
        try:
            while True:
                await asyncio.sleep(0)
                yield 0, "more "
        finally:
            self.rows -= prompt.n


def solver(engine: Engine) -> Solver:
    return Solver(engine, best_of_n, GenerationConfig(), GraderPool(), Likes())


def watch(solver: Solver) -> list[Event]:
    async def watch() -> list[Event]:
        return [event async for event in solver.watch(PROBLEM)]

    return asyncio.run(watch())


def test_a_search_is_told_step_by_step_and_its_solution_last() -> None:
    events = watch(solver(SeededEngine()))
    kinds = [type(event) for event in events]
    assert [kinds.count(kind) for kind in (Piece, NodeWritten, CandidateWhole, NodeScored, Solved)] == [16] * 4 + [1]
    assert kinds[:3] == [Piece, NodeWritten, CandidateWhole]
    last = events[-1]
    assert isinstance(last, Solved)
    assert last.solution == asyncio.run(solver(SeededEngine()).solve(PROBLEM))
    assert last.solution.usage.calls == 16


def test_who_stops_watching_ends_the_search_and_what_the_engine_writes() -> None:
    engine = Endless()

    async def watch_a_little() -> int:
        async with aclosing(solver(engine).watch(PROBLEM)) as events:
            async for _ in events:
                assert engine.rows == 16
                break
        return len(asyncio.all_tasks())

    assert asyncio.run(watch_a_little()) == 1
    assert engine.rows == 0


def test_a_watcher_that_is_cancelled_ends_the_search() -> None:
    """BEY-14: such as a client that hangs up."""
    engine = Endless()

    async def watch_for_ever() -> None:
        async for _ in solver(engine).watch(PROBLEM):
            pass

    async def cancel() -> int:
        watching = asyncio.create_task(watch_for_ever())
        await engine.asked.wait()
        watching.cancel()
        with pytest.raises(asyncio.CancelledError):
            await watching
        return engine.rows

    assert asyncio.run(cancel()) == 0


def test_what_ends_a_search_is_raised_where_it_is_watched() -> None:
    with pytest.raises(EngineError, match="no answer to this one"):
        watch(solver(FailingEngine(fail_on="What")))


def test_a_single_reply_streams_as_its_pieces() -> None:
    async def stream() -> list[str]:
        plain = Solver(SeededEngine(), vanilla, GenerationConfig(), GraderPool())
        return [piece async for piece in plain.stream(PROBLEM)]

    [text] = asyncio.run(stream())
    assert text.startswith("Think.")
