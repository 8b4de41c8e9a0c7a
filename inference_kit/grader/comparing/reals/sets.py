"""Sets of real numbers, as intervals, inequalities, unions and builders describe them, and the rule for them.

Why: `(2, oo)`, `x > 2`, `2x > 4` and `{x | x > 2}` are one set, and so are `x != 0` and two open rays.
Promises: symmetric; what is no set of reals with known ends is none, and its structure is compared.
"""

import math
from collections.abc import Sequence
from functools import reduce

from inference_kit.grader.comparing.naming import find_named_value
from inference_kit.grader.comparing.reals.intervals import (
    EVERYTHING,
    Pieces,
    are_same,
    build_interval,
    build_points,
    complement,
    intersect,
    merge,
)
from inference_kit.grader.comparing.reals.solving import Solution, compute_end, solve
from inference_kit.grader.comparing.rules import Rules
from inference_kit.grader.proving.points import compute_real
from inference_kit.grader.values import Apply, Bracketed, Builder, ListOf, Relation, SetOf, Sym, Value
from inference_kit.grader.verdicts import NO, Verdict, decide
from inference_kit.grader.vocabulary import NAMED_SETS

REALS = {
    "reals": EVERYTHING,
    "reals positive": build_interval(0, True, math.inf, True),
    "reals nonnegative": build_interval(0, False, math.inf, True),
    "reals negative": build_interval(-math.inf, True, 0, True),
    "reals nonpositive": build_interval(-math.inf, True, 0, False),
    "reals nonzero": complement(build_interval(0, False, 0, False)),
}
"""The sets of reals that have a name of their own."""


def compare_sets_of_reals(rules: Rules, a: Value, b: Value) -> Verdict | None:
    """Compare where at least one side can be nothing else than a set of numbers."""
    if not (_is_set_of_numbers(a) or _is_set_of_numbers(b)):
        return None
    same_reals = are_same_reals(a, b)
    if same_reals is not None:
        return decide(same_reals)
    if isinstance(a, Apply) and isinstance(b, Apply) and a.head == b.head:
        if a.head == "union":
            return rules.compare_members(_list_united(a), _list_united(b))
        return rules.compare_in_order(a.args, b.args)
    if isinstance(a, Builder) and isinstance(b, Builder):
        return rules.compare_in_order((a.element, a.condition), (b.element, b.condition))
    for builder, other in ((a, b), (b, a)):
        if isinstance(builder, Builder):
            return rules.compare(builder.condition, other) if isinstance(other, Relation) else NO
    return NO


def _is_set_of_numbers(value: Value) -> bool:
    match value:
        case Builder():
            return True
        case Sym(name):
            return name.partition(" ")[0] in NAMED_SETS.values()
        case Apply("union" | "intersection" | "difference"):
            return True
        case ListOf(items, _):
            return all(map(_is_condition, items)) and find_reals(value) is not None
    return False


def _is_condition(value: Value) -> bool:
    """Say whether this is an inequality, or several of them."""
    if isinstance(value, ListOf):
        return all(map(_is_condition, value.items))
    return isinstance(value, Relation) and find_named_value(value) is None


def _list_united(value: Value) -> list[Value]:
    """List what a union unites, with the members of finite sets one by one."""
    if isinstance(value, Apply) and value.head == "union":
        return [part for argument in value.args for part in _list_united(argument)]
    return list(value.items) if isinstance(value, SetOf) else [value]


def are_same_reals(a: Value, b: Value) -> bool | None:
    """Say whether two values describe the same set of reals, None where one of them describes none."""
    first, second = find_reals(a), find_reals(b)
    if first is None or second is None:
        return None
    if first.subject is not None and second.subject is not None and first.subject != second.subject:
        return False
    return are_same(first.pieces, second.pieces)


def find_reals(value: Value) -> Solution | None:
    """Return the set of reals that a value describes, None where it describes none."""
    match value:
        case Builder(element, condition):
            found = find_reals(condition)
            known = found is not None and found.subject in (None, _find_subject(element))
            return Solution(None, found.pieces) if found is not None and known else None
        case Relation(("in",), (element, container)):
            found = find_reals(container)
            return None if found is None else Solution(_find_subject(element), found.pieces)
        case Relation():
            return solve(value)
        case ListOf(items, joint):
            return _join_conditions(items, joint)
    pieces = _find_pieces(value)
    return None if pieces is None else Solution(None, pieces)


def _find_pieces(value: Value) -> Pieces | None:
    """Return the set that is written down as such, without a condition."""
    match value:
        case Sym(name) if name in REALS:
            return REALS[name]
        case Bracketed(opening, (first, second), closing) if value.may_be_interval:
            low, high = compute_end(first), compute_end(second)
            if low is None or high is None:
                return None
            return build_interval(low, opening == "(", high, closing == ")")
        case SetOf(items):
            numbers = [number for number in map(compute_real, items) if number is not None]
            return build_points(numbers) if len(numbers) == len(items) else None
        case Apply("union" | "intersection" | "difference", (left, right)):
            return _combine(value.head, find_reals(left), find_reals(right))
    return None


def _combine(operation: str, first: Solution | None, second: Solution | None) -> Pieces | None:
    if first is None or second is None:
        return None
    if operation == "union":
        return merge([*first.pieces, *second.pieces])
    return intersect(first.pieces, second.pieces if operation == "intersection" else complement(second.pieces))


def _find_subject(element: Value) -> Value:
    """Return what a set is about: x, also of `x in R`."""
    return element.sides[0] if isinstance(element, Relation) else element


def _join_conditions(items: tuple[Value, ...], joint: str) -> Solution | None:
    """Join conditions about one thing: `or` and a comma make a union, `and` makes an intersection.

    Behind a comma, `x != 2` and `x in R` restrict what stands before them. Where the intersection is empty,
    "x < 1 and x > 2" means both solutions: a union as well.
    """
    solutions = [solution for item in items if isinstance(item, Relation | ListOf) and (solution := find_reals(item))]
    if len(solutions) < len(items) or len({solution.subject for solution in solutions}) != 1:
        return None
    all_pieces = [solution.pieces for solution in solutions]
    pieces = _intersect_all(all_pieces) if joint == "and" else ()
    if not pieces:
        restricting = [joint == "," and _restricts(item) for item in items]
        united = [
            piece for some, restricts in zip(all_pieces, restricting, strict=True) if not restricts for piece in some
        ]
        restrictions = [some for some, restricts in zip(all_pieces, restricting, strict=True) if restricts]
        pieces = _intersect_all([EVERYTHING if all(restricting) else merge(united), *restrictions])
    return Solution(solutions[0].subject, pieces)


def _restricts(item: Value) -> bool:
    """Say whether a condition leaves out a number, or names the set that all is in."""
    return isinstance(item, Relation) and (
        item.signs == ("!=",) or (item.signs == ("in",) and isinstance(item.sides[1], Sym))
    )


def _intersect_all(all_pieces: Sequence[Pieces]) -> Pieces:
    return reduce(intersect, all_pieces)
