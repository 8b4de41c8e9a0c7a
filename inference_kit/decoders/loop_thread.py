"""LoopThread: an event loop on a thread of its own, for callers that cannot await.

Why: the same call must work in a script, in a notebook whose own loop is running, and from several threads at once,
whose questions should share the engine's batches.
Promises: the thread starts at the first call; what is asked again finds connections and weights as they were left; an
interrupted call is cancelled.
"""

import asyncio
import threading
from collections.abc import Coroutine
from functools import cache
from typing import Any, TypeVar

Result = TypeVar("Result")


class LoopThread:
    """Runs coroutines to their end for synchronous callers; a `shared` one does not end with one of them."""

    def __init__(self, *, shared: bool = False) -> None:
        self._lock = threading.Lock()
        self._shared = shared
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: threading.Thread | None = None

    def run(self, coroutine: Coroutine[Any, Any, Result]) -> Result:
        """Run a coroutine and return what it does; call it from any thread but its own."""
        future = asyncio.run_coroutine_threadsafe(coroutine, self._start())
        try:
            return future.result()
        except BaseException:
            future.cancel()
            raise

    def close(self, last: Coroutine[Any, Any, None]) -> None:
        """Run `last` where the loop was ever started, and end it; another call starts a new one."""
        with self._lock:
            loop, thread = self._loop, self._thread
            if not self._shared:
                self._loop = self._thread = None
        if loop is None or thread is None or thread is threading.current_thread():
            last.close()
            if loop is not None and not self._shared:  # a decoder was forgotten, and collected on its own thread
                loop.call_soon(loop.stop)
            return
        try:
            asyncio.run_coroutine_threadsafe(last, loop).result()
        finally:
            if not self._shared:
                loop.call_soon_threadsafe(loop.stop)
                thread.join()
                loop.close()

    def _start(self) -> asyncio.AbstractEventLoop:
        with self._lock:
            if self._loop is None:
                self._loop = asyncio.new_event_loop()
                self._thread = threading.Thread(target=self._loop.run_forever, name="decoder", daemon=True)
                self._thread.start()
            return self._loop


@cache
def share_loop_thread() -> LoopThread:
    """Return the one loop of all decoders that were given an engine or a reward model as an object.

    An exception to the rule that nothing is kept in a module: batches and connections of such an object belong to one
    loop, and two decoders that share it know nothing of each other.
    """
    return LoopThread(shared=True)
