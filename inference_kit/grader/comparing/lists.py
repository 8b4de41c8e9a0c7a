"""Rules for what holds several values: lists, sets, plus-minus signs, brackets, matrices.

Why: several solutions have no order, the coordinates of a point have one, and a list without brackets may be either.
Promises: symmetric; brackets differ only where they may be those of an interval.
"""

from collections.abc import Sequence

from inference_kit.grader.comparing.matrices import list_entries
from inference_kit.grader.comparing.members import list_members, spread_signs
from inference_kit.grader.comparing.naming import are_alike, drop_name, find_name
from inference_kit.grader.comparing.rules import Rules
from inference_kit.grader.values import CONSTANTS, Bracketed, ListOf, Matrix, Relation, SetOf, Sym, Text, Value
from inference_kit.grader.verdicts import NO, Verdict, all_equal


def compare_plus_minus(rules: Rules, a: Value, b: Value) -> Verdict | None:
    """Compare where a side has plus-minus signs: it is the list of its two values."""
    spread_a, spread_b = spread_signs(a), spread_signs(b)
    if spread_a is None and spread_b is None:
        return None
    return rules.compare_members(spread_a or list_members(a), spread_b or list_members(b))


def compare_lists(rules: Rules, a: Value, b: Value) -> Verdict | None:
    """Compare lists and sets by their members; a list and a tuple in order, of `x = 1, y = 2` the values."""
    if not any(isinstance(value, ListOf | SetOf) for value in (a, b)):
        return None
    for several, other in ((a, b), (b, a)):
        if isinstance(other, Bracketed):
            if not isinstance(several, ListOf):
                return NO
            return rules.compare_in_order([*map(drop_name, several.items)], other.items)
    if isinstance(a, ListOf) and isinstance(b, ListOf) and _say_otherwise(a, b):
        return NO
    return rules.compare_members(list_members(a), list_members(b))


def _say_otherwise(a: ListOf, b: ListOf) -> bool:
    """Say whether one has `and` where the other has `or`, between statements."""
    return {a.joint, b.joint} == {"and", "or"} and (_are_statements(a.items) or _are_statements(b.items))


def _are_statements(items: Sequence[Value]) -> bool:
    """Say whether `and` and `or` between these differ: between conditions, propositions, values of different names.

    Solutions may be joined by either: `x = 1 and x = 2`, `1 or 2`.
    """
    if any(isinstance(item, Sym | Text | ListOf) and item not in CONSTANTS for item in items):
        return True
    relations = [item for item in items if isinstance(item, Relation)]
    names = [find_name(relation) for relation in relations]
    return any(name is None for name in names) or not all(are_alike(name, names[0]) for name in names)


def compare_brackets(rules: Rules, a: Value, b: Value) -> Verdict | None:
    """Compare tuples, vectors and intervals in order; of two values, which may be an interval, the brackets as well."""
    if not (isinstance(a, Bracketed) and isinstance(b, Bracketed)):
        return None
    if len(a.items) == 2 and _list_brackets(a) != _list_brackets(b):
        return NO
    return rules.compare_in_order(a.items, b.items)


def _list_brackets(value: Bracketed) -> tuple[str, str]:
    """Return the brackets, angle brackets as round ones: both are a vector's."""
    return value.opening.replace("<", "("), value.closing.replace(">", ")")


def compare_matrices(rules: Rules, a: Value, b: Value) -> Verdict | None:
    """Compare matrices entry by entry; one of a single row or column is also a tuple."""
    if isinstance(a, Matrix) and isinstance(b, Matrix):
        return all_equal(map(rules.compare_in_order, a.rows, b.rows)) if len(a.rows) == len(b.rows) else NO
    for matrix, other in ((a, b), (b, a)):
        if isinstance(matrix, Matrix):
            entries = list_entries(matrix)
            if entries is None or not isinstance(other, Bracketed):
                return NO
            return rules.compare_in_order(entries, other.items)
    return None
