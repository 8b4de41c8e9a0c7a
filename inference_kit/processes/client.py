"""A client of a child that answers many requests at a time: each caller gets the answers to its own.

Why: callers live in event loops, and a pipe is read by a thread.
Promises: callers of any event loop may ask; a caller that leaves takes its request back; when the child ends, every
caller gets what had been answered by then, and then hears why.
"""

import asyncio
import contextlib
import threading
from collections.abc import AsyncGenerator
from concurrent.futures import Future
from itertools import count
from typing import Any

from inference_kit.processes.child import ChildLost, ChildProcess
from inference_kit.processes.messages import Answer, Ask, Cancel, Close, Finished, NotReady, Raised, Ready


class ChildClosed(ChildLost):
    """A child was ended by its owner."""

    def __init__(self) -> None:
        super().__init__("closed", 0)


class NotLoaded(Exception):
    """A child could not load; `cause` is the record in which it says why."""

    def __init__(self, cause: Any) -> None:
        super().__init__(str(cause))
        self.cause = cause


class Client:
    """Asks a child that runs `serve`. Once it is made, nobody else receives from the child."""

    def __init__(self, child: ChildProcess) -> None:
        self.has_answered = False
        self._child, self._ready = child, Future[Any]()
        self._asked: dict[int, tuple[asyncio.AbstractEventLoop, asyncio.Queue[Any]]] = {}
        self._numbers, self._lock = count(), threading.Lock()
        self._loss: ChildLost | NotLoaded | None = None
        threading.Thread(target=self._listen, daemon=True).start()

    @property
    def is_ready(self) -> bool:
        """Whether the child has loaded."""
        return self._ready.done() and not self._ready.cancelled() and self._ready.exception() is None

    async def wait_until_ready(self) -> Any:
        """Wait until the child has loaded, and return what it says of itself.

        Raises:
            NotLoaded: where it cannot load.
            ChildLost: where it has ended.
        """
        if self._ready.done():
            return self._ready.result()
        return await asyncio.shield(asyncio.wrap_future(self._ready))

    async def ask(self, request: Any) -> AsyncGenerator[Any]:
        """Send a request and yield its answers as they come; raise what the child raised.

        Raises:
            NotLoaded, ChildLost: where the child has ended.
        """
        number, messages = next(self._numbers), asyncio.Queue[Any]()
        with self._lock:
            if self._loss:
                raise self._loss
            self._asked[number] = asyncio.get_running_loop(), messages
        finished = False
        try:
            self._child.send(Ask(number, request))
            while not isinstance(message := await messages.get(), Finished):
                finished = isinstance(message, Exception)
                yield _read_answer(message)
            finished = True
        finally:
            del self._asked[number]
            if not finished:
                self._child.send(Cancel(number))

    async def close(self, seconds: float) -> None:
        """End the child; `seconds` are given to it to end by itself, none at all if 0."""
        with self._lock:
            self._loss = self._loss or ChildClosed()
        if seconds:
            self._child.send(Close())
        await asyncio.to_thread(self._child.end, seconds)

    def _listen(self) -> None:
        try:
            while True:
                self._take(self._child.receive())
        except ChildLost as error:
            loss = error
        except Exception as error:  # noqa: BLE001 - handed to the callers, who would wait for ever
            loss = ChildLost(f"{type(error).__name__}: {error}", 0)
        self._child.close()
        with self._lock:
            self._loss = self._loss or loss
            waiting = list(self._asked)
        if not self._ready.done():
            self._ready.set_exception(self._loss)
        for number in waiting:
            self._deliver(number, self._loss)

    def _take(self, message: Any) -> None:
        match message:
            case Answer(number) | Finished(number):
                self.has_answered = True
                self._deliver(number, message)
            case Ready(about):
                self._ready.set_result(about)
            case NotReady(cause):
                self._loss = NotLoaded(cause)
                self._ready.set_exception(self._loss)

    def _deliver(self, number: int, message: Any) -> None:
        if number in self._asked:
            loop, messages = self._asked[number]
            with contextlib.suppress(RuntimeError):  # the loop of a caller that went away is closed
                loop.call_soon_threadsafe(messages.put_nowait, message)


def _read_answer(message: Any) -> Any:
    """Return the answer in a message; raise where there is an error in its place."""
    if isinstance(message, Exception):
        raise message
    if isinstance(message.answer, Raised):
        raise message.answer.error
    return message.answer
