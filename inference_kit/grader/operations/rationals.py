"""Exact operations on rational numbers, bounded in size.

Why: most answers are rational, and their exact value decides a comparison both ways, with no tolerance.
Promises: a result that is irrational, undefined or beyond the limits raises `TooLarge` or `ZeroDivisionError`.
"""

import math
from collections.abc import Callable
from fractions import Fraction

MOST_BITS = 200_000
LARGEST_FACTORIAL = 10_000
LARGEST_DOUBLE_FACTORIAL = 2000
HIGHEST_ROOT = 64
MOST_ROOT_BITS = 4096
"""Of larger numbers only the square root is taken: bisection for other roots costs too much."""

MOST_LOGARITHM = 4096


class TooLarge(ArithmeticError):
    """A number beyond the limit, or an operation without a rational result."""


def add(*terms: Fraction) -> Fraction:
    """Return the sum."""
    return sum(terms, Fraction(0))


def multiply(*factors: Fraction) -> Fraction:
    """Return the product; it is checked after each factor, so that it cannot explode."""
    result = Fraction(1)
    for factor in factors:
        result *= factor
        if result.numerator.bit_length() > MOST_BITS:
            raise TooLarge
    return result


def raise_to(base: Fraction, exponent: Fraction) -> Fraction:
    """Return base^exponent; for p/q the p-th power of the q-th root."""
    if exponent.denominator != 1:
        return raise_to(take_root(base, Fraction(exponent.denominator)), Fraction(exponent.numerator))
    bits = max(base.numerator.bit_length(), base.denominator.bit_length())
    # |base| is neither 0 nor 1, so its power has about `bits` times `exponent` bits.
    if abs(base.numerator) + base.denominator > 2 and bits * abs(exponent.numerator) > MOST_BITS:
        raise TooLarge
    # What is left for such an exponent is a base of 0, 1 or -1, of which only the parity of the exponent counts.
    if abs(exponent.numerator) > MOST_BITS:
        return base if base in (0, 1) or exponent.numerator % 2 else base * base
    return base**exponent.numerator


def take_root(radicand: Fraction, index: Fraction) -> Fraction:
    """Return the rational root; an odd one of a negative number is negative."""
    if index.denominator != 1 or not 1 <= index.numerator <= HIGHEST_ROOT:
        raise TooLarge
    degree = index.numerator
    if radicand < 0:
        if degree % 2 == 0:
            raise TooLarge
        return -take_root(-radicand, index)
    return Fraction(_whole_root(radicand.numerator, degree), _whole_root(radicand.denominator, degree))


def _whole_root(radicand: int, degree: int) -> int:
    if degree == 1 or radicand < 2:
        return radicand
    if degree == 2:
        root = math.isqrt(radicand)
    else:
        if radicand.bit_length() > MOST_ROOT_BITS:
            raise TooLarge
        root = _floor_root(radicand, degree)
    if root**degree != radicand:
        raise TooLarge
    return root


def _floor_root(radicand: int, degree: int) -> int:
    """Find the largest whole number whose power is not above the radicand, by bisection."""
    low, high = 0, 1 << (radicand.bit_length() // degree + 1)
    while low < high:
        middle = (low + high + 1) // 2
        low, high = (middle, high) if middle**degree <= radicand else (low, middle - 1)
    return low


def to_natural(number: Fraction, largest: int = LARGEST_FACTORIAL) -> int:
    """Return the number as a natural one, within a limit."""
    if number.denominator != 1 or not 0 <= number <= largest:
        raise TooLarge
    return number.numerator


def factorial(n: Fraction) -> Fraction:
    """Return n!."""
    return Fraction(math.factorial(to_natural(n)))


def double_factorial(n: Fraction) -> Fraction:
    """Return n!! = n (n - 2) (n - 4) ..."""
    return multiply(*map(Fraction, range(to_natural(n, LARGEST_DOUBLE_FACTORIAL), 0, -2)))


def binomial(n: Fraction, k: Fraction) -> Fraction:
    """Return n over k."""
    return Fraction(math.comb(to_natural(n), to_natural(k)))


def logarithm(argument: Fraction, base: Fraction = Fraction(0)) -> Fraction:
    """Return the logarithm of a whole power of its base; without a base only log 1 = 0 is the same in every one."""
    if base == 0 and argument == 1:
        return Fraction(0)
    if base <= 1 or argument <= 0 or argument.numerator.bit_length() > MOST_LOGARITHM:
        raise TooLarge
    exponent = round(math.log(argument) / math.log(base))
    if abs(exponent) > MOST_LOGARITHM or base**exponent != argument:
        raise TooLarge
    return Fraction(exponent)


def restrict_to_whole(function: Callable[..., int]) -> Callable[..., Fraction]:
    """Turn a function of whole numbers into one of rational numbers, which refuses all others."""

    def apply(*numbers: Fraction) -> Fraction:
        if any(number.denominator != 1 for number in numbers):
            raise TooLarge
        return Fraction(function(*(number.numerator for number in numbers)))

    return apply
