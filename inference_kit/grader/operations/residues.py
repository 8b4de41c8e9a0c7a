"""Arithmetic in the prime field in which identities are proved.

Why: residues never grow, so an identity of huge numbers costs as little as one of small ones.
Promises: pure; a division by zero raises `NoResidue`.
"""

import math
from fractions import Fraction

from inference_kit.grader.operations.operation import Residues
from inference_kit.grader.values import Apply

PRIME = 2305843009213391209
"""Below 2^61; -1 and all primes up to 31 are squares in its field, and PRIME - 1 is 8 times an odd number."""

NON_SQUARE = 41
EIGHTH_ROOT = pow(NON_SQUARE, (PRIME - 1) // 8, PRIME)
"""A primitive eighth root of one; its square is a root of -1."""

ROOT_OF_MINUS_ONE = EIGHTH_ROOT * EIGHTH_ROOT % PRIME


class NoResidue(ArithmeticError):
    """The expression has no value in the field: a division by zero, infinity, a structure."""


def to_residue(number: Fraction) -> int:
    """Return a rational number in the field."""
    return number.numerator * pow(number.denominator, -1, PRIME) % PRIME


def take_square_root(number: int) -> int | None:
    """Return a square root in the field, None where there is none.

    PRIME - 1 = 8 m with m odd, so a square s has s^m among the fourth roots of one, and s^((m + 1) / 2) is a root of s
    up to a factor among the eighth roots of one: these are tried one by one.
    """
    root = pow(number, ((PRIME - 1) // 8 + 1) // 2, PRIME)
    for _ in range(8):
        if root * root % PRIME == number % PRIME:
            return root
        root = root * EIGHTH_ROOT % PRIME
    return None


def raise_to(base: int, exponent: int) -> int:
    """Return a whole power."""
    if exponent < 0 and base % PRIME == 0:
        raise NoResidue
    return pow(base, exponent, PRIME)


def add(values: Residues, total: Apply) -> int:
    """Return the residue of a sum."""
    return sum(values.value(term) for term in total.args) % PRIME


def multiply(values: Residues, product: Apply) -> int:
    """Return the residue of a product."""
    return math.prod((values.value(factor) for factor in product.args), start=1) % PRIME


def negate(values: Residues, negated: Apply) -> int:
    """Return the residue of -x."""
    return -values.value(negated.args[0]) % PRIME


def divide(values: Residues, quotient: Apply) -> int:
    """Return the residue of a quotient."""
    numerator, denominator = (values.value(argument) for argument in quotient.args)
    if denominator == 0:
        raise NoResidue
    return numerator * pow(denominator, -1, PRIME) % PRIME


def take_hundredth(values: Residues, percentage: Apply) -> int:
    """Return the residue of x / 100."""
    return values.value(percentage.args[0]) * pow(100, -1, PRIME) % PRIME
