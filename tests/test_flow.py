"""The loops that keep many things in flight."""

import asyncio
from collections.abc import AsyncGenerator, Iterator
from contextlib import aclosing
from typing import Any

import pytest

from inference_kit.errors import RunStopped
from inference_kit.flow import all_of, as_finished, for_each, merge


def test_no_more_than_the_limit_is_in_flight_and_the_stream_is_read_no_further_ahead() -> None:
    read, begun, done, most = 0, 0, 0, 0

    def numbers() -> Iterator[int]:
        nonlocal read
        for number in range(1, 101):
            read = number
            yield number

    async def work(item: int) -> None:
        nonlocal begun, done, most
        begun += 1
        most = max(most, begun - done)
        assert read <= done + 7
        await asyncio.sleep(0.001 * (item % 3))
        done += 1

    asyncio.run(for_each(numbers(), work, limit=7))
    assert (begun, done, most) == (100, 100, 7)


def test_whoever_was_answered_first_asks_again_before_the_next_one_is_looked_at() -> None:
    told: list[str] = []

    async def work(item: int) -> None:
        told.append(f"ask {item}")
        await asyncio.sleep(0)
        told.append(f"answer {item}")

    asyncio.run(for_each(range(4), work, limit=2))
    assert told[2:6] == ["answer 0", "ask 2", "answer 1", "ask 3"]


def test_a_failure_cancels_the_rest_and_is_raised_when_that_has_ended() -> None:
    ended: list[int] = []

    async def work(item: int) -> None:
        if item == 1:
            raise ValueError("the second one")
        try:
            await asyncio.sleep(60)
        finally:
            ended.append(item)

    with pytest.raises(ValueError, match="the second one"):
        asyncio.run(for_each(range(9), work, limit=3))
    assert sorted(ended) == [0, 2]


def test_what_finished_beside_a_failure_is_yielded_before_it_and_no_failure_is_lost() -> None:
    complaints: list[dict[str, Any]] = []

    async def work(item: int) -> int:
        await asyncio.sleep(0)
        if item % 2:
            raise ValueError(item)
        return item

    async def all_of_them() -> list[int]:
        asyncio.get_running_loop().set_exception_handler(lambda _, context: complaints.append(context))
        found: list[int] = []
        with pytest.raises(ValueError, match=r"1|3|5"):
            async for item in as_finished([work(item) for item in range(6)]):
                found.append(item)
        return found

    assert sorted(asyncio.run(all_of_them())) == [0, 2, 4]
    assert not complaints


def counter(name: str, n: int, waits: int, closed: list[str]) -> AsyncGenerator[str, None]:
    async def count() -> AsyncGenerator[str, None]:
        try:
            for number in range(n):
                for _ in range(waits):
                    await asyncio.sleep(0)
                yield f"{name}{number}"
        finally:
            closed.append(name)

    return count()


def test_merged_sources_are_read_together_and_each_in_its_order() -> None:
    async def read() -> list[str]:
        return [item async for item in merge([counter("a", 2, 9, []), counter("b", 3, 1, [])])]

    items = asyncio.run(read())
    assert items == ["b0", "b1", "b2", "a0", "a1"]


@pytest.mark.parametrize("n_sources", [1, 3])
def test_closing_what_is_merged_closes_its_sources(n_sources: int) -> None:
    async def read_one() -> list[str]:
        closed: list[str] = []
        async with aclosing(merge([counter(str(n), 100, 1, closed) for n in range(n_sources)])) as items:
            await anext(items)
        return closed

    assert sorted(asyncio.run(read_one())) == [str(n) for n in range(n_sources)]


def test_a_source_that_fails_ends_the_others() -> None:
    async def failing() -> AsyncGenerator[str, None]:
        yield "first"
        raise ZeroDivisionError

    async def read() -> list[str]:
        closed: list[str] = []
        with pytest.raises(ZeroDivisionError):
            async for _ in merge([failing(), counter("a", 100, 1, closed)]):
                pass
        return closed

    assert asyncio.run(read()) == ["a"]


def test_the_end_of_the_budget_is_raised_when_what_was_sent_beside_it_is_answered() -> None:
    answered: list[int] = []

    async def work(item: int) -> int:
        if item % 2:
            raise RunStopped("the budget is spent")
        await asyncio.sleep(0.01)
        answered.append(item)
        return item

    async def source(item: int) -> AsyncGenerator[int, None]:
        yield await work(item)

    async def read_merged() -> None:
        async for _ in merge([source(item) for item in range(4)]):
            pass

    async def read_finished() -> None:
        async for _ in as_finished([work(item) for item in range(4)]):
            pass

    for together in (lambda: all_of([work(item) for item in range(4)]), read_merged, read_finished):
        answered.clear()
        with pytest.raises(RunStopped, match="the budget is spent"):
            asyncio.run(together())
        assert answered == [0, 2]
