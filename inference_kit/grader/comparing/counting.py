r"""Combinations and permutations that are written as calls, beside numbers: `C(8, 4)` is 70, `P(5, 2)` is 20.

Why: a capital letter before two numbers names a point as often; only the other side can tell.
Promises: symmetric; a call is counted where the other side is an expression without such a call.
"""

from inference_kit.grader.comparing.rules import Rules
from inference_kit.grader.proving.exact import compute_rational
from inference_kit.grader.values import Apply, Value, is_expression, list_symbols, negate
from inference_kit.grader.verdicts import Verdict

CALLS = frozenset(("call:C", "call:P", "call:A"))


def compare_counts(rules: Rules, a: Value, b: Value) -> Verdict | None:
    """Compare where one side counts by a call."""
    if not (is_expression(a) and is_expression(b)):
        return None
    if not (_has_call(a) or _has_call(b)):
        return None
    first, second = _count(a), _count(b)
    return rules.compare(first, second) if (first == a) != (second == b) else None


def _has_call(value: Value) -> bool:
    return isinstance(value, Apply) and (value.head in CALLS or any(map(_has_call, value.args)))


def _count(value: Value) -> Value:
    """Return a value with its calls of combinations and permutations as operations."""
    if not isinstance(value, Apply):
        return value
    args = tuple(map(_count, value.args))
    if value.head not in CALLS or len(args) != 2 or not (_are_counts(*args) or _are_letters(value)):
        return value if args == value.args else Apply(value.head, args)
    if value.head == "call:C":
        return Apply("binom", args)
    total, chosen = args
    rest = Apply("factorial", (Apply("add", (total, negate(chosen))),))
    return Apply("div", (Apply("factorial", (total,)), rest))


def _are_letters(call: Apply) -> bool:
    """Say whether a call is C(n, k), a binomial with letters in it."""
    return call.head == "call:C" and bool(list_symbols(call)) and all(map(is_expression, call.args))


def _are_counts(total: Value, chosen: Value) -> bool:
    numbers = [compute_rational(value) if is_expression(value) else None for value in (total, chosen)]
    if numbers[0] is None or numbers[1] is None:
        return False
    return numbers[0] >= numbers[1] >= 0 and numbers[0].denominator == numbers[1].denominator == 1
