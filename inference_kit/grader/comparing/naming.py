"""Equations that only name a value: `x = 5`, `f(x) = 2x`, `P(A) = 1/2`, `(x, y) = (1, 2)`, `2 + 3 = 5`.

Why: an answer may be given with its name or without; an equation such as `2x = 4` is a condition, and names nothing.
Promises: pure; a relation has a named value or it has none, whatever it is compared with.
"""

from inference_kit.grader.operations.table import OPERATIONS
from inference_kit.grader.values import (
    ZERO,
    Apply,
    Bracketed,
    Matrix,
    Ratio,
    Relation,
    Sym,
    Text,
    Value,
    list_parts,
    list_symbols,
)

NAMING = frozenset(("=", "~", "equiv"))
"""Signs that stand between a name and a value."""

CURVES = frozenset((*"xyz", "theta", "rho", "phi"))
"""Variables of which an equation describes a line, a curve or a surface."""

BINDING = frozenset(name for name, operation in OPERATIONS.items() if operation.binds)


def find_name(relation: Relation) -> Value | None:
    """Return what an equation names, where one of its ends is a name: a symbol, `f(x)`, `P(A)`, words, `(x, y)`."""
    if relation.signs[0] == "in":
        return relation.sides[0] if is_name(relation.sides[0]) else None
    if not set(relation.signs) <= NAMING:
        return None
    for end in (relation.sides[0], relation.sides[-1]):
        if is_name(end):
            return end
    return None


def find_named_value(relation: Relation) -> Value | None:
    """Return the value that a relation names, None where it states a condition."""
    sides, signs = relation.sides, relation.signs
    if signs == ("in",) and is_name(sides[0]):
        return sides[1]
    if not set(signs) <= NAMING:
        return None
    signs = tuple("=" if sign == "equiv" else sign for sign in signs)
    if is_name(sides[0]):
        sides, signs = sides[1:], signs[1:]
        while signs and signs[0] == "=" and is_name(sides[0]):
            sides, signs = sides[1:], signs[1:]
    elif signs == ("=",) and is_name(sides[1]):
        return sides[0]
    elif signs[0] == "=" and _is_condition(sides):
        return None
    # What follows the last sign of approximation is no value but its size: sqrt 7 ~ 2.65 names sqrt 7.
    while signs and signs[-1] == "~":
        sides, signs = sides[:-1], signs[:-1]
    return sides[0] if "~" in signs else sides[-1]


def _is_condition(sides: tuple[Value, ...]) -> bool:
    """Say whether an equation is about variables; `2x + 1 = 2 * 3 + 1 = 7` works out a value, `2x = 4` does not."""
    has_variables = [bool(list_symbols(side)) for side in (sides[0], sides[-1])]
    return any(has_variables) if len(sides) == 2 else all(has_variables)


def find_asked_value(relation: Relation) -> Value | None:
    """Return the number that an equation gives for an expression: 419 of `m + n = 419`, 33 of `N(4) + N(5) = 33`.

    With one variable it is a condition (`2x = 4`), with x, y, z or an angle a curve, and with 0 a relation of letters.
    """
    left, right = relation.sides[0], relation.sides[-1]
    if relation.signs[0] != "=" or not set(relation.signs) <= NAMING or list_symbols(right):
        return None
    names = _list_free(left)
    if isinstance(left, Apply) and left.head in ("floor", "ceil") and right != ZERO:
        return right
    return right if not names or (len(names) > 1 and right != ZERO and not names & CURVES) else None


def _list_free(value: Value) -> set[str]:
    """List the variables of a value but those that an integral or a sum binds."""
    if isinstance(value, Apply) and value.head in BINDING and len(value.args) > 1:
        free = set().union(*map(_list_free, value.args))
        bound = {part.name for part in value.args[1:2] if isinstance(part, Sym)}
        return {name for name in free if name not in bound and name.rpartition("_")[2] not in bound}  # nor a_i of i
    if isinstance(value, Sym):
        return set(list_symbols(value))
    return set().union(*map(_list_free, list_parts(value)))


def is_name(value: Value) -> bool:
    """Say whether a side of an equation only names the other: a variable, a function of variables, letters, words."""
    match value:
        case Sym(name):
            return name not in ("pi", "e", "i", "oo")
        case Text():
            return True
        case Apply(head, _) if head.startswith(("call:", "prime")):
            return True
        case Apply("mul" | "abs" | "det", args):
            return all(is_name(argument) for argument in args)
        case Apply("div", (Apply("mul", (Sym("d"), *_)), Apply("mul", (Sym("d"), *_)))):
            return True
        case Bracketed(_, items, _):
            return bool(items) and all(is_name(item) for item in items)
        case Ratio(parts):
            return all(is_name(part) for part in parts)
        case Matrix(rows):
            return all(is_name(entry) for row in rows for entry in row)
    return False


def are_alike(a: Value | None, b: Value | None) -> bool:
    """Say whether two names may stand for each other: the same, in another case, without its index, `y` and `f(x)`."""
    if a == b:
        return True
    match a, b:
        case (Sym(first), Sym(second)):
            return (
                first.lower() == second.lower()
                or first.partition("_")[0] == second
                or second.partition("_")[0] == first
            )
        case (Sym("y"), Apply(head, _)) | (Apply(head, _), Sym("y")):
            return head.startswith("call:")
    return False


def drop_name(value: Value) -> Value:
    """Return the value that an equation names, any other value as it is."""
    named = find_named_value(value) if isinstance(value, Relation) else None
    return value if named is None else named
