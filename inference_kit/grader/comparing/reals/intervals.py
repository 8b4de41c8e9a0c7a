"""Unions of intervals of real numbers, and what can be done with them.

Why: two sets of reals are one where they consist of the same pieces.
Promises: pure; pieces are sorted, apart and not empty, so equal sets have equal pieces.
"""

import math
from collections.abc import Iterable
from dataclasses import dataclass

SAME = 1e-10
"""A relative difference up to which two computed ends are one."""


@dataclass(frozen=True, slots=True, order=True)
class Piece:
    """An interval; `low_open` and `high_open` say that its ends are left out. A single number is closed at both."""

    low: float
    low_open: bool
    high: float
    high_open: bool

    @property
    def is_empty(self) -> bool:
        """Whether no number lies in it."""
        return self.low > self.high or (self.low == self.high and (self.low_open or self.high_open))


Pieces = tuple[Piece, ...]
EVERYTHING: Pieces = (Piece(-math.inf, True, math.inf, True),)


def build_interval(low: float, low_open: bool, high: float, high_open: bool) -> Pieces:
    """Build an interval; infinity is never in it, and nothing is where the ends are the wrong way round."""
    return merge([Piece(low, low_open or math.isinf(low), high, high_open or math.isinf(high))])


def build_points(numbers: Iterable[float]) -> Pieces:
    """Build the set of some numbers."""
    return merge(Piece(number, False, number, False) for number in numbers)


def merge(pieces: Iterable[Piece]) -> Pieces:
    """Unite pieces: sorted, without empty ones, those that touch or overlap made one."""
    merged: list[Piece] = []
    for piece in sorted(piece for piece in pieces if not piece.is_empty):
        last = merged[-1] if merged else None
        if last is None or not _touch(last, piece):
            merged.append(piece)
        elif piece.high > last.high or (piece.high == last.high and last.high_open):
            merged[-1] = Piece(last.low, last.low_open, piece.high, piece.high_open)
    return tuple(merged)


def _touch(piece: Piece, following: Piece) -> bool:
    """Say whether there is no number between two pieces: [0, 1) and [1, 2] touch, [0, 1) and (1, 2] do not."""
    at_one_end = are_close(following.low, piece.high) and not (following.low_open and piece.high_open)
    return following.low < piece.high or at_one_end


def intersect(first: Pieces, second: Pieces) -> Pieces:
    """Return what is in both sets."""
    found = []
    for a in first:
        for b in second:
            # Of two lower ends at one place the open one is the narrower, and True > False; of upper ends as well.
            low, low_open = max((a.low, a.low_open), (b.low, b.low_open))
            high, high_closed = min((a.high, not a.high_open), (b.high, not b.high_open))
            found.append(Piece(low, low_open, high, not high_closed))
    return merge(found)


def complement(pieces: Pieces) -> Pieces:
    """Return the real numbers that are not in the set: what lies between its pieces."""
    found = []
    low, low_open = -math.inf, True
    for piece in pieces:
        found.append(Piece(low, low_open, piece.low, not piece.low_open))
        low, low_open = piece.high, not piece.high_open
    found.append(Piece(low, low_open, math.inf, True))
    return merge(found)


def are_same(first: Pieces, second: Pieces) -> bool:
    """Say whether two sets are one, up to rounding errors of their ends."""
    return len(first) == len(second) and all(
        are_close(a.low, b.low) and are_close(a.high, b.high) and (a.low_open, a.high_open) == (b.low_open, b.high_open)
        for a, b in zip(first, second, strict=True)
    )


def are_close(a: float, b: float) -> bool:
    """Say whether two computed numbers are one."""
    return a == b or (math.isfinite(a - b) and abs(a - b) <= SAME * min(abs(a), abs(b)))
