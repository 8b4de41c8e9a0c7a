"""PrefixCache: keys and values of texts that were scored lately, so that a text with the same prefix starts behind it.

Why: a search scores the same prefix again and again with one more step behind it, and a causal model computes the same
keys and values for that prefix each time.
Promises: memory is bounded, and the least recently used prefix goes first. `can_reuse_prefixes` finds out by trying
whether a model's outputs stay the same. They do not for an encoder, whose outputs depend on later tokens, for a sliding
window, and for layers on several devices; these read every text whole.
"""

from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from inference_kit.errors import UserError
from inference_kit.models.local.architecture import read_windows
from inference_kit.reward_models.local.encoded_text import EncodedText

if TYPE_CHECKING:
    from torch import Tensor

CAUSAL_TOLERANCE = 1e-6
"""How far outputs may move when later tokens change, relative to their norm; a causal model's do not move at all."""

SPLIT_TOLERANCE = 1e-2
"""How far outputs may move when a text is read in two parts, relative to their norm; bfloat16 takes a few 1e-3."""


@dataclass(frozen=True, slots=True)
class CachedPrefix:
    """A text up to one of its positions.

    `raw_scores` are the numbers read at its positions, that last one included. `states` are the keys and values of all
    layers for the tokens before it, (2 x layers, heads, tokens, head size).
    """

    raw_scores: tuple[float, ...]
    states: "Tensor"


class PrefixCache:
    """Prefixes by their ids, at most `limit_bytes` of states; the least recently used goes first."""

    def __init__(self, limit_bytes: int) -> None:
        self._limit, self._held = limit_bytes, 0
        self._stored: OrderedDict[tuple[int, ...], CachedPrefix] = OrderedDict()

    def find_longest(self, text: EncodedText) -> CachedPrefix | None:
        """Return the longest known prefix that ends at a position of `text` before its last, None without one."""
        for position in reversed(text.positions[:-1]):
            ids = text.ids[: position + 1]
            if ids in self._stored:
                self._stored.move_to_end(ids)
                return self._stored[ids]
        return None

    def add(self, ids: tuple[int, ...], prefix: CachedPrefix) -> None:
        """Store a prefix whose last position is `ids[-1]`."""
        if ids in self._stored:
            return
        self._stored[ids] = prefix
        self._held += prefix.states.nbytes
        while self._held > self._limit:
            _, oldest = self._stored.popitem(last=False)
            self._held -= oldest.states.nbytes


def can_reuse_prefixes(model: Any) -> bool:
    """Try whether a model's outputs for a text stay the same when a prefix of it was read before.

    Two things must hold for 8 arbitrary tokens: their first 5 outputs do not depend on the last 3 tokens, and the
    outputs of a pass over 5 and another over 3 tokens are those of one pass over 8.
    """
    import torch
    from transformers import DynamicCache

    try:
        if set(read_windows(model.config).values()) != {None}:
            return False
        ids = torch.arange(8, device=model.device)[None] * 7 % model.config.get_text_config().vocab_size
        mask, positions = torch.ones_like(ids), torch.arange(8, device=model.device)[None]
        whole = model(input_ids=ids, attention_mask=mask)[0].float()
        other_end = model(input_ids=torch.cat([ids[:, :5], ids[:, :3]], 1), attention_mask=mask)[0].float()
        cache: Any = DynamicCache()
        parts = [
            model(
                input_ids=ids[:, part],
                attention_mask=mask[:, : part.stop],
                position_ids=positions[:, part],
                past_key_values=cache,
                use_cache=True,
            )[0].float()
            for part in (slice(0, 5), slice(5, 8))
        ]
        # `CachedPrefix.states` stacks all layers, so their keys and values must be of one shape, on one device.
        kinds = {(each.shape, each.device) for layer in cache.layers for each in (layer.keys, layer.values)}
    except (AttributeError, IndexError, KeyError, RuntimeError, TypeError, UserError, ValueError):
        return False
    moved_by_end = (other_end[:, :5] - whole[:, :5]).norm() / whole.norm()
    moved_by_split = (torch.cat(parts, 1) - whole).norm() / whole.norm()
    return len(kinds) == 1 and moved_by_end.item() < CAUSAL_TOLERANCE and moved_by_split.item() < SPLIT_TOLERANCE


def build_key_values(prefixes: "Sequence[CachedPrefix | None]", length: int) -> Any:
    """Build the `past_key_values` of a batch.

    Args:
        prefixes: One for each row, None for a row that starts from nothing.
        length: Tokens of the longest prefix; shorter ones are padded with zeros on the left, so all end there.
    """
    from transformers import DynamicCache

    cache: Any = DynamicCache()
    known = [(row, each.states) for row, each in enumerate(prefixes) if each]
    if known:
        n_states, heads, _, head_size = known[0][1].shape
        batch = known[0][1].new_zeros(n_states, len(prefixes), heads, length, head_size)
        for row, states in known:
            batch[:, row, :, length - states.shape[2] :] = states
        for layer in range(n_states // 2):
            cache.update(batch[2 * layer], batch[2 * layer + 1], layer)
    return cache
