"""Do one thing to each item of a stream, many at a time, in bounded memory.

Why: the runner and the transformer both keep K items in flight over an endless stream; this is the one loop that does
it.
Promises: at most `limit` items are in flight, the stream is read no further ahead, and results come as they finish.
"""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Coroutine, Iterable, Sequence
from typing import Any, TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")


async def unordered_map(
    items: Iterable[Item], worker: Callable[[Item], Awaitable[Result]], limit: int
) -> AsyncGenerator[Result, None]:
    """Yield `worker(item)` of every item as it finishes, `limit` of them in flight.

    Closing the iterator, or an exception of a worker, cancels what is in flight and waits for it to end. What finished
    at the same time as a failure is yielded before it.
    """
    source = iter(items)
    in_flight: set[asyncio.Task[Result]] = set()

    async def run(item: Item) -> Result:
        return await worker(item)

    def top_up() -> None:
        while len(in_flight) < limit:
            try:
                item = next(source)
            except StopIteration:
                return
            in_flight.add(asyncio.create_task(run(item)))

    done: set[asyncio.Task[Result]] = set()
    try:
        top_up()
        while in_flight:
            done, _ = await asyncio.wait(in_flight, return_when=asyncio.FIRST_COMPLETED)
            in_flight -= done
            top_up()
            for task in sorted(done, key=lambda task: task.exception() is not None):
                yield task.result()
    finally:
        for task in in_flight:
            task.cancel()
        await asyncio.gather(*in_flight, *done, return_exceptions=True)


async def all_of(jobs: Sequence[Coroutine[Any, Any, Result]]) -> list[Result]:
    """Await `jobs` together and return their results in order; the first failure cancels the rest and is raised."""
    if len(jobs) == 1:
        return [await jobs[0]]
    try:
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(job) for job in jobs]
    except BaseExceptionGroup as failures:
        raise failures.exceptions[0] from failures
    return [task.result() for task in tasks]
