"""Turns: those who are answered at the same moment go on a few at a time.

Why: the event loop lets everybody whose answer is there go on before anybody's next request leaves. Hundreds who were
answered together then ask again together, and the server's latency and this program's work follow each other instead
of overlapping.
Promises: first come, first served; with few at a time nobody waits.
"""

import asyncio
from collections import deque

AT_ONCE = 8
"""Who may go on in one round of the event loop."""


class Turns:
    """Belongs to one event loop."""

    def __init__(self) -> None:
        self._taken = 0
        self._waiting: deque[asyncio.Future[None]] = deque()

    async def take(self) -> None:
        """Wait for one's turn."""
        loop = asyncio.get_running_loop()
        if not self._taken:
            loop.call_soon(self._next_round)
        if self._taken < AT_ONCE and not self._waiting:
            self._taken += 1
            return
        turn = loop.create_future()
        self._waiting.append(turn)
        await turn

    def _next_round(self) -> None:
        self._taken = 0
        while self._waiting and self._taken < AT_ONCE:
            turn = self._waiting.popleft()
            if not turn.done():
                turn.set_result(None)
                self._taken += 1
        if self._taken:
            asyncio.get_running_loop().call_soon(self._next_round)
