"""Rope: rotary positions whose frequencies follow from the length of a text (long-rope, dynamic NTK).

Why: `transformers` takes the frequencies of the longest text of a pass for all of them, and those of the tokens read so
far for a prompt that is read in parts; so a text would be read otherwise beside others than alone.
Promises: each text of a pass is rotated by the frequencies of its own whole length. A model without such positions is
left as it is.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from torch import Tensor

VARYING = ("longrope", "dynamic")
"""Kinds with other frequencies beyond a border: one other set, or one for each length."""


class LengthRope:
    """The frequencies of a model's positions; `border` is the length beyond which they vary, None where they do not.

    Args:
        model: A `transformers` model; what rotates its positions is wrapped.
    """

    def __init__(self, model: Any) -> None:
        kinds = list(_read_kinds(model.config.get_text_config()))
        self.border = min((border for _, border in kinds), default=None)
        self._by_length = any(kind == "dynamic" for kind, _ in kinds)
        self._lengths: Sequence[int] | None = None
        for module in model.modules() if kinds else ():
            if hasattr(module, "rope_type"):
                module.forward = partial(self._rotate, module.forward)

    def find_range(self, length: int) -> int:
        """Return what is equal for two lengths of equal frequencies; 0 is the range up to the border."""
        if self.border is None or length <= self.border:
            return 0
        return length if self._by_length else 1

    def crosses(self, length: int) -> bool:
        """Tell whether a text that has grown to `length` has to be read again: long-rope rotates all of it anew."""
        return self.border is not None and not self._by_length and length == self.border + 1

    @contextmanager
    def given_lengths(self, lengths: Sequence[int]) -> Iterator[None]:
        """Let passes rotate each text by the frequencies of its whole length."""
        self._lengths = lengths
        try:
            yield
        finally:
            self._lengths = None

    def _rotate(
        self,
        rotate: Callable[..., "tuple[Tensor, Tensor]"],
        x: "Tensor",
        position_ids: "Tensor",
        *args: Any,
        **more: Any,
    ) -> "tuple[Tensor, Tensor]":
        """Compute cosines and sines, (texts, tokens, size), for texts of equal frequencies together.

        The module looks at the highest position it is given, so a last column holds that of the whole text, and padding
        behind a text has none beyond it.
        """
        import torch

        lengths = self._lengths
        if lengths is None:
            return rotate(x, position_ids, *args, **more)
        positions = position_ids.expand(*position_ids.shape[:-2], len(lengths), -1)
        ranges = [self.find_range(length) for length in lengths]
        cosines: list[Tensor] = []
        sines: list[Tensor] = []
        order: list[int] = []
        for one in sorted(set(ranges)):
            rows = [row for row, each in enumerate(ranges) if each == one]
            last = positions.new_full((*positions.shape[:-2], len(rows), 1), max(lengths[row] for row in rows) - 1)
            if self._by_length:  # such a module remembers the longest text until it sees one within the border
                rotate(x, torch.zeros_like(last), *args, **more)
            here = positions[..., rows, :].minimum(last)
            cosine, sine = rotate(x, torch.cat((here, last), dim=-1), *args, **more)
            cosines.append(cosine[..., :-1, :])
            sines.append(sine[..., :-1, :])
            order += rows
        places = torch.tensor(order, device=position_ids.device).argsort()
        return (
            torch.cat(cosines, dim=-3).index_select(-3, places),
            torch.cat(sines, dim=-3).index_select(-3, places),
        )


def _read_kinds(config: Any) -> Iterator[tuple[str, int]]:
    """Read the kinds of positions that vary, each with its border, off a model's configuration."""
    given = getattr(config, "rope_parameters", None) or {}
    for each in given.values() if all(isinstance(value, Mapping) for value in given.values()) else (given,):
        kind = each.get("rope_type")
        if kind == "longrope":
            yield kind, each.get("original_max_position_embeddings") or config.original_max_position_embeddings
        elif kind == "dynamic":
            yield kind, config.max_position_embeddings
