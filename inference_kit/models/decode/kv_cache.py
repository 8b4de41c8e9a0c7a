"""A key-value cache of slots: each sequence has its own length, and a freed slot is used again at once.

Why: the caches of `transformers` grow all sequences together, so one that is done keeps its place until the longest is.
Promises: new keys and values are written at each sequence's own positions; nothing is read from another slot; what lies
beyond a sequence's length is never attended to, because the mask that comes with it hides it.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from torch import Tensor

Layers = list[tuple["Tensor", "Tensor"]]
"""Keys and values of each layer, (key-value heads, tokens, head size)."""

GROWTH = 64
"""Tokens by which all slots grow at once."""


class SlotCache:
    """What a `transformers` model takes as `past_key_values`.

    `set_positions` says where the next forward pass writes, in slots 0 and up; `update` is what the attention layers
    call in it.
    """

    is_sliding: Sequence[bool] = ()

    def __init__(self, slots: int) -> None:
        self.slots = slots
        self._layers: list[tuple[Tensor, Tensor]] = []
        self._capacity = 0
        self._slots_of_pass: Tensor | None = None
        self._positions: Tensor | None = None
        self._length = 0

    def set_positions(self, positions: "Tensor", length: int) -> None:
        """Set the positions (sequences, new tokens) of the next pass; `length` is above all of them.

        Sequence i of the pass is the one in slot i.
        """
        import torch

        self._slots_of_pass = torch.arange(positions.shape[0], device=positions.device)[:, None]
        self._positions, self._length = positions, length
        self._make_room(length)

    def update(self, keys: "Tensor", values: "Tensor", layer: int, *_: Any, **__: Any) -> "tuple[Tensor, Tensor]":
        """Write new keys and values, (sequences, heads, new tokens, size), and return all of this pass."""
        if layer == len(self._layers):
            self._layers.append((self._allocate(keys), self._allocate(values)))
        stored_keys, stored_values = self._layers[layer]
        assert self._slots_of_pass is not None
        assert self._positions is not None
        # Both index tensors are (sequences, new tokens) by broadcasting, around a slice of all heads, so what is
        # assigned is (sequences, new tokens, heads, size). Layers may lie on several devices.
        places = self._slots_of_pass.to(keys.device), slice(None), self._positions.to(keys.device)
        stored_keys[places] = keys.transpose(1, 2)
        stored_values[places] = values.transpose(1, 2)
        n = keys.shape[0]
        return stored_keys[:n, :, : self._length], stored_values[:n, :, : self._length]

    def get_seq_length(self, layer: int = 0) -> int:
        """Return the length of the pass, for models that derive positions from it; ours are given theirs."""
        return self._length

    def copy_out(self, slot: int, start: int, end: int) -> Layers:
        """Copy a slot's tokens from `start` to before `end`."""
        part = slice(start, end)
        return [(keys[slot, :, part].clone(), values[slot, :, part].clone()) for keys, values in self._layers]

    def copy_in(self, slots: Sequence[int], layers: Layers) -> None:
        """Put the same tokens at the beginning of each of `slots`."""
        import torch

        length = layers[0][0].shape[1]
        if not self._layers:
            self._layers = [(self._allocate(keys[None]), self._allocate(values[None])) for keys, values in layers]
        self._make_room(length)
        index = torch.tensor(slots)
        for (stored_keys, stored_values), (keys, values) in zip(self._layers, layers, strict=True):
            here = index.to(keys.device)
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

    def _allocate(self, like: "Tensor") -> "Tensor":
        """Allocate slots for one layer, whose keys or values look `like` this."""
        _, heads, _, size = like.shape
        self._capacity = self._capacity or GROWTH
        return like.new_zeros(self.slots, heads, self._capacity, size)

    def _make_room(self, length: int) -> None:
        """Grow all slots to `length`, rounded up; where memory runs out, the next call goes on from there."""
        if length <= self._capacity:
            return
        capacity = -(-length // GROWTH) * GROWTH
        for number, (keys, values) in enumerate(self._layers):
            self._layers[number] = _grow(keys, capacity), _grow(values, capacity)
        self._capacity = capacity


def _grow(stored: "Tensor", capacity: int) -> "Tensor":
    """Return one layer's keys or values with room for `capacity` tokens in each slot."""
    slots, heads, length, size = stored.shape
    if length >= capacity:
        return stored
    grown = stored.new_zeros(slots, heads, capacity, size)
    grown[:, :, :length] = stored
    return grown
