"""Simplify a value before it is compared: matrices worked out, calculations read as their results, brackets gone.

Why: `(5)`, `2 + 3 = 5` and `5` are one answer, and no rule should have to know that.
Promises: pure; the parts of a structure stay as they are, and are simplified when they are compared.
"""

from inference_kit.grader.comparing.matrices import fold_matrices, fold_tuple
from inference_kit.grader.comparing.naming import find_name, find_named_value
from inference_kit.grader.values import Apply, Bracketed, ListOf, Measure, Relation, SetOf, Sym, Value, list_symbols
from inference_kit.grader.vocabulary import NAMED_SETS


def simplify(value: Value) -> Value:
    """Return the value in a simpler form that is the same answer."""
    match value:
        case Relation():
            result = find_named_value(value) if find_name(value) is None else None
            return value if result is None else result
        case ListOf(items, joint):
            simpler = tuple(map(simplify, items))
            return simpler[-1] if all(map(_is_calculation, items)) else ListOf(simpler, joint)
        case Bracketed("(", (inner,), ")"):
            return inner
        case Measure(inner, "percent" | "degree" as sign):
            return Apply(sign, (inner,))
        case Apply("add", (Sym(name), Apply("neg", (SetOf() as removed,)))) if name in NAMED_SETS.values():
            return Apply("difference", (Sym(name), removed))
        case Apply("mul" | "add" | "neg" | "div" | "det"):
            return fold_tuple(fold_matrices(value))
    return value


def _is_calculation(value: Value) -> bool:
    """Say whether this is a step like `2 + 2 = 4`; of several steps the last has the answer."""
    return isinstance(value, Relation) and "=" in value.signs and not list_symbols(value)
