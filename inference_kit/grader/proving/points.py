"""Compare two expressions in numbers, at a few fixed points.

Why: two expressions that differ at a point are not equal, which costs microseconds; no is far more frequent than yes.
Promises: the same points for the same variables, always; a point where either has no value counts for neither side.
"""

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from inference_kit.grader.operations.complexes import is_real
from inference_kit.grader.operations.operation import NoValue
from inference_kit.grader.operations.table import OPERATIONS
from inference_kit.grader.proving.exact import compute_rational
from inference_kit.grader.proving.numeric import Evaluator, build_float_evaluator
from inference_kit.grader.values import Value, contains, list_symbols
from inference_kit.grader.verdicts import NO, UNKNOWN, YES, Verdict, all_equal

SAMPLES = (0.731, 1.618, -0.917, 2.236, 3.303, -1.414, 0.215)
WHOLE_SAMPLES = (2, 3, 5, 4, 7, 6, 9)
SHIFT = 3
"""How many samples further each next variable begins, so that no two of the first seven are equal at any point."""

WHOLE = tuple(name for name, operation in OPERATIONS.items() if operation.domain == "whole")
MANY_DIGITS = 1e-20
"""A tolerance below this one means digits enough to see through a cancelled sum."""

LARGEST = 1e300


def compare_at_points(
    a: Value, b: Value, evaluator_at: Callable[[Mapping[str, float]], Evaluator], *, nearly: float, surely_not: float
) -> Verdict:
    """Compare at several points: no where one tells them apart, yes where all agree, unknown where too few count.

    Points outside the real numbers (the root of a negative number on the way) count only where there are no others.

    Args:
        nearly, surely_not: Relative differences up to which numbers agree, and beyond which they do not.
    """
    agreed = 0
    outside: list[Verdict] = []
    for point in sample_points([a, b]):
        first, second = evaluator_at(point), evaluator_at(point)
        values = [compute_with(first, a), compute_with(second, b)]
        if None in values:
            continue
        noise = max(first.cancelled, second.cancelled)
        if noise and nearly > MANY_DIGITS:
            return UNKNOWN
        close = _compare_numbers(values[0], values[1], noise, nearly, surely_not)
        if point and (first.left_reals or second.left_reals):
            outside.append(close if is_real(values[0]) == is_real(values[1]) else UNKNOWN)
        elif close is NO:
            return NO
        else:
            agreed += close is YES
    # One point more may lie outside than agrees inside: where many do, a root or logarithm may be another branch.
    if agreed and agreed + 1 >= len(outside):
        return YES
    if agreed or not outside or UNKNOWN in outside:
        return UNKNOWN
    return all_equal(outside)


def _compare_numbers(a: Any, b: Any, noise: Any, nearly: float, surely_not: float) -> Verdict:
    """Compare two numbers, relative to the larger, or to the terms that cancelled on the way to them."""
    size = max(abs(a), abs(b), noise)
    difference = abs(a - b)
    if difference > surely_not * size:
        return NO
    return YES if difference <= nearly * size else UNKNOWN


def sample_points(values: list[Value]) -> Iterator[Mapping[str, Any]]:
    """Yield points at which to compare: one empty point without variables, whole numbers where factorials need them."""
    names = list_symbols(*values)
    if not names:
        yield {}
        return
    samples = WHOLE_SAMPLES if any(contains(value, *WHOLE) for value in values) else SAMPLES
    for first in range(len(samples)):
        yield {
            name: samples[(first + SHIFT * place) % len(samples)] + (place // len(samples))
            for place, name in enumerate(names)
        }


def compute_with(evaluator: Evaluator, expression: Value) -> Any:
    """Return the number that an expression is, None where it has none."""
    try:
        value = evaluator.compute(expression)
        return value if abs(value) < LARGEST else None
    except (NoValue, ArithmeticError, ValueError, TypeError):
        return None


def compute_real(value: Value) -> float | None:
    """Return the real value of an expression without variables, None where it has none."""
    rational = compute_rational(value)
    if rational is not None:
        try:
            return float(rational)
        except OverflowError:
            return None
    if list_symbols(value):
        return None
    computed = compute_with(build_float_evaluator({}), value)
    return float(computed.real) if computed is not None and is_real(computed) else None
