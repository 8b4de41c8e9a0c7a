"""Pace: how many requests a server gets at once; fewer as soon as it says that it has too many.

Why: nobody knows a server's limit but the server, and it changes while the run goes on.
Promises: additive increase, multiplicative decrease; one burst of refusals halves the limit once; who waits longest
goes first.
"""

import asyncio
from collections import deque


class Pace:
    """Lets up to `ceiling` requests through at once."""

    def __init__(self, ceiling: int) -> None:
        self._ceiling = ceiling
        self._limit = float(ceiling)
        self._in_flight = 0
        self._waiting: deque[asyncio.Future[None]] = deque()
        self._halvings = 0

    @property
    def limit(self) -> int:
        """Requests that may be under way now."""
        return int(self._limit)

    async def enter(self) -> int:
        """Wait for a place; returns what `slower` wants to know of this request."""
        if self._in_flight < self.limit and not self._waiting:
            self._in_flight += 1
            return self._halvings
        place = asyncio.get_running_loop().create_future()
        self._waiting.append(place)
        try:
            await place
        except asyncio.CancelledError:
            if place.done() and not place.cancelled():
                self.leave()
            raise
        return self._halvings

    def leave(self) -> None:
        """Give the place back."""
        self._in_flight -= 1
        while self._waiting and self._in_flight < self.limit:
            place = self._waiting.popleft()
            if not place.done():
                self._in_flight += 1
                place.set_result(None)

    def faster(self) -> None:
        """Note that the server answered."""
        self._limit = min(self._ceiling, self._limit + 1)

    def slower(self, entered: int) -> None:
        """Note that the server refused a request; those that entered before the last halving do not count again."""
        if entered == self._halvings:
            self._limit = max(1.0, self._limit / 2)
            self._halvings += 1
