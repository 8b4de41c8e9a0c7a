"""Runner: many problems through one solver, K in flight, each stored the moment it is done.

Why: a problem that waits for a reward must not hold up another one's tokens, and a finished one must survive anything.
Promises: what is stored as finished is not asked again, failed problems are; a problem that fails becomes a record
with its error and the run goes on; when cancelled, what is in flight is dropped and everything finished is already
stored.
"""

import asyncio
import contextlib
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace

from loguru import logger

from inference_kit.errors import EngineError, RunStopped, UserError
from inference_kit.flow import unordered_map
from inference_kit.records import Problem, Record
from inference_kit.solver import Solver
from inference_kit.store.results import PartialFile

Judge = Callable[[Record], bool | None]
"""Whether a record's answer is right, None where that is not known; called on a thread."""

Watch = Callable[[Record, bool | None], None]
"""Told of each record and its verdict, right after it is stored."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What this process did: problems stored, and how many of them failed."""

    done: int
    failed: int


async def run(
    problems: Iterable[Problem],
    solver: Solver,
    partial: PartialFile,
    *,
    concurrency: int,
    judged: Judge,
    watch: Watch,
) -> Outcome:
    """Solve what `partial` does not hold as finished, and store each record in it.

    Raises:
        UserError: what concerns the whole run, such as weights that do not load or a full disk; stored records stay.
        RunStopped: where the run's budget is spent; likewise.
    """
    finished = partial.finished()
    worked_before = partial.run_seconds()
    started = time.perf_counter()

    async def solve(problem: Problem) -> tuple[Record, bool | None]:
        began = time.perf_counter()
        record = await _solved(problem, solver)
        seconds = time.perf_counter() - began
        return replace(record, seconds=seconds), await asyncio.to_thread(judged, record)

    done = failed = 0
    waiting = (problem for problem in problems if problem.index not in finished)
    async with contextlib.aclosing(unordered_map(waiting, solve, concurrency)) as records:
        async for record, correct in records:
            stored = replace(record, run_seconds=worked_before + time.perf_counter() - started)
            partial.append(stored)
            watch(stored, correct)
            done, failed = done + 1, failed + (record.error is not None)
    return Outcome(done, failed)


async def _solved(problem: Problem, solver: Solver) -> Record:
    try:
        return Record.of(problem, await solver.solve(problem))
    except EngineError as error:
        logger.warning("problem {} failed: {}", problem.index, error)
        return Record.of(problem, None, str(error))
    except (UserError, RunStopped):
        raise
    except Exception as error:  # noqa: BLE001 - one problem's bug must not end the others; run.log has the traceback
        logger.opt(exception=error).error("problem {} failed: {!r}", problem.index, error)
        return Record.of(problem, None, f"{type(error).__name__}: {error}")
