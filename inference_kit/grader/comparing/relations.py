"""The rule for equations and inequalities.

Why: `y = 2x`, `2x = y` and `2y = 4x` are one condition; `x = 5` only names 5, and `2x = 10` does not.
Promises: symmetric; equations are equal up to order and a nonzero factor, inequalities as the sets they describe.
"""

from collections.abc import Sequence

from inference_kit.grader.comparing.congruences import compare_congruences, states_residue
from inference_kit.grader.comparing.naming import are_alike, find_asked_value, find_name, find_named_value
from inference_kit.grader.comparing.reals.sets import are_same_reals
from inference_kit.grader.comparing.reals.solving import turn_sign
from inference_kit.grader.comparing.rules import Rules
from inference_kit.grader.proving.equality import Claim, prove_proportional
from inference_kit.grader.values import Apply, Relation, Value, is_expression, list_symbols, negate
from inference_kit.grader.verdicts import NO, UNKNOWN, YES, Verdict, any_equal, decide

BALANCED = ("=", "!=", "<", "<=", ">", ">=")
"""Signs that hold of two sides as they hold of their difference and zero."""

Pairs = Sequence[tuple[Value, Value]]


def compare_relations(rules: Rules, a: Value, b: Value) -> Verdict | None:
    """Compare relations; one that only names a value is that value, an inequality is the set of its solutions."""
    if isinstance(a, Relation) and isinstance(b, Relation):
        return _compare_two(rules, a, b)
    for relation, other in ((a, b), (b, a)):
        if isinstance(relation, Relation):
            value = find_named_value(relation)
            if states_residue(relation) and is_expression(other) and not _is_residue(other):
                return NO  # a congruence is no number
            if value is None and is_expression(other) and not list_symbols(other):
                value = find_asked_value(relation)
            if value is not None:
                return rules.compare(value, other)
            return decide(are_same_reals(relation, other) is True)
    return None


def _is_residue(value: Value) -> bool:
    return isinstance(value, Apply) and value.head in ("residue", "mod")


def _compare_two(rules: Rules, a: Relation, b: Relation) -> Verdict:
    """Compare by the values that both name, else as sets of reals, else side by side."""
    congruent = compare_congruences(rules, a, b)
    if congruent is not None:
        return congruent
    names = find_name(a), find_name(b)
    values = find_named_value(a), find_named_value(b)
    if values[0] is not None and values[1] is not None and (None in names or are_alike(*names)):
        return rules.compare(values[0], values[1])
    # A calculation such as 2 + 3 = 5 has a value; an equation without one is no answer to the same question.
    only_one_value = (values[0] is None) != (values[1] is None)
    if names == (None, None) and only_one_value and "=" in (*a.signs, *b.signs):
        return NO
    same_reals = are_same_reals(a, b)
    if same_reals is not None:
        return decide(same_reals)
    if len(a.signs) == len(b.signs) == 1:
        return _compare_balances(rules, a, b)
    return _compare_chains(rules, a, b)


def _compare_chains(rules: Rules, a: Relation, b: Relation) -> Verdict:
    """Compare `a < b < c` side by side, read from either end."""
    for signs, sides in ((b.signs, b.sides), (tuple(map(turn_sign, b.signs[::-1])), b.sides[::-1])):
        if a.signs == signs:
            return rules.compare_in_order(a.sides, sides)
    return NO


def _compare_balances(rules: Rules, a: Relation, b: Relation) -> Verdict:
    """Compare two sides with a sign between them: the same sides, or differences that are multiples of each other."""
    same_way, other_way = a.signs[0] == b.signs[0], a.signs[0] == turn_sign(b.signs[0])
    orders = ([b.sides] if same_way else []) + ([b.sides[::-1]] if other_way else [])
    if not orders:
        return NO
    if a.sides in orders:
        return YES
    if a.signs[0] not in BALANCED or not all(map(is_expression, (*a.sides, *b.sides))):
        return any_equal(rules.compare_in_order(a.sides, sides) for sides in orders)
    # a1 = a2 is a1 - a2 = 0, which is c (a1 - a2) = 0 for any c but zero; an inequality only keeps its sign for c > 0.
    claim: Claim = "proportional" if a.signs[0] in ("=", "!=") else "positively proportional"
    first, second = _subtract(*a.sides), _subtract(*orders[0])
    verdict = prove_proportional(first, second, positive=claim == "positively proportional")
    return rules.prove(first, second, claim) if verdict is UNKNOWN else verdict


def _subtract(left: Value, right: Value) -> Value:
    return Apply("add", (left, negate(right)))
