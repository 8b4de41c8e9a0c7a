"""Beginnings: texts that a model has read lately, kept so that it can go on from them.

Why: a search scores the same beginning again and again with one more step behind it; a causal model has read the
beginning already.
Promises: memory is bounded; a model that cannot go on from a beginning, because later tokens change what it said
before, it looks back only so far or its layers are spread over devices, is told from one that can by trying.
"""

from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate, chain
from typing import TYPE_CHECKING, Any

from inference_kit.errors import EngineError, UserError
from inference_kit.models.local.attention import sliding_windows

if TYPE_CHECKING:
    from torch import Tensor

TOLERANCE, ROUNDING = 1e-2, 1e-6
"""How far outputs may be off, as a share of their size, when a text is read in two parts (bfloat16 takes a few 1e-3),
and when other tokens follow (a causal model computes the very same)."""


@dataclass(frozen=True, slots=True)
class Reading:
    """A solution as a model reads it; `places` are the tokens, in order, whose outputs say something."""

    ids: tuple[int, ...]
    places: tuple[int, ...]

    @classmethod
    def of_pieces(cls, pieces: Sequence[Sequence[int]], *, begin: Sequence[int] = ()) -> "Reading":
        """`begin` and the pieces, none of them empty, one after another; the places are the ends of the pieces."""
        ends = accumulate(map(len, pieces), initial=len(begin))
        return cls((*begin, *chain.from_iterable(pieces)), tuple(end - 1 for end in ends)[1:])

    @classmethod
    def of_tags(cls, ids: Sequence[int], tag: int, *, n_steps: int) -> "Reading":
        """A text in which a tag stands behind each step; the places are the tags.

        Raises:
            EngineError: where there is another number of them.
        """
        places = tuple(place for place, token in enumerate(ids) if token == tag)
        if len(places) != n_steps:
            raise EngineError(f"{len(places)} tags of the reward model stand in a text of {n_steps} steps")
        return cls(tuple(ids), places)


@dataclass(frozen=True, slots=True)
class Beginning:
    """A text that was read up to one of its places: the numbers up to there, and the states of all tokens before it.

    `states` are keys and values of all layers, (2 x layers, heads, tokens, head size).
    """

    values: tuple[float, ...]
    states: "Tensor"


class Beginnings:
    """What was read lately, by its ids; what was not used for longest goes first."""

    def __init__(self, limit_bytes: int) -> None:
        self._limit, self._held = limit_bytes, 0
        self._stored: OrderedDict[tuple[int, ...], Beginning] = OrderedDict()

    def of(self, reading: Reading) -> Beginning | None:
        """The longest known beginning that ends at a place of `reading` before its last."""
        for place in reversed(reading.places[:-1]):
            ids = reading.ids[: place + 1]
            if ids in self._stored:
                self._stored.move_to_end(ids)
                return self._stored[ids]
        return None

    def keep(self, ids: tuple[int, ...], beginning: Beginning) -> None:
        """Store a beginning that ends with the place `ids[-1]`."""
        if ids in self._stored:
            return
        self._stored[ids] = beginning
        self._held += beginning.states.nbytes
        while self._held > self._limit:
            _, oldest = self._stored.popitem(last=False)
            self._held -= oldest.states.nbytes


def goes_on(model: Any) -> bool:
    """Whether a model says the same of a text that it reads in two parts, and of its beginning whatever follows."""
    import torch
    from transformers import DynamicCache

    try:
        if set(sliding_windows(model.config).values()) != {None}:
            return False
        ids = torch.arange(8, device=model.device)[None] * 7 % model.config.get_text_config().vocab_size
        seen, places = torch.ones_like(ids), torch.arange(8, device=model.device)[None]
        whole = model(input_ids=ids, attention_mask=seen)[0].float()
        other = model(input_ids=torch.cat([ids[:, :5], ids[:, :3]], 1), attention_mask=seen)[0].float()
        cache: Any = DynamicCache()
        parts = [
            model(
                input_ids=ids[:, part],
                attention_mask=seen[:, : part.stop],
                position_ids=places[:, part],
                past_key_values=cache,
                use_cache=True,
            )[0].float()
            for part in (slice(0, 5), slice(5, 8))
        ]
        kinds = {(each.shape, each.device) for layer in cache.layers for each in (layer.keys, layer.values)}
    except (AttributeError, IndexError, KeyError, RuntimeError, TypeError, UserError, ValueError):
        return False
    looks_ahead = (other[:, :5] - whole[:, :5]).norm() / whole.norm()
    off = (torch.cat(parts, 1) - whole).norm() / whole.norm()
    return len(kinds) == 1 and looks_ahead.item() < ROUNDING and off.item() < TOLERANCE


def cache_of(beginnings: "Sequence[Beginning | None]", length: int) -> Any:
    """The beginnings of a batch as a model takes them, each ending at token `length`."""
    from transformers import DynamicCache

    cache: Any = DynamicCache()
    known = [(slot, each.states) for slot, each in enumerate(beginnings) if each]
    if known:
        n_states, heads, _, size = known[0][1].shape
        together = known[0][1].new_zeros(n_states, len(beginnings), heads, length, size)
        for slot, states in known:
            together[:, slot, :, length - states.shape[2] :] = states
        for layer in range(n_states // 2):
            cache.update(together[2 * layer], together[2 * layer + 1], layer)
    return cache
