"""Prove identities of polynomials, fractions and surds by computing them in a prime field at random points.

Why: (x+1)^2 = x^2+2x+1, 2^2024 = 4^1012 and (2+sqrt 3)^2 = 7+4 sqrt 3 are decided in microseconds, with no number
larger than 64 bits, where expanding may explode. Two different forms agree at a random point with a probability of
about 2^-60.
Promises: bounded work; `fingerprint` of equal forms is equal; where it says `complete`, different means not equal.
"""

import hashlib
import math
from collections.abc import Callable
from dataclasses import dataclass, field
from fractions import Fraction

from inference_kit.grader.proving.exact import exact
from inference_kit.grader.values import CONSTANTS, EULER, IMAGINARY, INFINITY, Apply, Num, Sym, Value

PRIME = 2305843009213391209
"""Below 2^61; -1 and all primes up to 31 are squares in its field, and PRIME - 1 is 8 times an odd number."""

NON_SQUARE = 41
EIGHTH_ROOT = pow(NON_SQUARE, (PRIME - 1) // 8, PRIME)
"""A primitive eighth root of one; its square is a root of -1."""

ROOT_OF_MINUS_ONE = EIGHTH_ROOT * EIGHTH_ROOT % PRIME
LARGEST_FACTOR = 1000


class NoFingerprint(ArithmeticError):
    """The expression has no value in the field: a division by zero, infinity, a structure."""


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
            raise NoFingerprint
        if expression not in self.known:
            operation = OPERATIONS.get(expression.head)
            self.known[expression] = operation(self, expression) if operation else self._opaque(expression)
        return self.known[expression]

    def _symbol(self, symbol: Sym) -> int:
        if symbol == IMAGINARY:
            return ROOT_OF_MINUS_ONE
        if symbol == INFINITY:
            raise NoFingerprint
        if symbol in CONSTANTS and symbol == EULER:
            self.complete = False  # e may be hidden in a logarithm
        return self._random(f"symbol {symbol.name}")

    def _random(self, name: str) -> int:
        return int.from_bytes(hashlib.blake2b(f"{self.seed} {name}".encode(), digest_size=8).digest(), "big") % PRIME

    def _opaque(self, expression: Apply) -> int:
        """A function of known arguments: the same name and arguments give the same random residue."""
        if expression.head in STRUCTURAL:
            raise NoFingerprint
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
            return _power(root, number.numerator)
        if number.denominator != 1:
            return self._opaque(expression)
        return _power(self.value(base), number.numerator)

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
                    return self.value(other) * _power(self.value(base), shift.numerator) % PRIME
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

    def factorial(self, expression: Apply) -> int:
        """A factorial of a number within the limits."""
        number = exact(expression)
        return residue(number) if number is not None else self._opaque(expression)


def fingerprint(expression: Value, seed: str) -> tuple[int, bool] | None:
    """Return the residue of an expression at a random point and whether it is complete; None where it has none."""
    values = Field(seed)
    try:
        return values.value(expression), values.complete
    except (NoFingerprint, ArithmeticError, ValueError):
        return None


def residue(number: Fraction) -> int:
    """A rational number in the field."""
    return number.numerator * pow(number.denominator, -1, PRIME) % PRIME


def square_root(number: int) -> int | None:
    """A square root in the field, None where there is none: a power of the number, up to an eighth root of one."""
    root = pow(number, ((PRIME - 1) // 8 + 1) // 2, PRIME)
    for _ in range(8):
        if root * root % PRIME == number % PRIME:
            return root
        root = root * EIGHTH_ROOT % PRIME
    return None


def _power(base: int, exponent: int) -> int:
    if exponent < 0 and base % PRIME == 0:
        raise NoFingerprint
    return pow(base, exponent, PRIME)


def _divided(values: Field, expression: Apply) -> int:
    numerator, denominator = (values.value(argument) for argument in expression.args)
    if denominator == 0:
        raise NoFingerprint
    return numerator * pow(denominator, -1, PRIME) % PRIME


def _multiplied(values: Field, expression: Apply) -> int:
    return math.prod((values.value(argument) for argument in expression.args), start=1) % PRIME


STRUCTURAL = frozenset({"union", "intersection", "difference", "pm", "mp", "transpose", "det"})
OPERATIONS: dict[str, Callable[[Field, Apply], int]] = {
    "add": lambda values, sum_: sum(values.value(term) for term in sum_.args) % PRIME,
    "mul": _multiplied,
    "neg": lambda values, negated: -values.value(negated.args[0]) % PRIME,
    "div": _divided,
    "pow": Field.power,
    "root": Field.root,
    "percent": lambda values, share: values.value(share.args[0]) * pow(100, -1, PRIME) % PRIME,
    "factorial": Field.factorial,
    "factorial2": Field.factorial,
    "binom": Field.factorial,
    "abs": Field.factorial,
    "floor": Field.factorial,
    "ceil": Field.factorial,
    "max": Field.factorial,
    "min": Field.factorial,
    "gcd": Field.factorial,
    "lcm": Field.factorial,
    "mod": Field.factorial,
    "log": Field.factorial,
    "log10": Field.factorial,
}
