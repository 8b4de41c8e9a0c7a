"""Compute the rational value of an expression without variables, where it has one.

Why: most answers are rational numbers, and these decide a comparison both ways, with no tolerance.
Promises: bounded: no number grows beyond `MOST_BITS`; what is irrational, unknown or too large is None.
"""

from fractions import Fraction
from functools import lru_cache

from inference_kit.grader.operations.rationals import MOST_BITS, TooLarge
from inference_kit.grader.operations.table import OPERATIONS
from inference_kit.grader.values import Apply, Num, Value

MEANINGS = {name: operation.exact for name, operation in OPERATIONS.items() if operation.exact is not None}


def compute_rational(value: Value) -> Fraction | None:
    """Return the rational value of an expression, None where it has none that can be had cheaply."""
    # Most answers are numbers, and to look one up takes longer than to read it.
    return value.value if isinstance(value, Num) else _compute_within_bounds(value)


@lru_cache(maxsize=256)
def _compute_within_bounds(value: Value) -> Fraction | None:
    try:
        return _compute(value)
    except (TooLarge, ZeroDivisionError):
        return None


def _compute(value: Value) -> Fraction:
    if isinstance(value, Num):
        return value.value
    if not isinstance(value, Apply):
        raise TooLarge
    meaning = MEANINGS.get(value.head)
    if meaning is None:
        raise TooLarge
    result = meaning(*[_compute(argument) for argument in value.args])
    if result.numerator.bit_length() + result.denominator.bit_length() > MOST_BITS:
        raise TooLarge
    return result
