"""A prefix cache: keys and values of prompts and of finished steps, kept for the sequences that begin with them.

Why: candidates share their prompt, problems share their instructions, and a step search goes on from what it has just
written; none of it should go through the model twice.
Promises: what is kept stays within a number of tokens, and what was used least lately is dropped first; of a step only
its own tokens are kept until something goes on from it.
"""

from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass

from inference_kit.models.decode.kv_cache import Layers

MIN_SHARED_TOKENS = 16
"""A shorter prefix is not worth a copy."""

Ids = tuple[int, ...]


@dataclass(slots=True, eq=False)
class _Entry:
    """Keys and values of a sequence; of one with a `parent`, of what stands behind the parent's tokens."""

    layers: Layers
    parent: "_Entry | None" = None

    @property
    def n_tokens(self) -> int:
        """How many tokens the entry itself keeps."""
        return self.layers[0][0].shape[1]

    def join(self) -> Layers:
        """Join the parent's keys and values with these, keep them in one piece from now on, and return them."""
        import torch

        if self.parent:
            pairs = zip(self.parent.join(), self.layers, strict=True)
            self.layers = [(torch.cat((a, c), dim=1), torch.cat((b, d), dim=1)) for (a, b), (c, d) in pairs]
            self.parent = None
        return self.layers


class PrefixCache:
    """Keys and values by token ids.

    Args:
        max_tokens: How many tokens are kept.
    """

    def __init__(self, max_tokens: int) -> None:
        self._max_tokens, self._n_tokens = max_tokens, 0
        self._entries: OrderedDict[Ids, _Entry] = OrderedDict()

    def __contains__(self, ids: Ids) -> bool:
        return ids in self._entries

    def get(self, ids: Ids) -> Layers:
        """Return the keys and values of all tokens of a sequence that is kept, which is then the latest used."""
        self._entries.move_to_end(ids)
        entry = self._entries[ids]
        self._n_tokens -= entry.n_tokens
        layers = entry.join()
        self._n_tokens += entry.n_tokens
        return layers

    def add(self, ids: Ids, layers: Layers, parent: Ids | None = None) -> None:
        """Keep a sequence; with a `parent` that is kept, `layers` hold what stands behind the parent's tokens."""
        if ids not in self._entries:
            self._entries[ids] = _Entry(layers, self._entries[parent] if parent is not None else None)
            self._n_tokens += self._entries[ids].n_tokens

    def find_shared(self, ids: Ids, fits: Callable[[int], bool] = lambda _: True) -> tuple[int, Layers | None]:
        """Find the longest prefix that `ids` share with a prompt that is kept: its length, its keys and values.

        Only prompts are looked at of which `fits` says so, by their number of tokens.
        """
        longest, source = MIN_SHARED_TOKENS - 1, None
        for other, entry in self._entries.items():
            if entry.parent is None and fits(len(other)) and (shared := _count_shared(ids, other)) > longest:
                longest, source = shared, entry
        if source is None:
            return 0, None
        return longest, [(keys[:, :longest], values[:, :longest]) for keys, values in source.layers]

    def trim(self) -> None:
        """Drop what was used least lately until the rest has room; one sequence stays in any case."""
        while len(self._entries) > 1 and self._n_tokens > self._max_tokens:
            _, entry = self._entries.popitem(last=False)
            self._n_tokens -= entry.n_tokens

    def clear(self) -> None:
        """Drop everything."""
        self._entries.clear()
        self._n_tokens = 0


def _count_shared(a: Ids, b: Ids) -> int:
    """Count the tokens with which both begin, by bisection: comparing slices is far quicker than a loop."""
    low, high = 0, min(len(a), len(b))
    while low < high:
        middle = (low + high + 1) // 2
        if a[low:middle] == b[low:middle]:
            low = middle
        else:
            high = middle - 1
    return low
