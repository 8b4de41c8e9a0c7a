"""Reader: runs texts through one model, many at once, and takes a number from what it says at chosen places.

Why: one forward pass over padded texts is far cheaper than one for each, and how to pad, and to go on from beginnings
of unequal length, is the same for every format.
Promises: numbers agree with those of a text read alone and whole, to rounding.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from inference_kit.reward_models.local.prefix_cache import Beginning, Beginnings, Reading, cache_of, goes_on

OUTPUTS_AT_ONCE = 1 << 24
"""Numbers that one forward pass may put out, where every token's output is kept."""


@dataclass(slots=True)
class Row:
    """One text in a forward pass; `ids` and `places` are those not read yet, counted from `start`."""

    reading: Reading
    beginning: Beginning | None
    values: list[float] = field(default_factory=list)

    @property
    def start(self) -> int:
        """Tokens that need not be read; the place where the beginning ends is read again for its output."""
        return int(self.beginning.states.shape[2]) if self.beginning else 0

    @property
    def ids(self) -> tuple[int, ...]:
        return self.reading.ids[self.start :]

    @property
    def places(self) -> list[int]:
        known = len(self.beginning.values) if self.beginning else 0
        return [place - self.start for place in self.reading.places[known:]]

    @property
    def all_values(self) -> tuple[float, ...]:
        return (*(self.beginning.values if self.beginning else ()), *self.values)


Verdicts = Callable[[Any, Mapping[str, Any], Sequence[Row]], list[list[float]]]
"""Calls the model with the inputs of a forward pass; returns a number for each place of each row."""


class Reader:
    """Reads with one model.

    Args:
        model: A `transformers` model, or what is called like one.
        verdicts: What makes numbers of the outputs.
        outputs: Numbers that are kept for each token; bounds how many texts are read at once.
        cache_bytes: Memory for beginnings; 0 reads every text whole.
    """

    def __init__(self, model: Any, verdicts: Verdicts, *, outputs: int = 1, cache_bytes: int = 0) -> None:
        self.tokens_read = 0
        self._model, self._verdicts, self._outputs = model, verdicts, outputs
        self._beginnings = Beginnings(cache_bytes) if cache_bytes and goes_on(model) else None

    def values(self, readings: Sequence[Reading]) -> list[tuple[float, ...]]:
        """The number at each place of each text."""
        rows = [Row(each, self._beginnings.of(each) if self._beginnings else None) for each in readings]
        for batch in self._batches(rows):
            self._read(batch)
        return [row.all_values for row in rows]

    def _batches(self, rows: Sequence[Row]) -> list[list[Row]]:
        """Rows with and without a beginning apart, because those have far more to read; the longest last."""
        batches: list[list[Row]] = []
        for group in ([row for row in rows if row.beginning], [row for row in rows if not row.beginning]):
            batch: list[Row] = []
            for row in sorted(group, key=lambda row: len(row.ids)):
                if batch and (len(batch) + 1) * len(row.ids) * self._outputs > OUTPUTS_AT_ONCE:
                    batches.append(batch)
                    batch = []
                batch.append(row)
            batches += [batch] if batch else []
        return batches

    def _read(self, rows: Sequence[Row]) -> None:
        """Run rows through the model, and keep what may be gone on from."""
        before = max(row.start for row in rows)
        inputs = self._inputs(rows, before)
        for row, values in zip(rows, self._verdicts(self._model, inputs, rows), strict=True):
            row.values = values
            self.tokens_read += len(row.ids)
        if self._beginnings is not None:
            self._keep(rows, inputs["past_key_values"], before)

    def _inputs(self, rows: Sequence[Row], before: int) -> dict[str, Any]:
        """Beginnings end at token `before`, new tokens begin there, and padding stands on either side."""
        import torch

        device, longest = self._model.device, max(len(row.ids) for row in rows)
        tokens = [[*row.ids, *[0] * (longest - len(row.ids))] for row in rows]
        seen = [[0] * (before - row.start) + [1] * len(row.reading.ids) for row in rows]
        mask = [[*each, *[0] * (before + longest - len(each))] for each in seen]
        inputs = {
            "input_ids": torch.tensor(tokens, device=device),
            "attention_mask": torch.tensor(mask, device=device),
        }
        if self._beginnings is None:
            return inputs
        ends = [(row.start, len(row.reading.ids) - 1) for row in rows]
        positions = [[min(start + place, last) for place in range(longest)] for start, last in ends]
        return inputs | {
            "position_ids": torch.tensor(positions, device=device),
            "past_key_values": cache_of([row.beginning for row in rows], before),
            "use_cache": True,
        }

    def _keep(self, rows: Sequence[Row], cache: Any, before: int) -> None:
        import torch

        assert self._beginnings is not None
        states = torch.stack([each for layer in cache.layers for each in (layer.keys, layer.values)])
        for slot, row in enumerate(rows):
            left = before - row.start
            until = row.reading.places[-1]
            beginning = Beginning(row.all_values, states[:, slot, :, left : left + until].clone())
            self._beginnings.keep(row.reading.ids[: until + 1], beginning)
