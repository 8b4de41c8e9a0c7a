"""Prove what takes time: many digits with mpmath, then sympy. Only workers import this module's libraries.

Why: an identity of roots, logarithms or angles, a limit or an integral cannot be decided in microseconds.
Promises: sympy objects are made by constructors from our own trees, never from text by `sympify` or `parse_expr`; what
our parser does not know goes to latex2sympy2_extended, here where a memory limit and a killer stand by.
"""

import sys
from collections.abc import Mapping
from functools import partial
from typing import Any

from inference_kit.grader.operations.operation import NoValue
from inference_kit.grader.operations.table import OPERATIONS
from inference_kit.grader.proving.equality import Claim
from inference_kit.grader.proving.numeric import Evaluator
from inference_kit.grader.proving.points import compare_at_points, compute_with, sample_points
from inference_kit.grader.values import Apply, Num, Sym, Unparsed, Value, contains, list_symbols
from inference_kit.grader.verdicts import NO, UNKNOWN, YES, Verdict, decide

DIGITS = 50
AGREEING_DIGITS = 40
RATIO_DIGITS = 30
FEWEST_RATIOS = 2
NEED_SYMPY = ("integral", "limit", "sum", "product")


class NeedsSympy(Exception):
    """Sympy is needed and not yet imported."""


def load_sympy() -> None:
    """Import sympy and the LaTeX parser for it, which takes about a second."""
    import latex2sympy2_extended  # noqa: F401 - imported so that later imports cost nothing
    import sympy  # noqa: F401


def prove(a: Value, b: Value, claim: Claim) -> Verdict:
    """Say whether a claim about two expressions holds; never unknown, what cannot be proved does not hold.

    Raises:
        NeedsSympy: where sympy has to be imported first.
    """
    if isinstance(a, Unparsed) or isinstance(b, Unparsed):
        return decide(_are_equal_foreign(a, b))
    if claim != "equal":
        with _use_many_digits():
            return decide(_are_proportional(a, b, positive=claim == "positively proportional"))
    with _use_many_digits():
        verdict = _compare_numbers(a, b)
        # A logarithm without a base is the natural one or the decimal one: equal by either is equal.
        has_log = contains(a, "log") or contains(b, "log")
        if verdict is not YES and has_log and _compare_numbers(a, b, log_base=10) is YES:
            return YES
    if verdict is not UNKNOWN:
        return verdict
    if not any(list_symbols(value) or contains(value, *NEED_SYMPY) for value in (a, b)):
        return NO  # numbers beyond every limit, which sympy would only expand
    return decide(_are_equal_in_sympy(a, b))


def _use_many_digits() -> Any:
    import mpmath

    return mpmath.workdps(DIGITS)


def _compare_numbers(a: Value, b: Value, log_base: int | None = None) -> Verdict:
    """Compare with many digits at several points; unknown where too few of them have values."""
    tolerance = 10.0**-AGREEING_DIGITS
    evaluator_at = partial(_build_evaluator, log_base=log_base)
    return compare_at_points(a, b, evaluator_at, nearly=tolerance, surely_not=tolerance)


def _build_evaluator(point: Mapping[str, float], log_base: int | None = None) -> Evaluator:
    """Build an evaluator with many digits."""
    import mpmath

    def many_digits(number: Any) -> Any:
        return mpmath.mpf(number.numerator) / number.denominator if hasattr(number, "numerator") else mpmath.mpf(number)

    exact_point = {name: mpmath.mpf(repr(sample)) for name, sample in point.items()}
    return Evaluator(mpmath, many_digits, exact_point, log_base, cancels_below=10.0 ** (5 - AGREEING_DIGITS))


def _are_proportional(a: Value, b: Value, *, positive: bool) -> bool:
    """Say whether a/b is one number at all points where neither is zero."""
    ratios = []
    for point in sample_points([a, b]):
        values = [compute_with(_build_evaluator(point), value) for value in (a, b)]
        if None not in values and values[0] != 0 and values[1] != 0:
            ratios.append(values[0] / values[1])
    if len(ratios) < FEWEST_RATIOS:
        return False
    if any(abs(ratio - ratios[0]) > abs(ratios[0]) * 10**-RATIO_DIGITS for ratio in ratios):
        return False
    return not positive or ratios[0].real > 0


def _are_equal_in_sympy(a: Value, b: Value) -> bool:
    """Say whether sympy finds two expressions equal."""
    if "sympy" not in sys.modules:
        raise NeedsSympy
    try:
        return _are_equal_objects(to_sympy(a), to_sympy(b))
    except (NoValue, ArithmeticError, ValueError, TypeError, AttributeError, NotImplementedError):
        return False


def _are_equal_foreign(a: Value, b: Value) -> bool:
    """Say the same where a side is mathematics that only latex2sympy2_extended may know."""
    if "latex2sympy2_extended" not in sys.modules:
        raise NeedsSympy
    from latex2sympy2_extended import latex2sympy

    objects = []
    for value in (a, b):
        try:
            objects.append(latex2sympy(value.text) if isinstance(value, Unparsed) else to_sympy(value))
        except Exception:  # noqa: BLE001 - a foreign parser on hostile text: whatever it raises, the text is not parsed
            return False
    return _are_equal_objects(*objects)


def _are_equal_objects(a: Any, b: Any) -> bool:
    """Say whether sympy simplifies the difference of two of its expressions to zero."""
    import sympy

    if a == b:
        return True
    if not isinstance(a, sympy.Expr) or not isinstance(b, sympy.Expr):
        return False
    try:
        return bool(sympy.simplify(a.doit() - b.doit()) == 0)
    except (ArithmeticError, ValueError, TypeError, AttributeError, NotImplementedError, RecursionError):
        return False


def to_sympy(value: Value) -> Any:
    """Build a sympy object by constructors; large powers and factorials stay unevaluated.

    Raises:
        NoValue: for what has no counterpart here.
    """
    import sympy

    if isinstance(value, Num):
        return sympy.Rational(value.value.numerator, value.value.denominator)
    if isinstance(value, Sym):
        constants = {"pi": sympy.pi, "e": sympy.E, "i": sympy.I, "oo": sympy.oo}
        return constants.get(value.name) or sympy.Symbol(value.name)
    if not isinstance(value, Apply):
        raise NoValue
    if value.head.startswith("call:"):
        return sympy.Function(value.head[5:])(*map(to_sympy, value.args))
    operation = OPERATIONS.get(value.head)
    if operation is None or operation.sympy is None:
        raise NoValue
    return operation.sympy(sympy, *map(to_sympy, value.args))
