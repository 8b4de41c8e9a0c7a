"""What reward models behind an HTTP server have in common: items are gathered, posted together, and handed back.

Why: many solutions are to be scored at the same time, and one request for all of them costs a fraction of one for each.
Promises: what waits at the same moment goes out together, up to `max_batch_size`; no request waits for another while
there are fewer than `server_concurrency`; an item that cannot be scored fails alone.
"""

import asyncio
import math
from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from functools import cached_property
from typing import Any

from loguru import logger

from inference_kit.errors import EngineError, UserError
from inference_kit.models.http.kinds import AT_THE_DOOR, ask_and_close
from inference_kit.models.http.session import HttpSession, Refused, ServerSettings, Unreachable, run_apart
from inference_kit.models.http.untrusted_json import Malformed, short
from inference_kit.records import StepScores
from inference_kit.reward_models.base import RewardModel, ScoreItem

Outcome = StepScores | UserError
Waiting = tuple[ScoreItem, "asyncio.Future[StepScores]"]


class RemoteRewardModel(RewardModel, ABC):
    """A reward model that a server runs."""

    def __init__(
        self,
        base_url: str,
        *,
        separator: str,
        api_key_env: str,
        max_batch_size: int,
        server: ServerSettings,
    ) -> None:
        if max_batch_size < 1:
            raise UserError(f"max_batch_size must be at least 1, got {max_batch_size}", where="--reward-max-batch-size")
        self.separator, self.max_batch_size = separator, max_batch_size
        self._session = HttpSession(base_url, key_env=api_key_env, server=server, flag="--reward-model-path")
        self._server_concurrency = server.server_concurrency

    @abstractmethod
    async def ask(self, items: Sequence[ScoreItem]) -> Sequence[Outcome]:
        """Score `items` in one request, or raise what went wrong with all of them."""

    def check(self) -> None:
        """Something answers at the address."""
        run_apart(self._knock())

    async def _knock(self) -> None:
        session = HttpSession(
            self._session.base_url, key_env=self._session.key_env, server=AT_THE_DOOR, flag=self._session.flag
        )
        try:
            await ask_and_close(session, "/models", lambda _: None)
        except Unreachable:
            raise
        except EngineError as error:
            logger.debug("{} lists no models, which is none of its duties", error.where)

    async def close(self) -> None:
        """Close the connections."""
        await super().close()
        await self._session.close()

    @cached_property
    def _batcher(self) -> "_Post":  # type: ignore[override]
        return _Post(self._outcomes, self.max_batch_size, self._server_concurrency)

    async def _outcomes(self, items: Sequence[ScoreItem]) -> Sequence[Outcome]:
        try:
            return await self.ask(items)
        except Refused as refusal:
            if len(items) == 1:
                return [refusal]
            return [outcome for item in items for outcome in await self._outcomes([item])]
        except UserError as error:
            return [error] * len(items)


class _Post:
    """Gathers items and hands them to `deliver`, up to `limit` at once and in up to `ways` deliveries at a time."""

    def __init__(
        self, deliver: Callable[[Sequence[ScoreItem]], Awaitable[Sequence[Outcome]]], limit: int, ways: int
    ) -> None:
        self._deliver, self._limit, self._ways = deliver, limit, ways
        self._waiting: deque[Waiting] = deque()
        self._carriers: set[asyncio.Task[None]] = set()
        self._setting_out = False

    async def submit(self, item: ScoreItem) -> StepScores:
        """The scores of `item`."""
        future: asyncio.Future[StepScores] = asyncio.get_running_loop().create_future()
        self._waiting.append((item, future))
        if not self._setting_out and len(self._carriers) < self._ways:
            self._setting_out = True
            carrier = asyncio.create_task(self._carry())
            self._carriers.add(carrier)
            carrier.add_done_callback(self._carriers.discard)
        return await future

    async def _carry(self) -> None:
        await asyncio.sleep(0)  # lets every caller that is ready now join
        self._setting_out = False
        while self._waiting:
            batch = [self._waiting.popleft() for _ in range(min(self._limit, len(self._waiting)))]
            batch = [(item, future) for item, future in batch if not future.done()]
            outcomes = await self._deliver([item for item, _ in batch]) if batch else ()
            for (_, future), outcome in zip(batch, outcomes, strict=True):
                if future.done():
                    continue
                if isinstance(outcome, UserError):
                    future.set_exception(outcome)
                else:
                    future.set_result(outcome)


def scores_or_error(given: Any, n_steps: int, *, where: str) -> Outcome:
    """Check what a server gave for one item: a score in [0, 1] for each step, or one for the whole."""
    if not isinstance(given, list) or not all(map(_is_score, given)):
        return EngineError(
            f"the reward model gave {short(repr(given), 80)}", where=where, fix="It must give numbers in [0, 1]."
        )
    if len(given) not in (1, n_steps):
        return EngineError(
            f"the reward model gave {len(given)} scores for {n_steps} steps",
            where=where,
            fix="It must give one for each step, or one for the whole.",
        )
    return StepScores(tuple(map(float, given)))


def list_of(data: Any, name: str, n_items: int) -> list[Any]:
    """The list `name` of an answer, which has an entry for each item.

    Raises:
        Malformed: where there is none.
        EngineError: where it is of another length.
    """
    found = data.get(name) if isinstance(data, dict) else None
    if not isinstance(found, list):
        raise Malformed(f"it has no list {name!r}: {short(repr(data), 80)}")
    if len(found) != n_items:
        raise EngineError(f"the reward model answered {len(found)} items of {n_items}")
    return found


def _is_score(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value) and 0 <= value <= 1
