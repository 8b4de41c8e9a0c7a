"""Blocking work for asynchronous callers: each gets its own, whoever else waits, fails or leaves."""

import asyncio
import threading
from collections import deque
from collections.abc import Sequence
from typing import Any

import pytest

from inference_kit.budget import RunBudget
from inference_kit.errors import RunStopped, UserError
from inference_kit.models.batching import Batcher, Pump
from inference_kit.records import Usage


class Doubles:
    """Doubles numbers in batches; refuses odd ones."""

    def __init__(self) -> None:
        self.batches: list[list[int]] = []

    def __call__(self, items: Sequence[int], group: Any) -> list[int]:
        self.batches.append(list(items))
        if any(item % 2 for item in items):
            raise ValueError(f"odd: {[item for item in items if item % 2]}")
        return [2 * item for item in items]


def test_calls_that_wait_together_share_a_batch_up_to_the_limit() -> None:
    doubles = Doubles()

    async def all_at_once() -> list[int]:
        batcher = Batcher(doubles, limit=4)
        return await asyncio.gather(*(batcher.submit(number) for number in range(0, 20, 2)))

    assert asyncio.run(all_at_once()) == list(range(0, 40, 4))
    assert [len(batch) for batch in doubles.batches] == [4, 4, 2]


def test_groups_and_sizes_are_kept_apart() -> None:
    doubles = Doubles()

    async def all_at_once() -> list[int]:
        batcher = Batcher(doubles, limit=4)
        asked = [batcher.submit(number, group=number % 4) for number in range(0, 8, 2)]
        return await asyncio.gather(*asked, batcher.submit(100, size=9))

    assert asyncio.run(all_at_once()) == [0, 4, 8, 12, 200]
    assert [0, 4] in doubles.batches
    assert [2, 6] in doubles.batches
    assert [100] in doubles.batches


def test_one_bad_item_fails_alone() -> None:
    async def all_at_once() -> list[Any]:
        batcher = Batcher(Doubles(), limit=8)
        return await asyncio.gather(*(batcher.submit(number) for number in (2, 3, 4)), return_exceptions=True)

    first, bad, last = asyncio.run(all_at_once())
    assert (first, last, str(bad)) == (4, 8, "odd: [3]")


def test_what_is_wrong_for_all_is_tried_once() -> None:
    """Such as weights that do not load, which may take minutes each time."""
    tries: list[int] = []

    def broken(items: Sequence[int], group: Any) -> list[int]:
        tries.append(len(items))
        raise UserError("the weights do not load")

    async def all_at_once() -> list[Any]:
        batcher = Batcher(broken, limit=8)
        return await asyncio.gather(*(batcher.submit(number) for number in range(4)), return_exceptions=True)

    assert [str(each) for each in asyncio.run(all_at_once())] == ["the weights do not load"] * 4
    assert tries == [4]


def test_an_iteration_that_stops_inside_a_batch_does_not_hang_its_caller() -> None:
    """A future refuses StopIteration, so the caller must get something else."""

    def empty_handed(items: Sequence[int], group: Any) -> list[int]:
        return [next(iter(())) for _ in items]

    with pytest.raises(RuntimeError, match="StopIteration"):
        asyncio.run(asyncio.wait_for(Batcher(empty_handed, limit=4).submit(1), 5))


def test_a_call_that_was_cancelled_is_not_made_and_disturbs_no_one() -> None:
    doubles = Doubles()

    async def leave() -> int:
        batcher = Batcher(doubles, limit=8)
        gone, stays = asyncio.create_task(batcher.submit(2)), asyncio.create_task(batcher.submit(4))
        await asyncio.sleep(0)
        gone.cancel()
        return await stays

    assert asyncio.run(leave()) == 8
    assert doubles.batches == [[4]]


class Countdown:
    """Work is a list with a number that each step lowers; what is at 0 has finished. So much is live as has a place."""

    def __init__(self, places: int = 99) -> None:
        self.places = places
        self.waiting: deque[Any] = deque()
        self.live: list[Any] = []
        self.threads: set[int] = set()
        self.most = 0

    @property
    def busy(self) -> bool:
        return bool(self.waiting or self.live)

    def advance(self, steps: int) -> list[Any]:
        self.threads.add(threading.get_ident())
        while self.waiting and len(self.live) < self.places:
            self.live.append(self.waiting.popleft())
        self.most = max(self.most, steps)
        for _ in range(steps):
            for work in self.live:
                work.left -= 1
                if work.left == -99:
                    raise ValueError("broken")
            if ended := [work for work in self.live if work.left <= 0]:
                self.live = [work for work in self.live if work.left > 0]
                return ended
        return []


class Work:
    """A number of steps to go."""

    def __init__(self, left: int) -> None:
        self.left = left


async def finished(pump: Pump[Any], *lengths: int, steps: int | None = None) -> list[Any]:
    works, queue = [Work(length) for length in lengths], asyncio.Queue[Any]()
    pump.submit(works, queue.put_nowait, steps)
    return [await queue.get() for _ in works]


def test_work_joins_while_other_work_is_under_way() -> None:
    loop = Countdown()

    async def both() -> list[list[Work]]:
        pump = Pump(loop, 4)
        long = asyncio.create_task(finished(pump, 400, 200))
        await pump.moved.wait()
        short = await finished(pump, 3)
        assert not long.done()
        return [await long, short]

    long, short = asyncio.run(both())
    assert (len(long), len(short)) == (2, 1)
    assert threading.get_ident() not in loop.threads


def test_the_one_who_wants_the_fewest_steps_at_once_sets_them() -> None:
    loop = Countdown()

    async def both() -> None:
        pump = Pump(loop, 50)
        await asyncio.gather(finished(pump, 100), finished(pump, 100, steps=2))

    asyncio.run(both())
    assert loop.most == 2


def test_what_breaks_the_loop_reaches_every_caller(caplog: pytest.LogCaptureFixture) -> None:
    """And no task is left behind with an exception that nobody fetched."""

    async def both() -> list[Any]:
        pump = Pump(Countdown(), 4)
        return [*await finished(pump, 5), *await asyncio.gather(finished(pump, -98, 3), finished(pump, 7))]

    first, *others = asyncio.run(both())
    assert isinstance(first, Work)
    found = [each for other in others for each in other]
    assert [str(each) for each in found] == ["broken"] * 3
    assert "never retrieved" not in caplog.text


def test_what_is_forgotten_is_not_delivered() -> None:
    async def leave() -> list[Any]:
        pump, delivered = Pump(Countdown(), 4), []
        gone = [Work(2)]
        pump.submit(gone, delivered.append)
        pump.forget(gone)
        await finished(pump, 10)
        return delivered

    assert asyncio.run(leave()) == []


def test_no_further_batch_begins_once_the_budget_is_spent() -> None:
    """What the first batch wrote is counted before the next one would begin."""
    doubles, budget = Doubles(), RunBudget(max_tokens=2)

    async def submit(batcher: Batcher[int, int], number: int) -> int:
        found = await batcher.submit(number)
        budget.count(Usage(generated_tokens=1))
        return found

    async def all_at_once() -> list[Any]:
        batcher = Batcher(doubles, limit=2)
        with budget.apply():
            return await asyncio.gather(
                *(submit(batcher, number) for number in range(0, 12, 2)), return_exceptions=True
            )

    first, second, *others = asyncio.run(all_at_once())
    assert (first, second) == (0, 4)
    assert all(isinstance(each, RunStopped) for each in others)
    assert doubles.batches == [[0, 2]]


def test_work_that_has_no_place_when_the_budget_is_spent_gets_none() -> None:
    """Whoever has work in the batch still gets that, and then hears why there is no more."""
    loop, budget = Countdown(places=1), RunBudget()

    async def ask() -> list[Any]:
        pump, queue = Pump(loop, 1), asyncio.Queue[Any]()
        first, second = Work(400), Work(1)
        with budget.apply():
            pump.submit([first, second], queue.put_nowait)
        while first not in loop.live:
            await pump.moved.wait()
        budget.stop("the budget is spent")
        delivered = [await queue.get(), await queue.get()]
        return [delivered[0] is first, delivered[1]]

    was_first, stop = asyncio.run(ask())
    assert was_first
    assert isinstance(stop, RunStopped)
