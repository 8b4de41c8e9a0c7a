"""Constructors of sympy objects; the library is given, so that only a worker imports it.

Why: sympy evaluates what it constructs, and a tower of powers would never end.
Promises: large powers and factorials stay unevaluated.
"""

from collections.abc import Callable
from typing import Any

LARGEST_POWER = 1000


def make_call(name: str) -> Callable[..., Any]:
    """Make a constructor of sympy's own one of this name."""
    return lambda sympy, *arguments: getattr(sympy, name)(*arguments)


def make_of_several(name: str) -> Callable[..., Any]:
    """Make a constructor of sympy's own one of this name, for whole multiples of one thing.

    Of anything else sympy's is that of polynomials, where 1 is the greatest common divisor of x and 2.
    """

    def construct(sympy: Any, *arguments: Any) -> Any:
        if all(sympy.cancel(argument / arguments[0]).is_Rational for argument in arguments if arguments[0] != 0):
            return getattr(sympy, name)(*(arguments if len(arguments) == 2 else [arguments]))
        return sympy.Function(name)(*sorted(arguments, key=sympy.default_sort_key))

    return construct


def make_bounded(name: str) -> Callable[..., Any]:
    """Make a constructor of what has a body, a variable and bounds for it."""
    return lambda sympy, body, variable, *bounds: getattr(sympy, name)(body, (variable, *bounds))


def power(sympy: Any, base: Any, exponent: Any) -> Any:
    """Build a power; with a rational exponent of odd denominator a negative base has its real value."""
    if exponent.is_Rational and exponent.q % 2 and exponent.q > 1 and base.is_number and base.is_negative:
        return power(sympy, sympy.real_root(base, exponent.q), sympy.Integer(exponent.p))
    return sympy.Pow(base, exponent, evaluate=_is_small(sympy, exponent))


def root(sympy: Any, radicand: Any, index: Any) -> Any:
    """Build a root; of a negative number the real one."""
    if radicand.is_number and radicand.is_negative:
        return sympy.real_root(radicand, index)
    return sympy.root(radicand, index)


def factorial(sympy: Any, n: Any) -> Any:
    """Build a factorial."""
    return sympy.factorial(n, evaluate=_is_small(sympy, n))


def _is_small(sympy: Any, number: Any) -> bool:
    """Say whether this may be evaluated as an exponent: a variable may, and a number that is known not to be large.

    Sympy expands a power to tell its size, so a number that holds one which was left as it is counts as large unseen.
    """
    if not number.is_number:
        return True
    for part in number.atoms(sympy.Pow, sympy.factorial):
        size = part.exp if part.is_Pow else part.args[0]
        if size.is_Integer and abs(size) >= LARGEST_POWER:
            return False
    return bool(number.is_finite and abs(number) < LARGEST_POWER)
