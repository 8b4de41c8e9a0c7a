"""Decimals that are a value rounded or cut off: 0.6666667 is 2/3, 3.14 is not pi.

Why: a decimal of many digits is a calculator's way of writing an exact value; one of a few is another number.
Promises: pure; a decimal of fewer than `ENOUGH_DIGITS` significant digits is nothing but itself.
"""

from fractions import Fraction

from inference_kit.grader.proving.exact import compute_rational
from inference_kit.grader.proving.points import compute_real
from inference_kit.grader.values import Num, Value, list_symbols

ENOUGH_DIGITS = 6
DOUBLE_DIGITS = 15
"""The significant digits that double precision has; what shows as many was computed in it."""


def is_rounded(decimal: Value, value: Fraction) -> bool:
    """Say whether a decimal of enough digits is an exact value, rounded or cut off in its last digit."""
    number = _read_decimal(decimal)
    if number is None or number.digits < ENOUGH_DIGITS or not number.value:
        return False
    unit = Fraction(10) ** -_count_places(number)
    difference = abs(number.value - value)
    # Rounding errors of double precision reach the last digit that it shows, and the one before.
    if number.digits >= DOUBLE_DIGITS:
        return difference <= 2 * unit or difference <= abs(value) / 10**DOUBLE_DIGITS
    # A multiple of the unit has no more places than are shown: 3/8 would have been written 0.37500000, not 0.37500001.
    if (value / unit).denominator == 1:
        return False
    # Rounding moves by half a unit at most, cutting off by less than one and towards zero.
    return 2 * difference <= unit or (difference < unit and abs(number.value) < abs(value))


def is_rounded_irrational(a: Value, b: Value) -> bool:
    """Say whether one side is a decimal of enough digits and the other an irrational number that it is rounded from."""
    for decimal, other in ((a, b), (b, a)):
        if _read_decimal(decimal) is None or list_symbols(other):
            continue
        value = compute_real(other)
        if value is not None and compute_rational(other) is None:
            return is_rounded(decimal, Fraction(value))
    return False


def _read_decimal(value: Value) -> Num | None:
    """Return the value as a decimal that may be a rounded one, None where it is none."""
    return value if isinstance(value, Num) and value.digits else None


def _count_places(number: Num) -> int:
    """Count the places after the point down to the last significant digit; negative where that stands before it.

    With d significant digits and m digits before the point it is the place d - m; 0.00123456 has m = -2.
    """
    size = abs(number.value)
    before_point = len(str(int(size))) if size >= 1 else -_count_leading_zeros(size)
    return number.digits - before_point


def _count_leading_zeros(size: Fraction) -> int:
    zeros = 0
    while size * 10 < 1:
        size *= 10
        zeros += 1
    return zeros
