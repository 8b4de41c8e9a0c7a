"""Compute the number that an expression is at a point, in double precision here or with many digits in a worker.

Why: two expressions that differ at a point are not equal, which costs microseconds; those that agree at several are
proved elsewhere.
Promises: the library (cmath or mpmath) is given, the rules are the same; real odd roots of negative numbers are real.
"""

import cmath
from collections.abc import Callable, Mapping
from typing import Any

from inference_kit.grader.operations.complexes import is_real, real_part
from inference_kit.grader.operations.operation import NoValue
from inference_kit.grader.operations.table import OPERATIONS
from inference_kit.grader.proving.exact import compute_rational
from inference_kit.grader.values import Apply, Num, Sym, Value

MOST_TERMS = 2000
LARGEST_EXPONENT = 100_000


class Evaluator:
    """Computes expressions at one point, with one library of functions.

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

    def compute(self, expression: Value) -> Any:
        """Return the number that an expression is at this point.

        Raises:
            NoValue: where there is none.
        """
        if isinstance(expression, Num):
            return self.number(expression.value)
        if isinstance(expression, Sym):
            return self._read_symbol(expression.name)
        if not isinstance(expression, Apply):
            raise NoValue
        operation = OPERATIONS.get(expression.head)
        if operation is not None and operation.number is not None:
            if operation.unevaluated:
                return operation.number(self, expression)
            arguments = [self.compute(argument) for argument in expression.args]
            result = operation.number(self, *arguments)
            if operation.domain == "part" and not is_real(result) and all(map(is_real, arguments)):
                self.left_reals = True
            return result
        if expression.head.startswith("call:"):
            return self._compute_unknown(expression)
        raise NoValue

    def _read_symbol(self, name: str) -> Any:
        if name in self.point:  # before the constants: i may be the index of a sum
            return self.point[name]
        if name == "pi":
            return self.library.pi
        if name == "e":
            return self.library.e
        if name == "i":
            return 1j
        raise NoValue

    def _compute_unknown(self, call: Apply) -> Any:
        """Return the value of a function nobody knows: some smooth one, chosen by its name."""
        phase = sum(map(ord, call.head)) % 97
        arguments = [self.compute(argument) for argument in call.args]
        mixed = sum((argument * (1 + place) for place, argument in enumerate(arguments)), self.number(phase))
        return self.library.sin(mixed) + phase + mixed / 7

    def add(self, *terms: Any) -> Any:
        """Return the sum, and note where its terms nearly cancelled."""
        total = sum(terms[1:], terms[0])
        largest = max(map(abs, terms))
        if abs(total) < self.cancels_below * largest:
            self.cancelled = max(self.cancelled, largest)
        return total

    def power(self, power: Apply) -> Any:
        """Return a power; with a rational exponent of odd denominator a negative base has its real value."""
        base = self.compute(power.args[0])
        exponent = compute_rational(power.args[1])
        if (
            exponent is not None
            and exponent.denominator % 2
            and exponent.denominator > 1
            and is_real(base)
            and real_part(base) < 0
        ):
            size = (-real_part(base)) ** self.number(exponent)
            return -size if exponent.numerator % 2 else size
        if exponent is not None and exponent.denominator == 1 and abs(exponent.numerator) < 1 << 31:
            return self._raise(base, exponent.numerator)
        computed = self.compute(power.args[1])
        result = self._raise(base, computed)
        if not is_real(result) and is_real(base) and is_real(computed):
            self.left_reals = True
        return result

    def _raise(self, base: Any, exponent: Any) -> Any:
        if base == 0:
            if real_part(exponent) <= 0 and exponent != 0:
                raise NoValue
            return self.number(1 if exponent == 0 else 0)
        if abs(exponent) > LARGEST_EXPONENT or abs(base) > 1e300:
            raise NoValue
        return base**exponent

    def series(self, expression: Apply) -> Any:
        """Return a finite sum or product, term by term."""
        body, index, start, end = expression.args
        assert isinstance(index, Sym)
        first, last = (self._compute_whole(bound) for bound in (start, end))
        if last - first > MOST_TERMS:
            raise NoValue
        inner = Evaluator(self.library, self.number, self.point, self.log_base, cancels_below=self.cancels_below)
        result = self.number(0 if expression.head == "sum" else 1)
        for term in range(first, last + 1):
            inner.point = {**self.point, index.name: self.number(term)}
            value = inner.compute(body)
            result = result + value if expression.head == "sum" else result * value
        self.cancelled = max(self.cancelled, inner.cancelled)
        return result

    def _compute_whole(self, bound: Value) -> int:
        value = self.compute(bound)
        nearest = round(float(real_part(value)))
        if abs(value - nearest) > 1e-9 or abs(nearest) > 1_000_000:
            raise NoValue
        return nearest


def build_float_evaluator(point: Mapping[str, complex], log_base: int | None = None) -> Evaluator:
    """Build an evaluator in double precision."""
    return Evaluator(cmath, _to_float, point, log_base)


def _to_float(value: Any) -> float:
    try:
        return float(value)
    except OverflowError as error:
        raise NoValue from error
