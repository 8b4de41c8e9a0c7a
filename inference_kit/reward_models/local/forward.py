"""BatchedForward: forward passes of one model over many texts, and a number at each of their positions.

Why: one pass over padded texts is far cheaper than one for each text. Padding, and going on from cached prefixes of
unequal length, is the same for every format.
Promises: numbers agree with those of a text that is read alone and whole, to rounding.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from inference_kit.models.local.rope import LengthRope
from inference_kit.reward_models.local.encoded_text import EncodedText
from inference_kit.reward_models.local.prefix_cache import (
    CachedPrefix,
    PrefixCache,
    build_key_values,
    can_reuse_prefixes,
)

OUTPUTS_AT_ONCE = 1 << 24
"""Numbers that one forward pass may put out, where every token's output is kept."""


@dataclass(slots=True)
class Row:
    """One text in a forward pass: its cached prefix, if any, and the raw scores of the positions behind that."""

    text: EncodedText
    prefix: CachedPrefix | None
    new_scores: list[float] = field(default_factory=list)

    @property
    def start(self) -> int:
        """The first token to read. It is the prefix's last token, which is read again for its output."""
        return int(self.prefix.states.shape[2]) if self.prefix else 0

    @property
    def ids(self) -> tuple[int, ...]:
        """The ids still to read."""
        return self.text.ids[self.start :]

    @property
    def positions(self) -> list[int]:
        """The positions still to read, counted from `start`."""
        known = len(self.prefix.raw_scores) if self.prefix else 0
        return [position - self.start for position in self.text.positions[known:]]

    @property
    def raw_scores(self) -> tuple[float, ...]:
        """The raw scores of all positions, known and new."""
        return (*(self.prefix.raw_scores if self.prefix else ()), *self.new_scores)


Readout = Callable[[Any, Mapping[str, Any], Sequence[Row]], list[list[float]]]
"""Calls the model with the inputs of a forward pass and returns, for each row, a raw score for each of its positions.

A raw score is what a format's head or vocabulary says at one position, such as a probability or a sum of
log-probabilities. The format turns the raw scores of a text into step scores.
"""


class BatchedForward:
    """Runs one model over batches of texts; `tokens_read` counts tokens that went through it, padding apart.

    Args:
        model: A `transformers` model, or what is called like one.
        readout: Turns the model's outputs into raw scores.
        outputs: Numbers that are kept for each token; bounds how many texts are read at once.
        cache_bytes: Memory for cached prefixes; 0 reads every text whole.
    """

    def __init__(self, model: Any, readout: Readout, *, outputs: int = 1, cache_bytes: int = 0) -> None:
        self.tokens_read = 0
        self._model, self._readout, self._outputs = model, readout, outputs
        self._rope = LengthRope(model)
        reuse = cache_bytes > 0 and self._rope.border is None and can_reuse_prefixes(model)
        self._cache = PrefixCache(cache_bytes) if reuse else None

    def compute_raw_scores(self, texts: Sequence[EncodedText]) -> list[tuple[float, ...]]:
        """Return, for each text, the raw score at each of its positions."""
        rows = [Row(text, self._cache.find_longest(text) if self._cache else None) for text in texts]
        for batch in self._split(rows):
            self._run(batch)
        return [row.raw_scores for row in rows]

    def _split(self, rows: Sequence[Row]) -> list[list[Row]]:
        """Split rows into batches that fit `OUTPUTS_AT_ONCE`.

        Rows with and without a prefix stay apart, and each kind is sorted by length, so that little is padding.
        """
        batches: list[list[Row]] = []
        for group in ([row for row in rows if row.prefix], [row for row in rows if not row.prefix]):
            batch: list[Row] = []
            for row in sorted(group, key=lambda row: len(row.ids)):
                if batch and (len(batch) + 1) * len(row.ids) * self._outputs > OUTPUTS_AT_ONCE:
                    batches.append(batch)
                    batch = []
                batch.append(row)
            batches += [batch] if batch else []
        return batches

    def _run(self, rows: Sequence[Row]) -> None:
        """Run one batch through the model and cache its prefixes."""
        longest_prefix = max(row.start for row in rows)
        inputs = self._build_inputs(rows, longest_prefix)
        with self._rope.given_lengths([len(row.text.ids) for row in rows]):
            found = self._readout(self._model, inputs, rows)
        for row, raw_scores in zip(rows, found, strict=True):
            row.new_scores = raw_scores
            self.tokens_read += len(row.ids)
        if self._cache is not None:
            self._store_prefixes(self._cache, rows, inputs["past_key_values"], longest_prefix)

    def _build_inputs(self, rows: Sequence[Row], longest_prefix: int) -> dict[str, Any]:
        """Pad prefixes on the left and new tokens on the right, so that new tokens begin in one column.

        Attention mask of two rows, the first with the longer prefix (p: prefix, t: new token, -: padding)::

            p p p | t t -
            - p p | t t t
        """
        import torch

        device, longest = self._model.device, max(len(row.ids) for row in rows)
        tokens = [[*row.ids, *[0] * (longest - len(row.ids))] for row in rows]
        seen = [[0] * (longest_prefix - row.start) + [1] * len(row.text.ids) for row in rows]
        mask = [[*each, *[0] * (longest_prefix + longest - len(each))] for each in seen]
        inputs = {
            "input_ids": torch.tensor(tokens, device=device),
            "attention_mask": torch.tensor(mask, device=device),
        }
        if self._cache is None:
            return inputs
        ends = [(row.start, len(row.text.ids) - 1) for row in rows]
        position_ids = [[min(start + column, last) for column in range(longest)] for start, last in ends]
        return inputs | {
            "position_ids": torch.tensor(position_ids, device=device),
            "past_key_values": build_key_values([row.prefix for row in rows], longest_prefix),
            "use_cache": True,
        }

    def _store_prefixes(self, cache: PrefixCache, rows: Sequence[Row], key_values: Any, longest_prefix: int) -> None:
        """Store each row up to its last position, without the padding on either side."""
        import torch

        states = torch.stack([each for layer in key_values.layers for each in (layer.keys, layer.values)])
        for number, row in enumerate(rows):
            padding = longest_prefix - row.start
            last = row.text.positions[-1]
            prefix = CachedPrefix(row.raw_scores, states[:, number, :, padding : padding + last].clone())
            cache.add(row.text.ids[: last + 1], prefix)
