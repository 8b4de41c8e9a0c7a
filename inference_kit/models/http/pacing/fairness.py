"""FairQueue: coroutines whose answers came at the same moment go on a few at a time.

Why: the event loop lets everybody whose answer is there go on before anybody's next request leaves. Hundreds that were
answered together then ask again together, and the server's latency and this program's work follow each other instead
of overlapping.
Promises: first in, first out; with few at a time nobody waits.
"""

import asyncio
from collections import deque

AT_ONCE = 8
"""How many go on in one round of the event loop."""


class FairQueue:
    """A queue of one event loop."""

    def __init__(self) -> None:
        self._n_served = 0
        self._waiting: deque[asyncio.Future[None]] = deque()

    async def wait_turn(self) -> None:
        """Wait until one may go on: at once for the first few of a round of the event loop, else in a later round."""
        loop = asyncio.get_running_loop()
        if not self._n_served:
            loop.call_soon(self._begin_round)
        if self._n_served < AT_ONCE and not self._waiting:
            self._n_served += 1
            return
        turn = loop.create_future()
        self._waiting.append(turn)
        await turn

    def _begin_round(self) -> None:
        """Let the next few go on; another round follows as long as one of them did."""
        self._n_served = 0
        while self._waiting and self._n_served < AT_ONCE:
            turn = self._waiting.popleft()
            if not turn.done():
                turn.set_result(None)
                self._n_served += 1
        if self._n_served:
            asyncio.get_running_loop().call_soon(self._begin_round)
