"""RateLimit: how many requests a server gets at once; fewer as soon as it says that it has too many.

Why: nobody knows a server's limit but the server, and it changes while the run goes on.
Promises: additive increase, multiplicative decrease (AIMD), as in TCP; one burst of refusals halves the limit once;
first in, first out.
"""

import asyncio
from collections import deque


class RateLimit:
    """Lets up to `ceiling` requests through at once."""

    def __init__(self, ceiling: int) -> None:
        self._ceiling = ceiling
        self._limit = float(ceiling)
        self._in_flight = 0
        self._waiting: deque[asyncio.Future[None]] = deque()
        self._n_decreases = 0

    @property
    def limit(self) -> int:
        """Requests that may be under way now."""
        return int(self._limit)

    async def acquire(self) -> int:
        """Wait until a request may start; return the ticket that `decrease` wants, should it be refused."""
        if self._in_flight < self.limit and not self._waiting:
            self._in_flight += 1
            return self._n_decreases
        turn = asyncio.get_running_loop().create_future()
        self._waiting.append(turn)
        try:
            await turn
        except asyncio.CancelledError:
            if turn.done() and not turn.cancelled():  # its turn had come when it was cancelled: the next one's now
                self.release()
            raise
        return self._n_decreases

    def release(self) -> None:
        """Note that a request is over."""
        self._in_flight -= 1
        while self._waiting and self._in_flight < self.limit:
            turn = self._waiting.popleft()
            if not turn.done():
                self._in_flight += 1
                turn.set_result(None)

    def increase(self) -> None:
        """Raise the limit by one, because the server answered."""
        self._limit = min(self._ceiling, self._limit + 1)

    def decrease(self, ticket: int) -> None:
        """Halve the limit, because the server refused a request; not for those that started before the last halving."""
        if ticket == self._n_decreases:
            self._limit = max(1.0, self._limit / 2)
            self._n_decreases += 1
