"""Shutdown: what Ctrl-C and SIGTERM do to a run, and how its process ends while a thread is still at work.

Why: nothing can stop a thread that loads weights or writes a batch; asyncio waits for its threads, and Python does so
once more at its exit.
Promises: a run that is told to end takes everything back that it has started and ends within seconds, whatever its
threads do; what they had not finished is not stored, so the same command does it again.
"""

import asyncio
import contextlib
import os
import signal
import sys
import threading
import time
from collections.abc import Coroutine, Iterator
from concurrent.futures import ThreadPoolExecutor
from types import FrameType
from typing import Any, NoReturn

LAST_SECONDS = 1.0
"""What threads are given to end by themselves."""

_NAME = "blocking-work"


class Terminated(KeyboardInterrupt):
    """SIGTERM came: the process is to end, where Ctrl-C may only stop a reply."""


@contextlib.contextmanager
def sigterm_interrupts() -> Iterator[None]:
    """Raise `Terminated` on SIGTERM in the `with` block; on a thread that gets no signals, do nothing."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGTERM, _terminate)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _terminate(number: int, frame: FrameType | None) -> None:
    raise Terminated


class Threads(ThreadPoolExecutor):
    """Threads for blocking work, for which asyncio does not wait at its end."""

    def __init__(self) -> None:
        super().__init__(thread_name_prefix=_NAME)

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """Start nothing new."""
        super().shutdown(wait=False, cancel_futures=True)


def run_until_told(job: Coroutine[Any, Any, None]) -> None:
    """Run `job` to its end, or until Ctrl-C or SIGTERM cancels it; a second one does not wait for its cleaning up.

    A process that was started with SIGINT ignored, as shells start what goes to the background, is ended by SIGTERM.

    Raises:
        KeyboardInterrupt: where the process was told to end.
    """

    async def run_job() -> None:
        task, loop = asyncio.current_task(), asyncio.get_running_loop()
        assert task
        loop.set_default_executor(Threads())
        loop.add_signal_handler(signal.SIGTERM, task.cancel)
        await job

    before = signal.getsignal(signal.SIGTERM)
    try:
        asyncio.run(run_job())
    except asyncio.CancelledError as error:
        raise KeyboardInterrupt from error
    finally:
        signal.signal(signal.SIGTERM, before)  # the loop has put the system's own in its place


def leave(code: int) -> NoReturn:
    """End this process with `code`; threads that are still at work, and what they have started, end with it."""
    deadline = time.monotonic() + LAST_SECONDS
    threads = [thread for thread in threading.enumerate() if thread.name.startswith(_NAME)]
    for thread in threads:
        thread.join(max(0.0, deadline - time.monotonic()))
    if not any(thread.is_alive() for thread in threads):
        sys.exit(code)
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)
