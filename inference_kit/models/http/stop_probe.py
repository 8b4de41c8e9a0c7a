"""StopProbe: finds out whether a server that says nothing of itself keeps the text that ends a step.

Why: by the official protocol a stop text is dropped, and then a first step looks like a whole solution; the results
would be wrong, and nobody would know.
Promises: a reply that keeps its end settles it at no cost; a server that drops it is refused; a doubtful reply is
written again past its end, a few times at the most however many are under way, and what that costs is returned.
"""

from collections.abc import Awaitable, Callable, Sequence

from loguru import logger

from inference_kit.errors import UserError
from inference_kit.records import Completion

MOST_PROBES = 16
"""Replies that are written again to find out."""


class StopProbe:
    """What the replies of the server at `address` have shown so far of its stop texts."""

    def __init__(self, address: str) -> None:
        self._address, self._n_probes, self._n_done, self._settled = address, 0, 0, False

    async def check(
        self, written: Sequence[Completion], boundary: str, write_on: Callable[[int], Awaitable[Completion]]
    ) -> int:
        """Look at the steps of one reply; `write_on` writes the one at a place again, past its end.

        Returns:
            The tokens that were read and written to find out.

        Raises:
            UserError: where the same text goes on with the boundary, which the server has dropped.
        """
        if self._settled:
            return 0
        if any(each.finish_reason == "boundary" for each in written):
            self._settled = True
            return 0
        doubtful = next((place for place, each in enumerate(written) if each.finish_reason == "stop"), None)
        if doubtful is None or self._n_probes == MOST_PROBES:
            return 0
        self._n_probes += 1  # before the request leaves: hundreds of replies come at the same time
        longer = await write_on(doubtful)
        if longer.text.startswith(written[doubtful].text + boundary):
            raise UserError(
                "this server drops the text that ends a step (include_stop_str_in_output), so it cannot write steps",
                where=self._address,
                fix="Use best_of_n or self_consistency, or another server.",
            )
        self._n_done += 1
        if self._n_done == MOST_PROBES and not self._settled:
            self._settled = True
            logger.warning("{} may drop the text that ends a step: none of its replies has any", self._address)
        return longer.prompt_tokens + longer.tokens
