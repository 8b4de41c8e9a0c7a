"""Exact arithmetic: the rational value of an expression without variables, where it has one.

Why: most answers are rational numbers, and these decide a comparison both ways, with no tolerance.
Promises: bounded: no number grows beyond `MOST_BITS`; what is irrational, unknown or too large is None.
"""

import math
from collections.abc import Callable
from fractions import Fraction
from functools import lru_cache

from inference_kit.grader.values import Apply, Num, Value

MOST_BITS = 200_000
LARGEST_FACTORIAL = 10_000
MOST_TERMS = 10_000


class TooLarge(ArithmeticError):
    """A number beyond the limit, or an operation without a rational result."""


@lru_cache(maxsize=256)
def exact(value: Value) -> Fraction | None:
    """Return the rational value of an expression, None where it has none that can be had cheaply."""
    try:
        return _exact(value)
    except (TooLarge, ZeroDivisionError):
        return None


def _exact(value: Value) -> Fraction:
    if isinstance(value, Num):
        return value.value
    if not isinstance(value, Apply):
        raise TooLarge
    operation = OPERATIONS.get(value.head)
    if operation is None:
        raise TooLarge
    result = operation(*[_exact(argument) for argument in value.args])
    if result.numerator.bit_length() + result.denominator.bit_length() > MOST_BITS:
        raise TooLarge
    return result


def _sum(*terms: Fraction) -> Fraction:
    return sum(terms, Fraction(0))


def _product(*factors: Fraction) -> Fraction:
    result = Fraction(1)
    for factor in factors:
        result *= factor
        if result.numerator.bit_length() > MOST_BITS:
            raise TooLarge
    return result


def _power(base: Fraction, exponent: Fraction) -> Fraction:
    if exponent.denominator != 1:
        return _power(_root(base, Fraction(exponent.denominator)), Fraction(exponent.numerator))
    bits = max(base.numerator.bit_length(), base.denominator.bit_length())
    if abs(base.numerator) + base.denominator > 2 and bits * abs(exponent.numerator) > MOST_BITS:
        raise TooLarge
    if abs(exponent.numerator) > MOST_BITS:
        return base if base in (0, 1) or exponent.numerator % 2 else base * base
    return base**exponent.numerator


def _root(radicand: Fraction, index: Fraction) -> Fraction:
    if index.denominator != 1 or not 1 <= index.numerator <= 64:
        raise TooLarge
    degree = index.numerator
    if radicand < 0:
        if degree % 2 == 0:
            raise TooLarge
        return -_root(-radicand, index)
    return Fraction(_whole_root(radicand.numerator, degree), _whole_root(radicand.denominator, degree))


def _whole_root(radicand: int, degree: int) -> int:
    if degree == 1 or radicand < 2:
        return radicand
    if degree == 2:
        root = math.isqrt(radicand)
    else:
        if radicand.bit_length() > 4096:
            raise TooLarge
        root = _floor_root(radicand, degree)
    if root**degree != radicand:
        raise TooLarge
    return root


def _floor_root(radicand: int, degree: int) -> int:
    low, high = 0, 1 << (radicand.bit_length() // degree + 1)
    while low < high:
        middle = (low + high + 1) // 2
        low, high = (middle, high) if middle**degree <= radicand else (low, middle - 1)
    return low


def whole(number: Fraction, largest: int = LARGEST_FACTORIAL) -> int:
    """The number as a natural one, within a limit."""
    if number.denominator != 1 or not 0 <= number <= largest:
        raise TooLarge
    return number.numerator


def _binomial(n: Fraction, k: Fraction) -> Fraction:
    return Fraction(math.comb(whole(n), whole(k)))


def _double_factorial(n: Fraction) -> Fraction:
    return _product(*map(Fraction, range(whole(n, 2000), 0, -2)))


def _whole_numbers(function: Callable[..., int]) -> Callable[..., Fraction]:
    def applied(*numbers: Fraction) -> Fraction:
        if any(number.denominator != 1 for number in numbers):
            raise TooLarge
        return Fraction(function(*(number.numerator for number in numbers)))

    return applied


def _logarithm(argument: Fraction, base: Fraction = Fraction(0)) -> Fraction:
    """log of a whole power of its base."""
    if base == 0 and argument == 1:
        return Fraction(0)
    if base <= 1 or argument <= 0 or argument.numerator.bit_length() > 4096:
        raise TooLarge
    exponent = round(math.log(argument) / math.log(base))
    if abs(exponent) > 4096 or base**exponent != argument:
        raise TooLarge
    return Fraction(exponent)


OPERATIONS: dict[str, Callable[..., Fraction]] = {
    "add": _sum,
    "mul": _product,
    "neg": lambda a: -a,
    "div": lambda a, b: a / b,
    "pow": _power,
    "root": _root,
    "abs": abs,
    "floor": lambda a: Fraction(math.floor(a)),
    "ceil": lambda a: Fraction(math.ceil(a)),
    "max": lambda *numbers: max(numbers),
    "min": lambda *numbers: min(numbers),
    "gcd": _whole_numbers(math.gcd),
    "lcm": _whole_numbers(math.lcm),
    "mod": lambda a, b: a % b,
    "factorial": lambda n: Fraction(math.factorial(whole(n))),
    "factorial2": _double_factorial,
    "binom": _binomial,
    "percent": lambda a: a / 100,
    "log": _logarithm,
    "log10": lambda a: _logarithm(a, Fraction(10)),
}
