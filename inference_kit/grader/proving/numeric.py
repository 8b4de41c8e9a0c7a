"""Numeric values of an expression at a point, in double precision here or with many digits in a worker.

Why: two expressions that differ at a point are not equal, which costs microseconds; those that agree at several are
proved elsewhere.
Promises: the library (cmath or mpmath) is given, the rules are the same; real odd roots of negative numbers are real.
"""

import cmath
import math
from collections.abc import Callable, Mapping
from typing import Any

from inference_kit.grader.proving.exact import exact
from inference_kit.grader.values import Apply, Num, Sym, Value

MOST_TERMS = 2000
LARGEST_EXPONENT = 100_000


class NoValue(ArithmeticError):
    """The expression has no number at this point: undefined, too large, or of a kind that is not computed."""


class Evaluator:
    """Computes expressions with one library of functions.

    `cancelled` is the size of the terms of a sum that nearly cancelled, so that its digits are not to be trusted;
    `left_reals` turns true where a root, logarithm or the like of a real number was not real: the point lies outside
    what was meant.
    """

    def __init__(
        self,
        library: Any,
        number: Callable[[Any], Any],
        point: Mapping[str, Any],
        log_base: Any = None,
        *,
        cancels_below: float = 1e-5,
    ) -> None:
        self.library = library
        self.number = number
        self.point = point
        self.log_base = log_base
        self.cancels_below = cancels_below
        self.cancelled: Any = 0
        self.left_reals = False

    def value(self, expression: Value) -> Any:
        """The number that an expression is at this point.

        Raises:
            NoValue: where there is none.
        """
        if isinstance(expression, Num):
            return self.number(expression.value)
        if isinstance(expression, Sym):
            return self._symbol(expression.name)
        if not isinstance(expression, Apply):
            raise NoValue
        operation = OPERATIONS.get(expression.head)
        if operation is not None:
            arguments = [self.value(argument) for argument in expression.args]
            result = operation(self, *arguments)
            if expression.head in MAY_LEAVE_REALS and not is_real(result) and all(map(is_real, arguments)):
                self.left_reals = True
            return result
        special = SPECIAL.get(expression.head)
        if special is not None:
            return special(self, expression)
        if expression.head.startswith("call:"):
            return self._unknown(expression)
        raise NoValue

    def _symbol(self, name: str) -> Any:
        if name in self.point:  # before the constants: i may be the index of a sum
            return self.point[name]
        if name == "pi":
            return self.library.pi
        if name == "e":
            return self.library.e
        if name == "i":
            return 1j
        raise NoValue

    def _unknown(self, call: Apply) -> Any:
        """A function nobody knows: some smooth one, chosen by its name."""
        phase = sum(map(ord, call.head)) % 97
        arguments = [self.value(argument) for argument in call.args]
        mixed = sum((argument * (1 + place) for place, argument in enumerate(arguments)), self.number(phase))
        return self.library.sin(mixed) + phase + mixed / 7

    def add(self, *terms: Any) -> Any:
        total = sum(terms[1:], terms[0])
        largest = max(map(abs, terms))
        if abs(total) < self.cancels_below * largest:
            self.cancelled = max(self.cancelled, largest)
        return total

    def power(self, base: Any, exponent: Any) -> Any:
        if base == 0:
            if _real(exponent) <= 0 and exponent != 0:
                raise NoValue
            return self.number(1 if exponent == 0 else 0)
        if abs(exponent) > LARGEST_EXPONENT or abs(base) > 1e300:
            raise NoValue
        return base**exponent

    def sum_or_product(self, expression: Apply) -> Any:
        """A finite sum or product, term by term."""
        body, index, start, end = expression.args
        assert isinstance(index, Sym)
        first, last = (self._whole(bound) for bound in (start, end))
        if last - first > MOST_TERMS:
            raise NoValue
        inner = Evaluator(self.library, self.number, self.point, self.log_base, cancels_below=self.cancels_below)
        result = self.number(0 if expression.head == "sum" else 1)
        for term in range(first, last + 1):
            inner.point = {**self.point, index.name: self.number(term)}
            value = inner.value(body)
            result = result + value if expression.head == "sum" else result * value
        self.cancelled = max(self.cancelled, inner.cancelled)
        return result

    def _whole(self, bound: Value) -> int:
        value = self.value(bound)
        nearest = round(float(_real(value)))
        if abs(value - nearest) > 1e-9 or abs(nearest) > 1_000_000:
            raise NoValue
        return nearest


def float_evaluator(point: Mapping[str, complex], log_base: float | None = None) -> Evaluator:
    """An evaluator in double precision."""
    return Evaluator(cmath, _float, point, log_base)


def _float(value: Any) -> float:
    try:
        return float(value)
    except OverflowError as error:
        raise NoValue from error


def _real(value: Any) -> Any:
    return value.real if isinstance(value, complex) or hasattr(value, "real") else value


def is_real(value: Any) -> bool:
    """Whether a computed number is real, up to rounding."""
    return abs(value.imag) <= 1e-11 * (abs(value) + 1e-300) if hasattr(value, "imag") else True


def _divide(evaluator: Evaluator, numerator: Any, denominator: Any) -> Any:
    if denominator == 0:
        raise NoValue
    return numerator / denominator


def _root(evaluator: Evaluator, radicand: Any, index: Any) -> Any:
    if is_real(radicand) and _real(radicand) < 0 and is_real(index) and _real(index) % 2 == 1:
        return -((-_real(radicand)) ** (1 / index))
    if radicand == 0:
        return radicand
    if index == 2:
        return evaluator.library.sqrt(radicand)
    return _divide(evaluator, 1, index) and radicand ** (1 / index)


def _power(evaluator: Evaluator, expression: Apply) -> Any:
    """A power; with a rational exponent of odd denominator a negative base has its real value."""
    base = evaluator.value(expression.args[0])
    exponent = exact(expression.args[1])
    if (
        exponent is not None
        and exponent.denominator % 2
        and exponent.denominator > 1
        and is_real(base)
        and _real(base) < 0
    ):
        size = (-_real(base)) ** evaluator.number(exponent)
        return -size if exponent.numerator % 2 else size
    if exponent is not None and exponent.denominator == 1 and abs(exponent.numerator) < 1 << 31:
        return evaluator.power(base, exponent.numerator)
    power = evaluator.value(expression.args[1])
    result = evaluator.power(base, power)
    if not is_real(result) and is_real(base) and is_real(power):
        evaluator.left_reals = True
    return result


def _logarithm(evaluator: Evaluator, argument: Any, base: Any = None) -> Any:
    if argument == 0:
        raise NoValue
    base = evaluator.log_base if base is None else base
    natural = evaluator.library.log(argument)
    return natural if base is None else _divide(evaluator, natural, evaluator.library.log(base))


def _factorial(evaluator: Evaluator, argument: Any) -> Any:
    value = _real(argument)
    if abs(argument - value) > 0 or value < 0 or value > 170:
        raise NoValue
    return (
        evaluator.number(math.factorial(int(value))) if value == int(value) else evaluator.number(math.gamma(value + 1))
    )


def _binomial(evaluator: Evaluator, n: Any, k: Any) -> Any:
    return _divide(evaluator, _factorial(evaluator, n), _factorial(evaluator, k) * _factorial(evaluator, n - k))


def _rounded(function: Callable[[Any], int]) -> Callable[..., Any]:
    def applied(evaluator: Evaluator, argument: Any) -> Any:
        value = _real(argument)
        if abs(value) > 1e15 or abs(value - round(value)) < 1e-9:
            raise NoValue
        return evaluator.number(function(value))

    return applied


def _choice(function: Callable[..., Any]) -> Callable[..., Any]:
    def applied(evaluator: Evaluator, *arguments: Any) -> Any:
        if not all(map(is_real, arguments)):
            raise NoValue
        return function(_real(argument) for argument in arguments)

    return applied


def _inverse_of(name: str) -> Callable[..., Any]:
    """1 / name(x)."""

    def applied(evaluator: Evaluator, argument: Any) -> Any:
        return _divide(evaluator, 1, getattr(evaluator.library, name)(argument))

    return applied


def _of_inverse(name: str) -> Callable[..., Any]:
    """name(1 / x)."""

    def applied(evaluator: Evaluator, argument: Any) -> Any:
        return getattr(evaluator.library, name)(_divide(evaluator, 1, argument))

    return applied


def _named(name: str) -> Callable[..., Any]:
    return lambda evaluator, argument: getattr(evaluator.library, name)(argument)


MAY_LEAVE_REALS = frozenset({"root", "log", "ln", "log10", "arcsin", "arccos", "arcosh", "artanh", "arcsec", "arccsc"})
OPERATIONS: dict[str, Callable[..., Any]] = {
    "add": Evaluator.add,
    "mul": lambda evaluator, *factors: math.prod(factors[1:], start=factors[0]),
    "neg": lambda evaluator, a: -a,
    "div": _divide,
    "root": _root,
    "abs": lambda evaluator, a: abs(a),
    "percent": lambda evaluator, a: a / 100,
    "degree": lambda evaluator, a: a * evaluator.library.pi / 180,
    "factorial": _factorial,
    "binom": _binomial,
    "floor": _rounded(math.floor),
    "ceil": _rounded(math.ceil),
    "max": _choice(max),
    "min": _choice(min),
    "ln": lambda evaluator, a: _logarithm(evaluator, a, evaluator.library.e),
    "log": _logarithm,
    "log10": lambda evaluator, a: _logarithm(evaluator, a, 10),
    "Re": lambda evaluator, a: _real(a),
    "Im": lambda evaluator, a: a.imag if hasattr(a, "imag") else 0,
    **{name: _named(name) for name in ("sin", "cos", "tan", "sinh", "cosh", "tanh")},
    **{f"arc{name}": _named(f"a{name}") for name in ("sin", "cos", "tan")},
    **{f"ar{name}": _named(f"a{name}") for name in ("sinh", "cosh", "tanh")},
    "cot": _inverse_of("tan"),
    "sec": _inverse_of("cos"),
    "csc": _inverse_of("sin"),
    "coth": _inverse_of("tanh"),
    "sech": _inverse_of("cosh"),
    "csch": _inverse_of("sinh"),
    "arccot": _of_inverse("atan"),
    "arcsec": _of_inverse("acos"),
    "arccsc": _of_inverse("asin"),
}
SPECIAL: dict[str, Callable[[Evaluator, Apply], Any]] = {
    "pow": _power,
    "sum": Evaluator.sum_or_product,
    "product": Evaluator.sum_or_product,
}
