"""A key-value cache of slots: every row has its own length, and a freed slot is used again at once.

Why: `transformers`' caches grow all rows together, so a row that is done keeps its place until the longest one is.
Promises: new keys and values are written at each row's own positions; nothing is read from another row; what lies
beyond a row's length is never attended to, because the mask that comes with it hides it.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from torch import Tensor

Layers = list[tuple["Tensor", "Tensor"]]
"""Keys and values of each layer, (key-value heads, tokens, head size)."""

GROWTH = 64


class SlotCache:
    """What a `transformers` model takes as `past_key_values`.

    `aim` says which rows the next forward pass is about and at which positions; `update` is what the attention layers
    call.
    """

    is_sliding: Sequence[bool] = ()

    def __init__(self, slots: int) -> None:
        self.slots = slots
        self._layers: list[tuple[Tensor, Tensor]] = []
        self._capacity = 0
        self._rows: Tensor | None = None
        self._positions: Tensor | None = None
        self._length = 0

    def aim(self, positions: "Tensor", length: int) -> None:
        """Set the positions (rows, new tokens) of the next pass; `length` covers every position.

        Row i of the pass is slot i.
        """
        import torch

        self._rows = torch.arange(positions.shape[0], device=positions.device)[:, None]
        self._positions, self._length = positions, length
        if length > self._capacity:
            self._grow(-(-length // GROWTH) * GROWTH)

    def update(self, keys: "Tensor", values: "Tensor", layer: int, *_: Any, **__: Any) -> "tuple[Tensor, Tensor]":
        """Write new keys and values, (rows, heads, new tokens, head size), and return all up to the longest row."""
        if layer == len(self._layers):
            self._layers.append((self._empty(keys), self._empty(values)))
        stored_keys, stored_values = self._layers[layer]
        assert self._rows is not None
        assert self._positions is not None
        places = self._rows.to(keys.device), slice(None), self._positions.to(keys.device)  # layers may be spread
        stored_keys[places] = keys.transpose(1, 2)
        stored_values[places] = values.transpose(1, 2)
        rows = keys.shape[0]
        return stored_keys[:rows, :, : self._length], stored_values[:rows, :, : self._length]

    def get_seq_length(self, layer: int = 0) -> int:
        """Asked by models that are given no positions; ours always are."""
        return self._length

    def read(self, slot: int, start: int, end: int) -> Layers:
        """A copy of a slot's tokens from `start` to before `end`."""
        part = slice(start, end)
        return [(keys[slot, :, part].clone(), values[slot, :, part].clone()) for keys, values in self._layers]

    def write(self, slots: Sequence[int], layers: Layers) -> None:
        """Put the same tokens at the beginning of each of `slots`."""
        import torch

        length = layers[0][0].shape[1]
        if not self._layers:
            self._layers = [(self._empty(keys[None]), self._empty(values[None])) for keys, values in layers]
        if length > self._capacity:
            self._grow(-(-length // GROWTH) * GROWTH)
        rows = torch.tensor(slots)
        for (stored_keys, stored_values), (keys, values) in zip(self._layers, layers, strict=True):
            here = rows.to(keys.device)
            stored_keys[here, :, :length] = keys
            stored_values[here, :, :length] = values

    def move(self, source: int, target: int, length: int) -> None:
        """Copy the first `length` tokens of one slot over another."""
        for keys, values in self._layers:
            keys[target, :, :length] = keys[source, :, :length]
            values[target, :, :length] = values[source, :, :length]

    def shrink(self, slots: int) -> None:
        """Keep the first `slots` only, layer by layer, so that at most one layer is in memory twice."""
        self.slots = slots
        for number, (keys, values) in enumerate(self._layers):
            self._layers[number] = keys[:slots].clone(), values[:slots].clone()

    def _empty(self, like: "Tensor") -> "Tensor":
        _, heads, _, size = like.shape
        self._capacity = self._capacity or GROWTH
        return like.new_zeros(self.slots, heads, self._capacity, size)

    def _grow(self, capacity: int) -> None:
        """Make room layer by layer; where memory runs out in between, the next call goes on from there."""
        for number, (keys, values) in enumerate(self._layers):
            self._layers[number] = _grown(keys, capacity), _grown(values, capacity)
        self._capacity = capacity


def _grown(stored: "Tensor", capacity: int) -> "Tensor":
    rows, heads, length, size = stored.shape
    if length >= capacity:
        return stored
    grown = stored.new_zeros(rows, heads, capacity, size)
    grown[:, :, :length] = stored
    return grown
