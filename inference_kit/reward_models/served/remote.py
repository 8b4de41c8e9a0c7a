"""RemoteRewardModel: the base of reward models behind an HTTP server, which score many solutions in one request.

Why: many solutions are to be scored at the same time, and one request for all of them costs a fraction of one for each.
Promises: items that wait at the same moment go out together, up to `max_batch_size`. Up to `server_concurrency`
requests are under way at a time. An item that cannot be scored fails alone.
"""

import asyncio
import math
from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from functools import cached_property
from typing import Any

from loguru import logger

from inference_kit.errors import EngineError, RunStopped, UserError, named
from inference_kit.models.http.blocking import run_blocking
from inference_kit.models.http.kinds import PROBE, ask_and_close
from inference_kit.models.http.refusals import Refused, Unreachable
from inference_kit.models.http.session import HttpSession, ServerSettings
from inference_kit.models.http.untrusted_json import Malformed, shorten
from inference_kit.records import StepScores
from inference_kit.reward_models.base import RewardModel, ScoreItem

ROUNDING = 1e-3
"""How far beyond [0, 1] a score may be: half precision rounds so."""

Outcome = StepScores | UserError | RunStopped
"""What became of one item: its scores, or why there are none."""

Waiting = tuple[ScoreItem, "asyncio.Future[StepScores]"]


class RemoteRewardModel(RewardModel, ABC):
    """A reward model that a server runs; a format writes `ask`."""

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
            raise UserError(
                f"max_batch_size must be at least 1, got {max_batch_size}", where=named("reward_max_batch_size")
            )
        self.separator, self.max_batch_size = separator, max_batch_size
        self._session = HttpSession(base_url, key_env=api_key_env, server=server, setting="reward_model_path")
        self._server_concurrency = server.server_concurrency

    @abstractmethod
    async def ask(self, items: Sequence[ScoreItem]) -> Sequence[Outcome]:
        """Score `items` in one request.

        Returns:
            One outcome for each item, in their order.

        Raises:
            Refused: where the server refuses the request; each item is then tried alone.
            UserError: any other error, which is that of all items.
        """

    def check(self) -> None:
        """Refuse an address at which nothing answers.

        Raises:
            UserError: naming the address.
        """
        run_blocking(self._probe())

    async def _probe(self) -> None:
        session = HttpSession(
            self._session.base_url, key_env=self._session.key_env, server=PROBE, setting=self._session.setting
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
    def _batcher(self) -> "_RequestBatcher":  # type: ignore[override]
        return _RequestBatcher(self._ask_until_answered, self.max_batch_size, self._server_concurrency)

    async def _ask_until_answered(self, items: Sequence[ScoreItem]) -> Sequence[Outcome]:
        """Ask for all items together and, where the server refuses that, for each alone."""
        try:
            return await self.ask(items)
        except Refused as refusal:
            if len(items) == 1:
                return [refusal]
            return [outcome for item in items for outcome in await self._ask_until_answered([item])]
        except (UserError, RunStopped) as error:
            return [error] * len(items)


class _RequestBatcher:
    """Gathers items into requests of up to `max_items` and makes up to `max_requests` at a time.

    Each sender makes one request after another until nothing waits.
    """

    def __init__(
        self,
        ask: Callable[[Sequence[ScoreItem]], Awaitable[Sequence[Outcome]]],
        max_items: int,
        max_requests: int,
    ) -> None:
        self._ask, self._max_items, self._max_requests = ask, max_items, max_requests
        self._waiting: deque[Waiting] = deque()
        self._senders: set[asyncio.Task[None]] = set()
        self._sender_starts = False

    async def submit(self, item: ScoreItem) -> StepScores:
        """Score `item` in a request with whatever else waits."""
        future: asyncio.Future[StepScores] = asyncio.get_running_loop().create_future()
        self._waiting.append((item, future))
        if not self._sender_starts and len(self._senders) < self._max_requests:
            self._sender_starts = True
            sender = asyncio.create_task(self._send())
            self._senders.add(sender)
            sender.add_done_callback(self._senders.discard)
        return await future

    async def _send(self) -> None:
        await asyncio.sleep(0)  # lets every caller that is ready now join the first request
        self._sender_starts = False
        while self._waiting:
            batch = [self._waiting.popleft() for _ in range(min(self._max_items, len(self._waiting)))]
            batch = [(item, future) for item, future in batch if not future.done()]
            outcomes = await self._ask([item for item, _ in batch]) if batch else ()
            for (_, future), outcome in zip(batch, outcomes, strict=True):
                if future.done():
                    continue
                if isinstance(outcome, Exception):
                    future.set_exception(outcome)
                else:
                    future.set_result(outcome)


def read_scores(given: Any, n_steps: int, *, where: str) -> Outcome:
    """Read what a server gave for one item: a score in [0, 1] for each step, or one for the whole.

    Args:
        given: From the server, unchecked.
        n_steps: Steps of the item.
        where: The address, for the error.

    Returns:
        The scores, or the error that says what is wrong with them. A score that is not a number (NaN, or the null that
        some write for it) is NaN, which the base class counts as 0 and reports; rounding beyond 0 or 1 is taken off.
    """
    if isinstance(given, list):
        given = [math.nan if each is None else each for each in given]
    if not isinstance(given, list) or not all(map(_is_score, given)):
        return EngineError(
            f"the reward model gave {shorten(repr(given), 80)}", where=where, fix="It must give numbers in [0, 1]."
        )
    if len(given) not in (1, n_steps):
        return EngineError(
            f"the reward model gave {len(given)} scores for {n_steps} steps",
            where=where,
            fix="It must give one for each step, or one for the whole.",
        )
    return StepScores(tuple(map(float, given)))


def read_list(data: Any, name: str, n_items: int) -> list[Any]:
    """Return the list `name` of a reply, which has an entry for each item.

    Raises:
        Malformed: where there is none.
        EngineError: where it is of another length.
    """
    found = data.get(name) if isinstance(data, dict) else None
    if not isinstance(found, list):
        raise Malformed(f"it has no list {name!r}: {shorten(repr(data), 80)}")
    if len(found) != n_items:
        raise EngineError(f"the reward model answered {len(found)} items of {n_items}")
    return found


def _is_score(value: Any) -> bool:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return False
    return math.isnan(value) or -ROUNDING <= value <= 1 + ROUNDING
