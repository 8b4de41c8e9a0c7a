"""A child that answers many requests at a time, from loading what answers to the end of everything it has started.

Why: nothing may outlive a run, and nobody waits for threads that load or compute; what holds devices and shared memory
is still given a moment to give them back.
Promises: one request that fails leaves the others alone; a request that is taken back is cancelled; the process ends
when its owner says so or is gone, at once while it loads, and within `ENDING_SECONDS` afterwards.
"""

import asyncio
import threading
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import aclosing
from typing import Any, NoReturn, Protocol

from inference_kit.processes.messages import Answer, Ask, Cancel, Finished, NotReady, Ready, wrap_error
from inference_kit.processes.owner import Owner, end_group

ENDING_SECONDS = 10.0


class Service(Protocol):
    """What answers the requests of an owner."""

    about: Any
    """What the owner is told when it has loaded."""

    def answer(self, request: Any) -> AsyncGenerator[Any]:
        """Yield the answers to a request as they come."""

    async def close(self) -> None:
        """Give back what it holds."""


class LoadFailure(Exception):
    """Raised by what loads a service; `cause` is a record that tells the owner why."""

    def __init__(self, cause: Any) -> None:
        super().__init__(str(cause))
        self.cause = cause


def serve(owner: Owner, load: Callable[[], Awaitable[Service]]) -> NoReturn:
    """Load a service, answer until the owner says so or is gone, and end this process and all that it has started."""
    asyncio.run(_Server(owner).run(load))
    raise AssertionError("a server does not outlive its group")


class _Server:
    """The requests under way."""

    def __init__(self, owner: Owner) -> None:
        self._owner = owner
        self._inbox: asyncio.Queue[Ask | Cancel | None] = asyncio.Queue()
        self._under_way: dict[int, asyncio.Task[None]] = {}
        self._serves = False

    async def run(self, load: Callable[[], Awaitable[Service]]) -> None:
        threading.Thread(target=self._listen, args=(asyncio.get_running_loop(),), daemon=True).start()
        try:
            service = await load()
        except LoadFailure as failure:
            self._owner.send(NotReady(failure.cause))
            end_group()
        except Exception as error:  # noqa: BLE001 - handed to the owner
            self._owner.send(NotReady(wrap_error(error)))
            end_group()
        self._serves = True
        self._owner.send(Ready(service.about))
        while (message := await self._inbox.get()) is not None:
            self._take(service, message)
        await service.close()
        end_group()

    def _listen(self, loop: asyncio.AbstractEventLoop) -> None:
        """Hand messages to the event loop until the owner says so or is gone; then see to it that this process ends."""
        try:
            while isinstance(message := self._owner.receive(), Ask | Cancel):
                loop.call_soon_threadsafe(self._inbox.put_nowait, message)
        finally:  # also where a message cannot be read
            if not self._serves:
                end_group()
            threading.Timer(ENDING_SECONDS, end_group).start()
            loop.call_soon_threadsafe(self._inbox.put_nowait, None)

    def _take(self, service: Service, message: Ask | Cancel) -> None:
        if isinstance(message, Cancel):
            if task := self._under_way.get(message.number):
                task.cancel()
            return
        task = asyncio.create_task(self._answer(service, message))
        self._under_way[message.number] = task
        task.add_done_callback(lambda _: self._under_way.pop(message.number))

    async def _answer(self, service: Service, ask: Ask) -> None:
        try:
            async with aclosing(service.answer(ask.request)) as answers:
                async for answer in answers:
                    self._owner.send(Answer(ask.number, answer))
        except Exception as error:  # noqa: BLE001 - handed to the owner
            self._owner.send(Answer(ask.number, wrap_error(error)))
        self._owner.send(Finished(ask.number))
