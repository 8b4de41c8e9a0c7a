"""Do one thing to each item of a stream, many at a time, in bounded memory.

Why: the runner and the transformer both keep K items in flight over an endless stream; this is the one loop that does
it.
Promises: at most `limit` items are in flight, and the stream is read no further ahead; whoever is done with one item
begins the next at once, not when everybody who was answered at the same time is done as well. A failure cancels what is
in flight beside it, but the end of the run's budget (`RunStopped`) does not: what was sent is paid for.
"""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Coroutine, Iterable, Sequence
from contextlib import aclosing
from itertools import chain, islice
from typing import Any, TypeVar, cast

from inference_kit.errors import RunStopped

Item = TypeVar("Item")
Result = TypeVar("Result")


async def for_each(items: Iterable[Item], worker: Callable[[Item], Awaitable[None]], limit: int) -> None:
    """Await `worker(item)` of every item, `limit` of them in flight.

    An exception of a worker, or of the stream, cancels what is in flight and is raised when that has ended.
    """
    source = iter(items)

    async def lane(first: Item) -> None:
        for item in chain([first], source):
            await worker(item)

    beginning = list(islice(source, limit))
    await all_of([lane(item) for item in beginning])


async def as_finished(jobs: Sequence[Coroutine[Any, Any, Result]]) -> AsyncGenerator[Result, None]:
    """Await `jobs` together and yield their results as they come.

    Closing the iterator, or an exception of a job, cancels the rest and waits for it to end. What finished at the same
    time as a failure is yielded before it, and what is in flight when the run's budget is spent before that is raised.
    """
    in_flight = {asyncio.create_task(job) for job in jobs}
    done: set[asyncio.Task[Result]] = set()
    stopped: BaseException | None = None
    try:
        while in_flight:
            done, in_flight = await asyncio.wait(in_flight, return_when=asyncio.FIRST_COMPLETED)
            for task in sorted(done, key=lambda task: task.exception() is not None):
                if isinstance(error := task.exception(), RunStopped):
                    stopped = error
                else:
                    yield task.result()
        if stopped:
            raise stopped
    finally:
        for task in in_flight:
            task.cancel()
        await asyncio.gather(*in_flight, *done, return_exceptions=True)


async def merge(sources: Sequence[AsyncGenerator[Item, None]]) -> AsyncGenerator[Item, None]:
    """Read `sources` together and yield their items as they come.

    Closing the iterator, or an exception of a source, closes the others and waits for them to end.
    """
    if len(sources) == 1:  # a task and a queue would cost more than many a source
        async with aclosing(sources[0]) as only:
            async for item in only:
                yield item
        return

    async def read(source: AsyncGenerator[Item, None], report: Callable[[Item], None]) -> None:
        async with aclosing(source):
            async for item in source:
                report(item)

    async def read_all(report: Callable[[Item], None]) -> None:
        await all_of([read(source, report) for source in sources])

    async with aclosing(as_reported(read_all)) as items:
        async for item in items:
            yield item


async def as_reported(
    work: Callable[[Callable[[Item], None]], Coroutine[Any, Any, None]],
) -> AsyncGenerator[Item, None]:
    """Run `work(report)` and yield what it reports, as it comes.

    Closing the iterator cancels the work and waits for it to end; an exception of the work is raised behind what it
    reported before.
    """
    reported: asyncio.Queue[tuple[Item] | None] = asyncio.Queue()
    task = asyncio.create_task(work(lambda item: reported.put_nowait((item,))))
    task.add_done_callback(lambda _: reported.put_nowait(None))
    try:
        while (item := await reported.get()) is not None:
            yield item[0]
        task.result()
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def all_of(jobs: Sequence[Coroutine[Any, Any, Result]]) -> list[Result]:
    """Await `jobs` together and return their results in order; the first failure cancels the rest and is raised.

    Where the run's budget is spent for one of them, that is raised when the others have ended.
    """
    if len(jobs) == 1:
        return [await jobs[0]]
    stops: list[RunStopped] = []

    async def hold_stop(job: Coroutine[Any, Any, Result]) -> Result | None:
        try:
            return await job
        except RunStopped as stop:
            stops.append(stop)
            return None

    try:
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(hold_stop(job)) for job in jobs]
    except BaseExceptionGroup as failures:
        raise failures.exceptions[0] from failures
    if stops:
        raise stops[0]
    return [cast("Result", task.result()) for task in tasks]
