"""Runner: many problems through one solver, K in flight, each stored the moment it is done.

Why: a problem that waits for a reward must not hold up another one's tokens, and a finished one must survive anything.
Promises: what is stored as finished is not asked again, failed problems are; a problem that fails becomes a record
with its error and the run goes on; when cancelled, what is in flight is dropped and everything finished is already
stored; nobody waits for whoever is shown the records, unless that one falls far behind.
"""

import asyncio
import contextlib
import gc
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from queue import SimpleQueue
from types import TracebackType

from loguru import logger

from inference_kit.errors import EngineError, RunStopped, UserError
from inference_kit.failures import generalize
from inference_kit.flow import for_each
from inference_kit.records import Problem, Record, Solution
from inference_kit.records.indices import canonical_index
from inference_kit.solver import Solver
from inference_kit.store.results import PartialFile

Show = Callable[[Record], None]
"""Shown each record after it is stored, one after another on a thread of its own."""

MOST_WAITING = 1000
"""Stored records that may wait to be shown."""

PAUSE_SECONDS = 0.1
"""Between two looks at what was stored."""


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
    show: Show,
) -> Outcome:
    """Solve what `partial` does not hold as finished, and store each record in it.

    Raises:
        UserError: what concerns the whole run, such as weights that do not load or a full disk; stored records stay.
        RunStopped: where the run's budget is spent, or more problems failed than may; likewise.
    """
    finished = partial.find_finished()
    worked_before = partial.read_run_seconds()
    started = time.perf_counter()

    done = failed = 0
    reasons: set[str] = set()
    waiting = (problem for problem in problems if canonical_index(problem.index) not in finished)
    with _collect_rarely(), _Showing(show) as showing:

        async def solve(problem: Problem) -> None:
            nonlocal done, failed
            began = time.perf_counter()
            solution, error = await _try_to_solve(problem, solver, reasons)
            now = time.perf_counter()
            record = Record.of(problem, solution, error, seconds=now - began, run_seconds=worked_before + now - started)
            partial.append(record)
            done, failed = done + 1, failed + (error is not None)
            await showing.add(record)
            if error is not None:
                solver.run_budget.count_failure(error)

        await for_each(waiting, solve, concurrency)
        await showing.finish()
    return Outcome(done, failed)


@contextlib.contextmanager
def _collect_rarely() -> Iterator[None]:
    """Have the garbage collector leave alone what is there already, and look at the rest less often.

    Why: with hundreds of problems in flight it finds nothing each time, and takes a fifth of a run over HTTP.
    """
    before = gc.get_threshold()
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 20, 20)
    try:
        yield
    finally:
        gc.set_threshold(*before)
        gc.unfreeze()


class _Showing:
    """Shows records on a thread; an error of whoever sees them is raised where the next one is added, or at the end.

    Why: verdict, log and progress of many short problems together cost a fraction of what each costs by itself.
    """

    def __init__(self, show: Show) -> None:
        self._show = show
        self._stored: SimpleQueue[Record | None] = SimpleQueue()
        self._hurry = threading.Event()
        self._dropped = False
        self._error: Exception | None = None
        self._thread = threading.Thread(target=self._show_all, name="showing", daemon=True)

    def __enter__(self) -> "_Showing":
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._dropped = True
        self._end()

    async def add(self, record: Record) -> None:
        """Have one more record shown soon."""
        self._stored.put(record)
        if self._stored.qsize() > MOST_WAITING:
            await asyncio.to_thread(self._catch_up)
        self._check()

    async def finish(self) -> None:
        """Wait until all are shown."""
        self._end()
        await asyncio.to_thread(self._thread.join)
        self._check()

    def _catch_up(self) -> None:
        while self._stored.qsize() > MOST_WAITING / 2 and self._thread.is_alive():
            time.sleep(PAUSE_SECONDS)

    def _show_all(self) -> None:
        try:
            while (record := self._stored.get()) and not self._dropped:
                self._show(record)
                if self._stored.empty():
                    self._hurry.wait(PAUSE_SECONDS)
        except Exception as error:  # noqa: BLE001 - raised on the loop's thread
            self._error = error

    def _end(self) -> None:
        self._stored.put(None)
        self._hurry.set()

    def _check(self) -> None:
        if self._error:
            raise self._error


async def _try_to_solve(problem: Problem, solver: Solver, reasons: set[str]) -> tuple[Solution | None, str | None]:
    """Return the solution of a problem, or why there is none; a reason that is among `reasons` is not shown again."""
    try:
        return await solver.solve(problem), None
    except EngineError as error:
        reason = generalize(str(error))
        logger.log("DEBUG" if reason in reasons else "WARNING", "problem {} failed: {}", problem.index, error)
        reasons.add(reason)
        return None, str(error)
    except (UserError, RunStopped):
        raise
    except Exception as error:  # noqa: BLE001 - one problem's bug must not end the others; run.log has the traceback
        logger.opt(exception=error).error("problem {} failed: {!r}", problem.index, error)
        return None, f"{type(error).__name__}: {error}"
