"""Equations that only name a value: `x = 5`, `f(x) = 2x`, `P(A) = 1/2`, `(x, y) = (1, 2)`, `2 + 3 = 5`.

Why: an answer may be given with its name or without; an equation such as `2x = 4` is a condition, and names nothing.
Promises: pure; a relation has a named value or it has none, whatever it is compared with.
"""

from inference_kit.grader.values import Apply, Bracketed, Matrix, Ratio, Relation, Sym, Text, Value, symbols_of


def name_of(relation: Relation) -> Value | None:
    """What an equation names, where one of its ends is a name: a symbol, `f(x)`, `P(A)`, words, `(x, y)`."""
    if relation.signs[0] == "in":
        return relation.sides[0] if is_name(relation.sides[0]) else None
    if not set(relation.signs) <= {"=", "~"}:
        return None
    for end in (relation.sides[0], relation.sides[-1]):
        if is_name(end):
            return end
    return None


def named_value(relation: Relation) -> Value | None:
    """The value that a relation states, None where it states a condition."""
    sides, signs = list(relation.sides), list(relation.signs)
    if signs == ["in"] and is_name(sides[0]):
        return sides[1]
    if not set(signs) <= {"=", "~"}:
        return None
    if is_name(sides[0]) or isinstance(sides[0], Text):
        sides, signs = sides[1:], signs[1:]
        while signs and signs[0] == "=" and is_name(sides[0]):
            sides, signs = sides[1:], signs[1:]
    elif len(sides) == 2 and is_name(sides[1]) and signs[0] == "=":
        return sides[0]
    elif (signs[0] == "=" and symbols_of(sides[0]) and not (len(sides) > 2 and not symbols_of(sides[-1]))) or (
        signs[0] == "=" and len(sides) == 2 and symbols_of(sides[1])
    ):
        return None
    while signs and signs[-1] == "~":
        sides, signs = sides[:-1], signs[:-1]
    return sides[-1] if len(sides) == 1 or "~" not in signs else sides[0]


def is_name(value: Value) -> bool:
    """Whether a side of an equation only names the other: a variable, a function of variables, letters, words."""
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


def alike(a: Value | None, b: Value | None) -> bool:
    """Names that may stand for each other: the same, in another case, or `y` and `f(x)`."""
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


def stated(value: Value) -> Value:
    """The value that an equation states; any other value as it is."""
    named = named_value(value) if isinstance(value, Relation) else None
    return value if named is None else named
