"""Operations on complex numbers, in double precision or with many digits: the library is given.

Why: cmath here and mpmath in a worker follow the same rules, so that they cannot disagree on what an answer means.
Promises: an odd root of a negative number is real; what is undefined or too large raises `NoValue`.
"""

import math
from collections.abc import Callable
from typing import Any

from inference_kit.grader.operations.operation import NoValue, Numbers

LARGEST_FACTORIAL = 170
"""171! is beyond double precision."""

LARGEST_ROUNDED = 1e15
"""Of larger numbers double precision does not know the digits after the point."""


def real_part(value: Any) -> Any:
    """Return the real part, of a complex number or of any other."""
    return value.real if isinstance(value, complex) or hasattr(value, "real") else value


def is_real(value: Any) -> bool:
    """Say whether a computed number is real, up to rounding; zero is, whatever its size."""
    return abs(value.imag) <= 1e-11 * (abs(value) + 1e-300) if hasattr(value, "imag") else True


def divide(at: Numbers, numerator: Any, denominator: Any) -> Any:
    """Return a quotient."""
    if denominator == 0:
        raise NoValue
    return numerator / denominator


def take_root(at: Numbers, radicand: Any, index: Any) -> Any:
    """Return the principal root, but the real one where an odd root of a negative number is taken."""
    if is_real(radicand) and real_part(radicand) < 0 and is_real(index) and real_part(index) % 2 == 1:
        return -((-real_part(radicand)) ** (1 / index))
    if radicand == 0:
        return radicand
    if index == 2:
        return at.library.sqrt(radicand)
    return divide(at, 1, index) and radicand ** (1 / index)


def logarithm(at: Numbers, argument: Any, base: Any = None) -> Any:
    """Return the logarithm; without a base, that of the evaluator."""
    if argument == 0:
        raise NoValue
    base = at.log_base if base is None else base
    natural = at.library.log(argument)
    return natural if base is None else divide(at, natural, at.library.log(base))


def factorial(at: Numbers, argument: Any) -> Any:
    """Return n!, between whole numbers the gamma function's value."""
    value = real_part(argument)
    if abs(argument - value) > 0 or value < 0 or value > LARGEST_FACTORIAL:
        raise NoValue
    return at.number(math.factorial(int(value))) if value == int(value) else at.number(math.gamma(value + 1))


def binomial(at: Numbers, n: Any, k: Any) -> Any:
    """Return n over k = n! / (k! (n - k)!), which is 0 where there are more to choose than there are."""
    rest = real_part(n - k)
    if is_real(n - k) and rest < 0 <= real_part(n) and rest == round(rest):
        return at.number(0)
    return divide(at, factorial(at, n), factorial(at, k) * factorial(at, n - k))


def make_rounding(function: Callable[[Any], int]) -> Callable[..., Any]:
    """Make an operation of floor or ceil, which is not known so near a whole number that an error might decide."""

    def apply(at: Numbers, argument: Any) -> Any:
        value = real_part(argument)
        if abs(value) > LARGEST_ROUNDED or abs(value - round(value)) < 1e-9:
            raise NoValue
        return at.number(function(value))

    return apply


def make_choice(function: Callable[..., Any]) -> Callable[..., Any]:
    """Make an operation of max or min, which complex numbers do not have."""

    def apply(at: Numbers, *arguments: Any) -> Any:
        if not all(map(is_real, arguments)):
            raise NoValue
        return function(real_part(argument) for argument in arguments)

    return apply


def make_call(name: str) -> Callable[..., Any]:
    """Make an operation of the library's function of this name."""
    return lambda at, argument: getattr(at.library, name)(argument)


def make_reciprocal(name: str) -> Callable[..., Any]:
    """Make the operation 1 / name(x)."""
    return lambda at, argument: divide(at, 1, getattr(at.library, name)(argument))


def make_of_reciprocal(name: str) -> Callable[..., Any]:
    """Make the operation name(1 / x)."""
    return lambda at, argument: getattr(at.library, name)(divide(at, 1, argument))
