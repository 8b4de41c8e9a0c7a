"""Prove identities of polynomials, fractions and surds by computing them in a prime field at random points.

Why: (x+1)^2 = x^2+2x+1, 2^2024 = 4^1012 and (2+sqrt 3)^2 = 7+4 sqrt 3 are decided in microseconds, with no number
larger than 64 bits, where expanding may explode. Two different forms agree at a random point with a probability of
about 2^-60.
Promises: bounded work; the same fingerprint means equal forms; a different one means not equal where both are
`complete`, else nothing.
"""

import hashlib
import math
from dataclasses import dataclass, field
from fractions import Fraction
from typing import NamedTuple

from inference_kit.grader.operations.residues import (
    PRIME,
    ROOT_OF_MINUS_ONE,
    NoResidue,
    raise_to,
    take_square_root,
    to_residue,
)
from inference_kit.grader.operations.table import OPERATIONS
from inference_kit.grader.proving.exact import compute_rational
from inference_kit.grader.values import EULER, IMAGINARY, INFINITY, Apply, Num, Sym, Value

LARGEST_FACTOR = 1000
"""Up to here prime factors are split off; a number below its square that is left over is a prime."""

MOST_ROOT_BITS = 128


class Fingerprint(NamedTuple):
    """The residue of an expression at a random point; `complete` where all was computed and nothing only named."""

    residue: int
    complete: bool


def fingerprint(expression: Value, seed: str) -> Fingerprint | None:
    """Return the fingerprint of an expression at the point that a seed draws, None where it has none."""
    values = Field(seed)
    try:
        return Fingerprint(values.value(expression), values.complete)
    except (NoResidue, ArithmeticError, ValueError):
        return None


@dataclass(slots=True)
class Field:
    """Values of an expression in the prime field; `complete` turns false where a part was only named, not computed."""

    seed: str
    complete: bool = True
    known: dict[Value, int] = field(default_factory=dict)

    def value(self, expression: Value) -> int:
        """Return the residue of an expression."""
        if isinstance(expression, Num):
            return to_residue(expression.value)
        if isinstance(expression, Sym):
            return self._symbol(expression)
        if not isinstance(expression, Apply):
            raise NoResidue
        if expression not in self.known:
            self.known[expression] = self._apply(expression)
        return self.known[expression]

    def _apply(self, expression: Apply) -> int:
        """Compute by the operation's own meaning, else by the rational value, else as something unknown."""
        operation = OPERATIONS.get(expression.head)
        if operation is None:
            return self._name_opaque(expression)
        if operation.residue is not None:
            return operation.residue(self, expression)
        if operation.kind != "number":
            raise NoResidue
        number = compute_rational(expression) if operation.exact is not None else None
        return to_residue(number) if number is not None else self._name_opaque(expression)

    def _symbol(self, symbol: Sym) -> int:
        if symbol == IMAGINARY:
            return ROOT_OF_MINUS_ONE
        if symbol == INFINITY:
            raise NoResidue
        if symbol == EULER:
            self.complete = False  # e may be hidden in a logarithm
        return self._draw(f"symbol {symbol.name}")

    def _draw(self, name: str) -> int:
        return int.from_bytes(hashlib.blake2b(f"{self.seed} {name}".encode(), digest_size=8).digest(), "big") % PRIME

    def _name_opaque(self, expression: Apply) -> int:
        """Return a residue for what cannot be computed: random, but the same for the same name and arguments."""
        self.complete = False
        return self._draw(f"{expression.head} {[self.value(argument) for argument in expression.args]}")

    def power(self, expression: Apply) -> int:
        """Return a power with a whole exponent of any size, or a half of one."""
        base, exponent = expression.args
        if base == EULER:
            return self._name_opaque(expression)
        number = compute_rational(exponent)
        if number is None:
            return self._symbolic_power(expression)
        if number.denominator == 2:
            root = self.value(Apply("root", (base, Num(Fraction(2)))))
            return raise_to(root, number.numerator)
        if number.denominator != 1:
            return self._name_opaque(expression)
        return raise_to(self.value(base), number.numerator)

    def _symbolic_power(self, expression: Apply) -> int:
        """Take the whole number out of an exponent: 2^(n+1) = 2 * 2^n; that x^(-n) = 1/x^n stays unknown."""
        base, exponent = expression.args
        terms = exponent.args if isinstance(exponent, Apply) and exponent.head == "add" else ()
        rational = [number for number in map(compute_rational, terms) if number is not None]
        rest = tuple(term for term in terms if compute_rational(term) is None)
        if len(rational) != 1 or rational[0].denominator != 1 or not rest:
            return self._name_opaque(expression)
        other = Apply("pow", (base, rest[0] if len(rest) == 1 else Apply("add", rest)))
        return self.value(other) * raise_to(self.value(base), rational[0].numerator) % PRIME

    def root(self, expression: Apply) -> int:
        """Return the square root of a rational number, p/q = (pq)/q^2; every other root is opaque."""
        radicand, index = expression.args
        number = compute_rational(radicand)
        if number is None or compute_rational(index) != 2 or _count_bits(number) > MOST_ROOT_BITS:
            return self._name_opaque(expression)
        root = self._take_whole_root(abs(number.numerator * number.denominator))
        sign = ROOT_OF_MINUS_ONE if number < 0 else 1
        return root * sign * pow(number.denominator, -1, PRIME) % PRIME

    def _take_whole_root(self, radicand: int) -> int:
        """Multiply the roots of the prime factors, so that sqrt 6 is sqrt 2 times sqrt 3."""
        result = 1
        for factor in range(2, LARGEST_FACTOR):
            while radicand % (factor * factor) == 0 and radicand:
                radicand //= factor * factor
                result = result * factor % PRIME
            if radicand % factor == 0:
                radicand //= factor
                result = result * self._take_prime_root(factor) % PRIME
            if factor * factor > radicand:  # what is left is 1 or a prime
                break
        left = math.isqrt(radicand)
        if left * left == radicand:
            return result * left % PRIME
        return result * self._take_prime_root(radicand) % PRIME

    def _take_prime_root(self, prime: int) -> int:
        if prime < LARGEST_FACTOR * LARGEST_FACTOR:
            root = take_square_root(prime)
            if root is not None:
                return root
        self.complete = False
        return self._draw(f"root {prime}")


def _count_bits(number: Fraction) -> int:
    return number.numerator.bit_length() + number.denominator.bit_length()
