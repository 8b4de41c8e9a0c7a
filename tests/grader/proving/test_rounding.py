"""A decimal of enough digits may be a rounded value; one of fewer is nothing but itself."""

from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from inference_kit.grader.proving.rounding import ENOUGH_DIGITS, is_rounded, is_rounded_irrational
from inference_kit.grader.reading.latex import parse_latex


@pytest.mark.parametrize(
    ("decimal", "value", "expected"),
    [
        ("0.6666667", "2/3", True),
        ("0.666666", "2/3", True),  # cut off
        ("0.66667", "2/3", False),  # five digits
        ("0.6666669", "2/3", False),
        ("0.7666667", "2/3", False),
        ("-0.6666667", "-2/3", True),
        ("-0.6666667", "2/3", False),
        ("142857.1", "1000000/7", True),
        ("142857.3", "1000000/7", False),
        ("0.00123457", "1/810", True),
        ("0.0012346", "1/810", False),
        ("1.23456e-10", "123456789/1000000000000000000", True),
        ("0.37500001", "3/8", False),  # 3/8 would have been written 0.37500000
        ("0.375000", "3/8", False),  # and is equal anyway, not rounded
        ("0.3000000000000000444", "3/10", True),  # double precision
        ("0.30000000000004", "3/10", False),
        ("666667", "2000001/3", False),  # no decimal
    ],
)
def test_a_decimal_is_a_rounded_value(decimal: str, value: str, expected: bool) -> None:
    assert is_rounded(parse_latex(decimal), Fraction(value)) is expected


@settings(max_examples=100, deadline=None)
@given(st.integers(1, 10**6), st.sampled_from([3, 7, 11, 13, 17, 97, 3003]), st.integers(ENOUGH_DIGITS, 14))
def test_a_fraction_rounded_to_enough_digits_is_found_and_two_units_further_is_not(
    numerator: int, denominator: int, digits: int
) -> None:
    value = Fraction(numerator, denominator)
    if value.denominator == 1:
        return
    places = digits - len(str(int(value)))
    if places < 1 or value < 1:
        return
    shown = f"{float(value):.{places}f}"
    further = f"{float(value) + 2 * 10.0**-places:.{places}f}"
    assert is_rounded(parse_latex(shown), value)
    assert not is_rounded(parse_latex(further), value)


@pytest.mark.parametrize(
    ("a", "b", "expected"),
    [
        ("1.7320508", r"\sqrt3", True),
        (r"\sqrt3", "1.7320508", True),
        ("1.73", r"\sqrt3", False),
        ("1.7320608", r"\sqrt3", False),
        ("3.1415926535", r"\pi", True),
        ("2.5000001", "5/2", False),  # no irrational number
        ("1.414214", r"\sqrt{x}", False),
        ("1.414214", "1.414213", False),
        ("1", r"\pi", False),
    ],
)
def test_a_decimal_is_the_beginning_of_an_irrational_number(a: str, b: str, expected: bool) -> None:
    assert is_rounded_irrational(parse_latex(a), parse_latex(b)) is expected
