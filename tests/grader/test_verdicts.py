"""Verdicts combine by Kleene's logic, and are read no further than it takes."""

from collections.abc import Iterator
from itertools import product

import pytest

from inference_kit.grader.verdicts import NO, UNKNOWN, YES, Verdict, all_equal, any_equal, decide

VERDICTS = (YES, NO, UNKNOWN)


@pytest.mark.parametrize("verdicts", [row for length in range(4) for row in product(VERDICTS, repeat=length)])
def test_all_of_them_are_equal_unless_one_is_not_or_may_not_be(verdicts: tuple[Verdict, ...]) -> None:
    expected = NO if NO in verdicts else UNKNOWN if UNKNOWN in verdicts else YES
    assert all_equal(verdicts) is expected


@pytest.mark.parametrize("verdicts", [row for length in range(4) for row in product(VERDICTS, repeat=length)])
def test_any_of_them_is_equal_where_not_all_are_different(verdicts: tuple[Verdict, ...]) -> None:
    opposite = {YES: NO, NO: YES, UNKNOWN: UNKNOWN}
    assert any_equal(verdicts) is opposite[all_equal(opposite[verdict] for verdict in verdicts)]


def test_nothing_is_compared_after_the_verdict_that_decides() -> None:
    def endless(decisive: Verdict) -> Iterator[Verdict]:
        yield UNKNOWN
        yield decisive
        raise AssertionError("compared too much")

    assert all_equal(endless(NO)) is NO
    assert any_equal(endless(YES)) is YES


def test_a_verdict_is_never_taken_for_a_truth_value() -> None:
    for verdict in VERDICTS:
        with pytest.raises(TypeError, match="three values"):
            bool(verdict)


def test_what_is_known_is_yes_or_no() -> None:
    assert decide(True) is YES
    assert decide(False) is NO
