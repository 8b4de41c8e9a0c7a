"""What is done with unions of intervals is what is done with the numbers in them."""

import math
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pieces import holds

from inference_kit.grader.comparing.reals.intervals import (
    EVERYTHING,
    Piece,
    Pieces,
    are_close,
    are_same,
    build_interval,
    build_points,
    complement,
    intersect,
    merge,
)

RELAXED = settings(max_examples=150, deadline=None)
ENDS = st.sampled_from([-math.inf, -2.0, -1.0, 0.0, 1.0, 2.0, math.inf])
PIECES = st.lists(
    st.tuples(ENDS, st.booleans(), ENDS, st.booleans()).map(lambda parts: build_interval(*parts)), max_size=4
).map(lambda found: merge(piece for pieces in found for piece in pieces))
PROBES = [half / 2 for half in range(-6, 7)]
"""Every end, and a number between each two."""


@RELAXED
@given(PIECES, PIECES)
def test_a_union_holds_what_either_holds_and_an_intersection_what_both_hold(a: Pieces, b: Pieces) -> None:
    for number in PROBES:
        assert holds(merge([*a, *b]), number) == (holds(a, number) or holds(b, number))
        assert holds(intersect(a, b), number) == (holds(a, number) and holds(b, number))


@RELAXED
@given(PIECES)
def test_a_complement_holds_what_the_set_does_not(a: Pieces) -> None:
    assert all(holds(complement(a), number) != holds(a, number) for number in PROBES)
    assert complement(complement(a)) == a


@RELAXED
@given(PIECES, PIECES)
def test_equal_sets_have_equal_pieces_and_others_have_not(a: Pieces, b: Pieces) -> None:
    same_numbers = [holds(a, number) for number in PROBES] == [holds(b, number) for number in PROBES]
    assert are_same(a, b) == same_numbers
    assert are_same(a, b) == are_same(b, a)
    assert merge([*b, *a]) == merge([*a, *b])


@RELAXED
@given(PIECES)
def test_pieces_are_sorted_apart_and_not_empty(a: Pieces) -> None:
    assert list(a) == sorted(a)
    assert not any(piece.is_empty for piece in a)
    assert merge(a) == a
    for piece, following in pairwise(a):
        assert piece.high < following.low or (piece.high == following.low and piece.high_open and following.low_open)


def test_what_only_touches_is_one_where_the_common_end_belongs_to_either() -> None:
    closed_open, open_closed, closed = (
        build_interval(0, False, 1, True),
        build_interval(1, True, 2, False),
        build_interval(1, False, 2, False),
    )
    assert len(merge([*closed_open, *open_closed])) == 2
    assert merge([*closed_open, *closed]) == build_interval(0, False, 2, False)
    assert merge([*closed_open, *open_closed, *build_points([1])]) == build_interval(0, False, 2, False)


@pytest.mark.parametrize(
    "parts", [(1, True, 1, True), (1, False, 1, True), (1, True, 1, False), (2, False, 1, False), (math.inf, False) * 2]
)
def test_an_interval_without_numbers_is_nothing(parts: tuple[float, bool, float, bool]) -> None:
    assert build_interval(*parts) == ()


def test_infinity_is_in_no_interval_and_a_point_is_closed() -> None:
    assert build_interval(-math.inf, False, math.inf, False) == EVERYTHING
    assert build_points([2.0, 1.0, 2.0]) == (Piece(1.0, False, 1.0, False), Piece(2.0, False, 2.0, False))


@pytest.mark.parametrize(
    ("a", "b", "close"),
    [
        (1.0, 1.0 + 1e-12, True),
        (1.0, 1.0 + 1e-9, False),
        (1e-20, 2e-20, False),  # a small difference of small numbers is none of large ones
        (1e20, 1e20 + 1e5, True),
        (0.0, 1e-15, False),
        (math.inf, math.inf, True),
        (math.inf, -math.inf, False),
        (math.inf, 1e300, False),
    ],
)
def test_ends_are_close_relative_to_their_size(a: float, b: float, close: bool) -> None:
    assert are_close(a, b) is are_close(b, a) is close


def test_sets_are_the_same_up_to_rounding_of_their_ends_and_not_of_their_kind() -> None:
    root = math.sqrt(2)
    assert are_same(build_interval(0, False, root, True), build_interval(0, False, root + 1e-15, True))
    assert not are_same(build_interval(0, False, root, True), build_interval(0, False, root, False))
    assert not are_same(build_interval(0, False, 1, False), build_points([0, 1]))
