"""Whether two expressions have the same value: exact numbers, a proof in a prime field, numbers at some points.

Why: in this order each step is cheaper and more certain than the next, and sympy is the last of all.
Promises: yes and no are final; unknown means that the numbers agree, or cannot be computed, and someone must prove it.
"""

from collections.abc import Callable, Iterator, Mapping
from fractions import Fraction
from typing import Any

from inference_kit.grader.operations.complexes import is_real
from inference_kit.grader.operations.operation import NoValue
from inference_kit.grader.operations.table import OPERATIONS
from inference_kit.grader.proving.exact import exact
from inference_kit.grader.proving.numeric import Evaluator, float_evaluator
from inference_kit.grader.proving.prime_field import fingerprint
from inference_kit.grader.values import INFINITY, Apply, Num, Sym, Value, contains, symbols_of, walk
from inference_kit.grader.verdicts import NO, UNKNOWN, YES, Verdict, all_equal, decide

SEEDS = ("a", "b")
NEARLY = 1e-9
SURELY_NOT = 1e-7
MANY_DIGITS = 1e-20
"""A tolerance below this one means digits enough to see through a cancelled sum."""

ENOUGH_DIGITS = 6
SAMPLES = (0.731, 1.618, -0.917, 2.236, 3.303, -1.414, 0.215)
WHOLE_SAMPLES = (2, 3, 5, 4, 7, 6, 9)
INFINITE = (INFINITY, Apply("neg", (INFINITY,)))
COMPUTED = frozenset(name for name, operation in OPERATIONS.items() if operation.is_computed)
NEEDS_WHOLE = tuple(name for name, operation in OPERATIONS.items() if operation.domain == "whole")


def same_number(a: Value, b: Value) -> Verdict:
    """Say whether two expressions are equal; unknown where only a proof can tell."""
    exact_a, exact_b = exact(a), exact(b)
    if exact_a is not None and exact_b is not None:
        return decide(exact_a == exact_b or _is_rounded(a, exact_b) or _is_rounded(b, exact_a))
    if not (_is_computable(a) and _is_computable(b)):
        return NO
    proved = _same_in_field(a, b)
    if proved is NO or same_at_points(a, b) is NO:
        return decide(_is_rounded_root(a, b))
    return YES if proved is YES or _is_rounded_root(a, b) else UNKNOWN


def _is_computable(value: Value) -> bool:
    """Whether someone, here or in a worker, may know the value: not of infinity, of a derivative's sign, of -[0, 1)."""
    return value not in INFINITE and all(
        isinstance(part, Num | Sym)
        or (isinstance(part, Apply) and (part.head in COMPUTED or part.head.startswith("call:")))
        for part in walk(value)
    )


def same_ratio(a: Value, b: Value, *, positive: bool = False) -> Verdict:
    """Say whether a is a nonzero constant times b, a positive one where asked for; unknown where only a proof tells."""
    if symbols_of(a) != symbols_of(b):
        return NO
    ratios = []
    for point in points([a, b]):
        values = [value_with(float_evaluator(point), side) for side in (a, b)]
        if None in values or abs(values[0]) < 1e-9 or abs(values[1]) < 1e-9:
            continue
        ratios.append(values[0] / values[1])
    if len(ratios) < 3:
        return UNKNOWN
    if any(abs(ratio - ratios[0]) > SURELY_NOT * abs(ratios[0]) for ratio in ratios):
        return NO
    return decide(not positive or ratios[0].real > 0)


def same_at_points(a: Value, b: Value) -> Verdict:
    """Compare in double precision: no is sure, yes means that all points agree, unknown that too few have values."""
    return agreement(a, b, float_evaluator, nearly=NEARLY, surely_not=SURELY_NOT)


def agreement(
    a: Value, b: Value, evaluator_at: Callable[[Mapping[str, float]], Evaluator], *, nearly: float, surely_not: float
) -> Verdict:
    """Compare at several points: no where one tells them apart, yes where all agree, unknown where too few count.

    Points outside the real numbers (the root of a negative number on the way) count only where there are no others.
    """
    agreed = 0
    outside: list[Verdict] = []
    for point in points([a, b]):
        first, second = evaluator_at(point), evaluator_at(point)
        values = [value_with(first, a), value_with(second, b)]
        if None in values:
            continue
        noise = max(first.cancelled, second.cancelled)
        if noise and nearly > MANY_DIGITS:
            return UNKNOWN
        close = _close(values[0], values[1], noise, nearly, surely_not)
        if point and (first.left_reals or second.left_reals):
            outside.append(close if is_real(values[0]) == is_real(values[1]) else UNKNOWN)
        elif close is NO:
            return NO
        else:
            agreed += close is YES
    if agreed and agreed + 1 >= len(outside):
        return YES
    if agreed or not outside or UNKNOWN in outside:
        return UNKNOWN
    return all_equal(outside)


def _close(a: Any, b: Any, noise: Any, nearly: float, surely_not: float) -> Verdict:
    size = max(abs(a), abs(b), noise)
    difference = abs(a - b)
    if difference > surely_not * size:
        return NO
    return YES if difference <= nearly * size else UNKNOWN


def points(values: list[Value]) -> Iterator[Mapping[str, Any]]:
    """Points at which to compare: a single empty one without variables; whole numbers where factorials need them."""
    names = symbols_of(*values)
    if not names:
        yield {}
        return
    samples = WHOLE_SAMPLES if any(contains(value, *NEEDS_WHOLE) for value in values) else SAMPLES
    for shift in range(len(samples)):
        yield {
            name: samples[(shift + 3 * place) % len(samples)] + (place // len(samples))
            for place, name in enumerate(names)
        }


def number_value(value: Value) -> float | None:
    """The real value of an expression without variables, None where it has none."""
    found = exact(value)
    if found is not None:
        try:
            return float(found)
        except OverflowError:
            return None
    if symbols_of(value):
        return None
    computed = value_with(float_evaluator({}), value)
    return float(computed.real) if computed is not None and is_real(computed) else None


def value_with(evaluator: Evaluator, expression: Value) -> Any:
    """The number that an expression is, None where it has none."""
    try:
        value = evaluator.value(expression)
        return value if abs(value) < 1e300 else None
    except (NoValue, ArithmeticError, ValueError, TypeError):
        return None


def _same_in_field(a: Value, b: Value) -> Verdict:
    complete = True
    for seed in SEEDS:
        first, second = fingerprint(a, seed), fingerprint(b, seed)
        if first is None or second is None:
            return UNKNOWN
        complete = complete and first[1] and second[1]
        if first[0] != second[0]:
            return NO if complete else UNKNOWN
    return YES


def _is_rounded(decimal: Value, value: Fraction) -> bool:
    """Whether a decimal of enough digits is an exact value, rounded or cut off in its last digit."""
    number = _decimal(decimal)
    if number is None or number.digits < ENOUGH_DIGITS or not number.value:
        return False
    unit = Fraction(10) ** -_places(number)
    difference = abs(number.value - value)
    if number.digits >= 15:
        return difference <= 2 * unit or difference <= abs(value) / 10**15
    if (value / unit).denominator == 1:  # a value of so few digits would have been written exactly
        return False
    return difference < unit


def _is_rounded_root(a: Value, b: Value) -> bool:
    """Whether one side is a decimal of enough digits and the other an irrational number that it is the beginning of."""
    for decimal, other in ((a, b), (b, a)):
        if _decimal(decimal) is None or symbols_of(other):
            continue
        value = number_value(other)
        if value is not None and exact(other) is None:
            return _is_rounded(decimal, Fraction(value))
    return False


def _decimal(value: Value) -> Num | None:
    """The value as a decimal that may be a rounded one, None where it is none."""
    return value if isinstance(value, Num) and value.digits else None


def _places(number: Num) -> int:
    """How many places after the point the last digit stands: 1.50 has shown digits only up to its value's own size."""
    size = abs(number.value)
    magnitude = len(str(int(size))) if size >= 1 else -_leading_zeros(size)
    return number.digits - magnitude


def _leading_zeros(size: Fraction) -> int:
    zeros = 0
    while size * 10 < 1:
        size *= 10
        zeros += 1
    return zeros
