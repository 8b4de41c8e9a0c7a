"""EncodedText: the token ids of a text and the positions at which the model's outputs are read.

Why: formats differ in the text they show and in where its scores stand; all that follows needs just these two.
Promises: positions are in order, and there is one for each number that is wanted.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate, chain

from inference_kit.errors import EngineError


@dataclass(frozen=True, slots=True)
class EncodedText:
    """A problem and its solution as a model reads them; `positions` index `ids`, in ascending order."""

    ids: tuple[int, ...]
    positions: tuple[int, ...]

    @classmethod
    def from_pieces(cls, pieces: Sequence[Sequence[int]], *, prefix: Sequence[int] = ()) -> "EncodedText":
        """Join pieces of ids; the positions are the last token of each piece.

        Args:
            pieces: None of them empty.
            prefix: Ids before the first piece; nothing is read there.
        """
        ends = accumulate(map(len, pieces), initial=len(prefix))
        return cls((*prefix, *chain.from_iterable(pieces)), tuple(end - 1 for end in ends)[1:])

    @classmethod
    def from_tags(cls, ids: Sequence[int], tag: int, *, n_steps: int) -> "EncodedText":
        """Take the positions of the token `tag`, which stands behind each step.

        Raises:
            EngineError: where there are not `n_steps` of them.
        """
        positions = tuple(position for position, token in enumerate(ids) if token == tag)
        if len(positions) != n_steps:
            raise EngineError(f"{len(positions)} tags of the reward model stand in a text of {n_steps} steps")
        return cls(tuple(ids), positions)
