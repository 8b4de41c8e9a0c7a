"""Prove that two expressions are equal, or not: exact numbers, residues in a prime field, numbers at some points.

Why: in this order each step is cheaper and more certain than the next, and sympy is the last of all.
Promises: yes and no are final; unknown means that the numbers agree, or cannot be computed, and someone must prove it.
"""

from collections.abc import Callable, Mapping
from functools import partial
from typing import Literal

from inference_kit.grader.operations.table import OPERATIONS
from inference_kit.grader.proving.exact import compute_rational
from inference_kit.grader.proving.numeric import Evaluator, build_float_evaluator
from inference_kit.grader.proving.points import compare_at_points, compute_with, sample_points
from inference_kit.grader.proving.prime_field import fingerprint
from inference_kit.grader.proving.rounding import is_rounded, is_rounded_irrational
from inference_kit.grader.values import INFINITY, Apply, Num, Sym, Value, list_symbols, walk
from inference_kit.grader.verdicts import NO, UNKNOWN, YES, Verdict, decide

Claim = Literal["equal", "proportional", "positively proportional"]
"""What may be said of two expressions: a = b; a = c b for a constant c that is not zero; the same with c > 0."""

SEEDS = ("a", "b")
NEARLY = 1e-9
SURELY_NOT = 1e-7
"""Double precision has 16 digits; a relative difference above this one is no rounding error."""

FEWEST_RATIOS = 3
INFINITE = (INFINITY, Apply("neg", (INFINITY,)))
COMPUTED = frozenset(name for name, operation in OPERATIONS.items() if operation.is_computed)


def prove_equal(a: Value, b: Value) -> Verdict:
    """Say whether two expressions are equal; a decimal of enough digits also equals what it is rounded from."""
    rational_a, rational_b = compute_rational(a), compute_rational(b)
    if rational_a is not None and rational_b is not None:
        return decide(rational_a == rational_b or is_rounded(a, rational_b) or is_rounded(b, rational_a))
    if not (_is_computable(a) and _is_computable(b)):
        return NO
    proved = _compare_in_field(a, b)
    if proved is NO or _differ_in_floats(a, b):
        return decide(is_rounded_irrational(a, b))
    return YES if proved is YES or is_rounded_irrational(a, b) else UNKNOWN


def prove_proportional(a: Value, b: Value, *, positive: bool = False) -> Verdict:
    """Say whether a is a nonzero constant times b, a positive constant where asked for.

    The quotient a/b is the same at all points where neither is zero; it is its sign that inequalities need.
    """
    if list_symbols(a) != list_symbols(b):
        return NO
    ratios = []
    for point in sample_points([a, b]):
        values = [compute_with(build_float_evaluator(point), side) for side in (a, b)]
        if None in values or abs(values[0]) < NEARLY or abs(values[1]) < NEARLY:
            continue
        ratios.append(values[0] / values[1])
    if len(ratios) < FEWEST_RATIOS:
        return UNKNOWN
    if any(abs(ratio - ratios[0]) > SURELY_NOT * abs(ratios[0]) for ratio in ratios):
        return NO
    return decide(not positive or ratios[0].real > 0)


def _is_computable(value: Value) -> bool:
    """Say whether someone, here or in a worker, may know the value: not of infinity, of f', of -[0, 1)."""
    return value not in INFINITE and all(
        isinstance(part, Num | Sym)
        or (isinstance(part, Apply) and (part.head in COMPUTED or part.head.startswith("call:")))
        for part in walk(value)
    )


def _compare_in_field(a: Value, b: Value) -> Verdict:
    """Compare the residues at two random points; a different one proves nothing where a part was only named."""
    complete = True
    for seed in SEEDS:
        first, second = fingerprint(a, seed), fingerprint(b, seed)
        if first is None or second is None:
            return UNKNOWN
        complete = complete and first.complete and second.complete
        if first.residue != second.residue:
            return NO if complete else UNKNOWN
    return YES


def _differ_in_floats(a: Value, b: Value) -> bool:
    """Say whether numbers tell two expressions apart, with logarithms that name no base taken as natural or decimal."""
    if _compare_in_floats(a, b, build_float_evaluator) is not NO:
        return False
    if not any(_has_bare_logarithm(value) for value in (a, b)):
        return True
    return _compare_in_floats(a, b, partial(build_float_evaluator, log_base=10)) is NO


def _has_bare_logarithm(value: Value) -> bool:
    return any(isinstance(part, Apply) and part.head == "log" and len(part.args) == 1 for part in walk(value))


def _compare_in_floats(a: Value, b: Value, evaluator_at: Callable[[Mapping[str, complex]], Evaluator]) -> Verdict:
    return compare_at_points(a, b, evaluator_at, nearly=NEARLY, surely_not=SURELY_NOT)
