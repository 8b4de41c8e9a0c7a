"""Prove identities of polynomials, fractions and surds by computing them in a prime field at random points.

Why: (x+1)^2 = x^2+2x+1, 2^2024 = 4^1012 and (2+sqrt 3)^2 = 7+4 sqrt 3 are decided in microseconds, with no number
larger than 64 bits, where expanding may explode. Two different forms agree at a random point with a probability of
about 2^-60.
Promises: bounded work; `fingerprint` of equal forms is equal; where it says `complete`, different means not equal.
"""

import hashlib
import math
from dataclasses import dataclass, field
from fractions import Fraction

from inference_kit.grader.operations.residues import (
    PRIME,
    ROOT_OF_MINUS_ONE,
    NoResidue,
    raise_to,
    residue,
    square_root,
)
from inference_kit.grader.operations.table import OPERATIONS
from inference_kit.grader.proving.exact import exact
from inference_kit.grader.values import CONSTANTS, EULER, IMAGINARY, INFINITY, Apply, Num, Sym, Value

LARGEST_FACTOR = 1000


@dataclass(slots=True)
class Field:
    """Values of an expression in the prime field; `complete` turns false where a part was only named, not computed."""

    seed: str
    complete: bool = True
    known: dict[Value, int] = field(default_factory=dict)

    def value(self, expression: Value) -> int:
        """The residue of an expression."""
        if isinstance(expression, Num):
            return residue(expression.value)
        if isinstance(expression, Sym):
            return self._symbol(expression)
        if not isinstance(expression, Apply):
            raise NoResidue
        if expression not in self.known:
            self.known[expression] = self._apply(expression)
        return self.known[expression]

    def _apply(self, expression: Apply) -> int:
        """By its own meaning in the field, else by its exact value where it has one, else as something unknown."""
        operation = OPERATIONS.get(expression.head)
        if operation is None:
            return self._opaque(expression)
        if operation.residue is not None:
            return operation.residue(self, expression)
        if operation.kind != "number":
            raise NoResidue
        number = exact(expression) if operation.exact is not None else None
        return residue(number) if number is not None else self._opaque(expression)

    def _symbol(self, symbol: Sym) -> int:
        if symbol == IMAGINARY:
            return ROOT_OF_MINUS_ONE
        if symbol == INFINITY:
            raise NoResidue
        if symbol in CONSTANTS and symbol == EULER:
            self.complete = False  # e may be hidden in a logarithm
        return self._random(f"symbol {symbol.name}")

    def _random(self, name: str) -> int:
        return int.from_bytes(hashlib.blake2b(f"{self.seed} {name}".encode(), digest_size=8).digest(), "big") % PRIME

    def _opaque(self, expression: Apply) -> int:
        """A function of known arguments: the same name and arguments give the same random residue."""
        self.complete = False
        return self._random(f"{expression.head} {[self.value(argument) for argument in expression.args]}")

    def power(self, expression: Apply) -> int:
        """A power with a whole exponent of any size, or a half of one."""
        base, exponent = expression.args
        if base == EULER:
            return self._opaque(expression)
        number = exact(exponent)
        if number is None:
            return self._symbolic_power(expression)
        if number.denominator == 2:
            root = self.value(Apply("root", (base, Num(Fraction(2)))))
            return raise_to(root, number.numerator)
        if number.denominator != 1:
            return self._opaque(expression)
        return raise_to(self.value(base), number.numerator)

    def _symbolic_power(self, expression: Apply) -> int:
        """2^(n+1) = 2 * 2^n: the whole number in the exponent is taken out; x^(-n) = 1/x^n stays unknown."""
        base, exponent = expression.args
        if isinstance(exponent, Apply) and exponent.head == "add":
            numbers = [exact(term) for term in exponent.args]
            if sum(number is not None for number in numbers) == 1:
                shift = next(number for number in numbers if number is not None)
                rest = tuple(term for term, number in zip(exponent.args, numbers, strict=True) if number is None)
                if shift.denominator == 1 and rest:
                    other = Apply("pow", (base, rest[0] if len(rest) == 1 else Apply("add", rest)))
                    return self.value(other) * raise_to(self.value(base), shift.numerator) % PRIME
        return self._opaque(expression)

    def root(self, expression: Apply) -> int:
        """The square root of a rational number, as a product over primes; every other root is opaque."""
        radicand, index = expression.args
        number = exact(radicand)
        if number is None or exact(index) != 2 or number.denominator.bit_length() + number.numerator.bit_length() > 128:
            return self._opaque(expression)
        root = self._whole_root(abs(number.numerator * number.denominator))
        sign = ROOT_OF_MINUS_ONE if number < 0 else 1
        return root * sign * pow(number.denominator, -1, PRIME) % PRIME

    def _whole_root(self, radicand: int) -> int:
        """The product of the roots of its prime factors, so that sqrt 6 is sqrt 2 times sqrt 3."""
        result = 1
        for factor in range(2, LARGEST_FACTOR):
            while radicand % (factor * factor) == 0 and radicand:
                radicand //= factor * factor
                result = result * factor % PRIME
            if radicand % factor == 0:
                radicand //= factor
                result = result * self._prime_root(factor) % PRIME
            if factor * factor > radicand:
                break
        left = math.isqrt(radicand)
        if left * left == radicand:
            return result * left % PRIME
        return result * self._prime_root(radicand) % PRIME

    def _prime_root(self, prime: int) -> int:
        if prime < LARGEST_FACTOR * LARGEST_FACTOR:
            root = square_root(prime)
            if root is not None:
                return root
        self.complete = False
        return self._random(f"root {prime}")


def fingerprint(expression: Value, seed: str) -> tuple[int, bool] | None:
    """Return the residue of an expression at a random point and whether it is complete; None where it has none."""
    values = Field(seed)
    try:
        return values.value(expression), values.complete
    except (NoResidue, ArithmeticError, ValueError):
        return None
