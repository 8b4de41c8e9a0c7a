"""What has been read: keys and values of prompts and of finished steps, kept for the rows that begin with them.

Why: candidates share their prompt, problems share their instructions, and a step search goes on from what it has just
written; none of it should go through the model twice.
Promises: what is kept stays within its number of tokens, the latest used last; of a step only its own tokens are kept
until something goes on from it.
"""

from collections import OrderedDict
from dataclasses import dataclass

from inference_kit.models.decode.kv_cache import Layers

SHORTEST_SHARED_PREFIX = 16

Ids = tuple[int, ...]


@dataclass(slots=True, eq=False)
class _Stored:
    """Keys and values of a sequence; of one with a `parent`, those behind the parent's."""

    layers: Layers
    parent: "_Stored | None" = None

    @property
    def tokens(self) -> int:
        return self.layers[0][0].shape[1]

    def whole(self) -> Layers:
        """All of it, which from now on is kept in one piece."""
        import torch

        if self.parent:
            pairs = zip(self.parent.whole(), self.layers, strict=True)
            self.layers = [(torch.cat((a, c), dim=1), torch.cat((b, d), dim=1)) for (a, b), (c, d) in pairs]
            self.parent = None
        return self.layers


class PromptStore:
    """Keys and values by token ids.

    Args:
        tokens: How many are kept.
    """

    def __init__(self, tokens: int) -> None:
        self._room, self._tokens = tokens, 0
        self._stored: OrderedDict[Ids, _Stored] = OrderedDict()

    def __contains__(self, ids: Ids) -> bool:
        return ids in self._stored

    def whole(self, ids: Ids) -> Layers:
        """The keys and values of a stored sequence."""
        self._stored.move_to_end(ids)
        stored = self._stored[ids]
        self._tokens -= stored.tokens
        layers = stored.whole()
        self._tokens += stored.tokens
        return layers

    def add(self, ids: Ids, layers: Layers, parent: Ids | None = None) -> None:
        """Keep a sequence; with a stored `parent`, `layers` hold what stands behind it."""
        if ids not in self._stored:
            self._stored[ids] = _Stored(layers, self._stored[parent] if parent is not None else None)
            self._tokens += self._stored[ids].tokens

    def shared_prefix(self, ids: Ids) -> tuple[int, Layers | None]:
        """How much of `ids` begins a stored prompt as well, where that is worth a copy, and its keys and values."""
        longest, source = SHORTEST_SHARED_PREFIX - 1, None
        for other, stored in self._stored.items():
            if stored.parent is None and (shared := _common_prefix(ids, other)) > longest:
                longest, source = shared, stored
        if source is None:
            return 0, None
        return longest, [(keys[:, :longest], values[:, :longest]) for keys, values in source.layers]

    def trim(self) -> None:
        """Forget the longest unused until the rest has room; one sequence stays in any case."""
        while len(self._stored) > 1 and self._tokens > self._room:
            _, stored = self._stored.popitem(last=False)
            self._tokens -= stored.tokens

    def clear(self) -> None:
        """Forget all."""
        self._stored.clear()
        self._tokens = 0


def _common_prefix(a: Ids, b: Ids) -> int:
    low, high = 0, min(len(a), len(b))
    while low < high:
        middle = (low + high + 1) // 2
        if a[low:middle] == b[low:middle]:
            low = middle
        else:
            high = middle - 1
    return low
