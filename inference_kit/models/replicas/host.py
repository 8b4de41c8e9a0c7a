"""The process of one copy of an engine: requests come in over a pipe, what the engine answers leaves by the same.

Why: Python does one thing at a time, and a copy that dies must not take the run with it.
Promises: what is logged here is logged by the owner, what is printed is not lost in results; whoever has started this
process may end in any way, and then it and all that it has started end too.

The first message holds the import path and the pickled maker, each further one a request with its number; None in the
place of a request takes it back, and the number `END` ends the process.
"""

import asyncio
import contextlib
import os
import pickle
import signal
import sys
import threading
from multiprocessing.connection import Connection
from typing import TYPE_CHECKING, Any, NoReturn

from loguru import logger

from inference_kit.models.base import Engine
from inference_kit.models.replicas.replica import Request, answers, failure

if TYPE_CHECKING:
    from loguru import Message

WATCH_SECONDS = 1.0
END = DEATH = -1
"""The number of no request: to the host it means the end, from the host the reason why there is none."""
LOG = -2


def main() -> None:
    """Serve until the owner says so, or is no more."""
    pipe: Connection[Any, Any] = Connection(int(sys.argv[1]))
    sys.path[:], packed = pipe.recv()
    asyncio.run(Host(pipe).run(packed))


class Host:
    """The engine and the requests under way."""

    def __init__(self, pipe: "Connection[Any, Any]") -> None:
        self._pipe, self._sending = pipe, threading.Lock()
        self._under_way: dict[int, asyncio.Task[None]] = {}

    async def run(self, packed: bytes) -> None:
        """Make the engine, or say why not, and answer; then end, without waiting for threads at work."""
        logger.remove()
        logger.add(self._log, level="DEBUG", format="{message}")
        inbox: asyncio.Queue[tuple[int, Request | None]] = asyncio.Queue()
        threading.Thread(target=self._listen, args=(asyncio.get_running_loop(), inbox), daemon=True).start()
        try:
            engine: Engine = pickle.loads(packed)()
        except Exception as error:  # noqa: BLE001 - handed to the owner
            self._send(DEATH, failure(error).error)
            _end_group()
        while (message := await inbox.get())[0] != END:
            self._take(engine, *message)
        await engine.close()
        _end_group()

    def _take(self, engine: Engine, number: int, request: Request | None) -> None:
        if request is None:
            if task := self._under_way.get(number):
                task.cancel()
            return
        task = asyncio.create_task(self._answer(engine, number, request))
        self._under_way[number] = task
        task.add_done_callback(lambda _: self._under_way.pop(number))

    async def _answer(self, engine: Engine, number: int, request: Request) -> None:
        async for answer in answers(engine, request):
            self._send(number, answer)
        self._send(number, None)

    def _send(self, number: int, content: Any) -> None:
        with self._sending:
            try:
                self._pipe.send((number, content))
            except OSError:
                _end_group()  # nobody is there to read it

    def _log(self, message: "Message") -> None:
        self._send(LOG, (message.record["level"].name, message.record["message"]))

    def _listen(self, loop: asyncio.AbstractEventLoop, inbox: "asyncio.Queue[tuple[int, Request | None]]") -> None:
        """Hand messages to the event loop; a pipe that some child of the owner holds open does not end with it."""
        owner = os.getppid()
        with contextlib.suppress(EOFError, OSError):
            while os.getppid() == owner:
                if self._pipe.poll(WATCH_SECONDS):
                    loop.call_soon_threadsafe(inbox.put_nowait, self._pipe.recv())
        _end_group()


def _end_group() -> NoReturn:
    """End this process and all that it has started, at once."""
    os.killpg(os.getpgrp(), signal.SIGKILL)
    raise AssertionError("a process does not outlive SIGKILL")


if __name__ == "__main__":
    main()
