"""Retries: when a request that did not succeed is made again, and when it is given up.

Why: servers throttle, stumble and hang up. A run must neither lose an answer nor ask for ever, and retries in two
layers multiply, so they are here alone.
Promises: exponential back-off with jitter; nothing is asked earlier than Retry-After allows, nor more often than
`max_retries` beyond the first time. A throttled request is no failure; how long the server may put it off has a limit
of its own.
"""

import random
import time
from typing import Protocol

LONGEST_WAIT_SECONDS = 8.0
LONGEST_THROTTLE_SECONDS = 300.0
"""How long the server may put one request off, in sum."""
TIMEOUT_WEIGHT = 4
"""A request that timed out has cost minutes, so it counts as so many failures."""


class Failure(Exception):
    """Why a request did not succeed this time.

    `weight` is how many failures it counts as; `throttled` says that the server has too much to do, and `wait_seconds`
    how long it wants to be left alone.
    """

    def __init__(self, cause: str, *, weight: int = 1, throttled: bool = False, wait_seconds: float = 0.0) -> None:
        super().__init__(cause)
        self.weight, self.throttled, self.wait_seconds = weight, throttled, wait_seconds


class NoConnection(Failure):
    """There is no connection to the server."""


class Limits(Protocol):
    """The settings that retries go by."""

    @property
    def max_retries(self) -> int:
        """Failures that are followed by another try."""

    @property
    def retry_seconds(self) -> float:
        """The first wait."""


class Retries:
    """The tries of one request."""

    def __init__(self, limits: Limits, jitter: random.Random) -> None:
        self._limits, self._jitter = limits, jitter
        self._n_tries = self._n_failures = 0
        self._throttled_seconds = 0.0
        self._began = time.monotonic()

    def next_wait(self, failure: Failure) -> float | None:
        """Count a failed try, and return the seconds to wait before the next one; None where there should be none."""
        self._n_tries += 1
        wait = self._back_off(failure)
        if failure.throttled:
            self._throttled_seconds += wait
        else:
            self._n_failures += failure.weight
        spent = self._n_failures > self._limits.max_retries or self._throttled_seconds > LONGEST_THROTTLE_SECONDS
        return None if spent else wait

    def __str__(self) -> str:
        if self._n_tries < 2:
            return "tried once"
        return f"tried {self._n_tries} times in {time.monotonic() - self._began:.1f} s"

    def _back_off(self, failure: Failure) -> float:
        """Double the wait with each try, with jitter so that requests that failed together do not return together.

        A server that says how long gets that and up to a quarter more.
        """
        wait = min(LONGEST_WAIT_SECONDS, self._limits.retry_seconds * 2.0 ** min(self._n_tries - 1, 16))
        jitter = self._jitter.uniform(0.5, 1.0)
        if failure.wait_seconds:
            return failure.wait_seconds + min(wait, failure.wait_seconds / 4) * jitter
        return wait * jitter
