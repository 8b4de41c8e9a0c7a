"""Blocking work for asynchronous callers, on a thread: batches (`Batcher`), or a loop to join and leave (`Pump`).

Why: an engine or reward model answers many questions at once far more cheaply than one by one, and its callers should
not know of each other.
Promises: a call returns its own result; while one batch runs, the next one gathers; where a batch fails, its items are
tried one by one, so that one bad item fails alone; but not where the error is about all, such as missing weights. What
waits for a place in a batch gets none once the run's budget is spent.
"""

import asyncio
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Generic, Protocol, TypeVar

from inference_kit.budget import RunBudget, applied_budget
from inference_kit.errors import EngineError, RunStopped, UserError

Item = TypeVar("Item")
Result = TypeVar("Result")
Work = TypeVar("Work")


@dataclass(frozen=True, slots=True)
class _Waiting(Generic[Item, Result]):
    """An item, and the future of whoever waits for its result."""

    item: Item
    group: Any
    size: int
    future: "asyncio.Future[Result]"
    budget: RunBudget


class Batcher(Generic[Item, Result]):
    """Gathers items of equal `group`, up to `limit` in sizes, and calls `run_batch(items, group)` on a thread.

    An exception among its results is raised where that item was submitted.
    """

    def __init__(self, run_batch: Callable[[Sequence[Item], Any], Sequence[Result | Exception]], limit: int) -> None:
        self._run_batch, self._limit = run_batch, limit
        self._waiting: deque[_Waiting[Item, Result]] = deque()
        self._pump: asyncio.Task[None] | None = None

    async def submit(self, item: Item, group: Any = None, size: int = 1) -> Result:
        """Return the result of `item`, computed with whatever else waits at the same time."""
        future: asyncio.Future[Result] = asyncio.get_running_loop().create_future()
        self._waiting.append(_Waiting(item, group, size, future, applied_budget()))
        if self._pump is None or self._pump.done():
            self._pump = asyncio.create_task(self._drain())
        return await future

    async def _drain(self) -> None:
        """Run batches until nobody waits."""
        await asyncio.sleep(0)  # lets every caller that is ready now join the first batch
        while batch := self._take_batch():
            for waiting, outcome in zip(batch, await self._run_or_split(batch), strict=True):
                if waiting.future.cancelled():
                    continue
                if isinstance(outcome, Exception):
                    waiting.future.set_exception(outcome)
                else:
                    waiting.future.set_result(outcome)
            if any(waiting.budget.counts for waiting in batch):
                await asyncio.sleep(0)  # lets the callers count what they got
            self._turn_away()

    def _turn_away(self) -> None:
        """Let nobody wait whose budget is spent."""
        for waiting in self._waiting:
            if waiting.budget.is_spent and not waiting.future.done():
                waiting.future.set_exception(waiting.budget.explain())

    def _take_batch(self) -> list[_Waiting[Item, Result]]:
        """Take the first that waits and those of its group that fit the limit beside it; drop who waits no more."""
        batch: list[_Waiting[Item, Result]] = []
        later: deque[_Waiting[Item, Result]] = deque()
        total = 0
        while self._waiting:
            each = self._waiting.popleft()
            if each.future.done():
                continue
            if batch and (each.group != batch[0].group or total + each.size > self._limit):
                later.append(each)
            else:
                batch.append(each)
                total += each.size
        self._waiting = later
        return batch

    def _run(self, items: Sequence[Item], group: Any) -> Sequence[Result | Exception]:
        """Run a batch on the thread."""
        try:
            return self._run_batch(items, group)
        except StopIteration as error:  # no future can carry it: the caller would wait for ever
            raise RuntimeError(f"the batch ended with {error!r}") from error

    async def _run_or_split(self, batch: Sequence[_Waiting[Item, Result]]) -> Sequence[Result | Exception]:
        """Run a batch; where it fails, each item alone, unless the error is about all of them."""
        try:
            return await asyncio.to_thread(self._run, [each.item for each in batch], batch[0].group)
        except Exception as error:  # noqa: BLE001 - handed to the callers, each its own
            if len(batch) == 1 or (isinstance(error, UserError) and not isinstance(error, EngineError)):
                return [error] * len(batch)
            return [outcome for each in batch for outcome in await self._run_or_split([each])]


class Loop(Protocol[Work]):
    """Moves many pieces of work on, step by step, and says which have finished."""

    waiting: deque[Work]

    @property
    def busy(self) -> bool:
        """Whether a step would do anything."""

    def advance(self, steps: int) -> list[Work]:
        """Take up to `steps` steps; return early with what has finished."""


@dataclass(frozen=True, slots=True)
class _Asked(Generic[Work]):
    """Who gets a piece of work, after how many steps at once they look, and what budget they have."""

    deliver: Callable[[Work | Exception], None]
    steps: int
    budget: RunBudget


class Pump(Generic[Work]):
    """Drives a `Loop` on a thread while it is busy; work may join and leave between its steps.

    `moved` is set, and replaced, each time the loop has taken some steps.
    """

    def __init__(self, loop: Loop[Work], steps: int) -> None:
        self._loop, self._steps = loop, steps
        self._inbox: list[Work] = []
        self._asked: dict[Work, _Asked[Work]] = {}
        self._stops: dict[Callable[[Work | Exception], None], RunStopped] = {}
        self._task: asyncio.Task[None] | None = None
        self.moved = asyncio.Event()

    def submit(
        self, work: Sequence[Work], deliver: Callable[[Work | Exception], None], steps: int | None = None
    ) -> None:
        """Let `work` join; `deliver` gets each piece as it finishes, or the exception that ended the loop.

        Where the run's budget is spent before all of it has joined, `deliver` gets what has, and then `RunStopped`.
        """
        self._inbox += work
        self._asked |= dict.fromkeys(work, _Asked(deliver, steps or self._steps, applied_budget()))
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._drive())

    def forget(self, work: Sequence[Work]) -> None:
        """Deliver nothing more of `work`."""
        for each in work:
            if asked := self._asked.pop(each, None):
                self._stops.pop(asked.deliver, None)

    async def _drive(self) -> None:
        """Let the loop take steps, as many at once as the most impatient piece of work wants, until it is idle."""
        await asyncio.sleep(0)  # lets every caller that is ready now join the first step
        while self._inbox or self._loop.busy:
            self._loop.waiting.extend(self._inbox)
            self._inbox = []
            self._turn_away()
            steps = min((each.steps for each in self._asked.values()), default=self._steps)
            try:
                for work in await asyncio.to_thread(self._loop.advance, steps):
                    if work in self._asked:
                        self._asked.pop(work).deliver(work)
            except Exception as error:  # noqa: BLE001 - handed to the callers
                for asked in self._asked.values():
                    asked.deliver(error)
                self._asked.clear()
                return
            finally:
                self._show_moved()
            if any(asked.budget.counts for asked in self._asked.values()):
                await asyncio.sleep(0)  # lets the callers count what they got
            self._turn_away()

    def _turn_away(self) -> None:
        """Let nothing join for whoever has spent the budget; they hear of it behind what has joined."""
        for work in [each for each in self._loop.waiting if each in self._asked]:
            if self._asked[work].budget.is_spent:
                asked = self._asked.pop(work)
                self._loop.waiting.remove(work)
                self._stops[asked.deliver] = asked.budget.explain()
        waited_for = {asked.deliver for asked in self._asked.values()} if self._stops else set()
        for deliver in self._stops.keys() - waited_for:
            deliver(self._stops.pop(deliver))
            self._show_moved()

    def _show_moved(self) -> None:
        self.moved.set()
        self.moved = asyncio.Event()
