r"""Named points and sums of unit vectors, beside tuples: `A(1,2)`, `2\hat i - \hat j`, `\langle 2, -1 \rangle`.

Why: a point may be given with its name, and a vector by its components or as a sum.
Promises: symmetric; a sum of unit vectors has j or k in it, for i alone is the imaginary unit.
"""

from inference_kit.grader.comparing.matrices import list_entries
from inference_kit.grader.comparing.rules import Rules
from inference_kit.grader.values import (
    IMAGINARY,
    ONE,
    ZERO,
    Apply,
    Bracketed,
    Matrix,
    Sym,
    Value,
    is_expression,
    negate,
    walk,
)
from inference_kit.grader.verdicts import NO, Verdict

UNIT_VECTORS = {"i": 0, "j": 1, "k": 2}
LETTERS = frozenset("jk")

Components = tuple[Value, Value, Value]


def compare_points(rules: Rules, a: Value, b: Value) -> Verdict | None:
    """Compare a point that has a name with a tuple: `P(3, -2)` and `(3, -2)`."""
    for point, other in ((a, b), (b, a)):
        if isinstance(point, Apply) and isinstance(other, Bracketed) and _is_named_point(point):
            return rules.compare(Bracketed("(", point.args, ")"), other)
    return None


def _is_named_point(value: Apply) -> bool:
    name = value.head.removeprefix("call:")
    return name != value.head and name[:1].isupper() and len(value.args) > 1


def compare_unit_vectors(rules: Rules, a: Value, b: Value) -> Verdict | None:
    """Compare a sum of unit vectors with a tuple or a matrix of one row or column."""
    for value, other in ((a, b), (b, a)):
        if not isinstance(other, Bracketed | Matrix):
            continue
        components = _find_beside(value, other)
        if components is None:
            continue
        items = list_entries(other) if isinstance(other, Matrix) else _list_items(other)
        if items is None or not 2 <= len(items) <= 3:
            return NO
        if len(items) == 2 and components[2] != ZERO:
            return NO
        return rules.compare_in_order(components[: len(items)], items)
    return None


def _find_beside(value: Value, other: Value) -> Components | None:
    """Return what a value has of each unit vector; beside a vector that can be no complex number, i alone is one."""
    is_vector = isinstance(other, Bracketed) and (other.opening == "<" or len(other.items) == 3)
    if is_vector and is_expression(value) and any(part == IMAGINARY for part in walk(value)):
        return _read_components(value)
    return find_components(value)


def _list_items(value: Value) -> tuple[Value, ...] | None:
    return value.items if isinstance(value, Bracketed) and value.opening in "(<" else None


def find_components(value: Value) -> Components | None:
    """Return what a sum of unit vectors has of each, None where a value is no such sum."""
    if not any(isinstance(part, Sym) and part.name in LETTERS for part in walk(value)):
        return None
    return _read_components(value)


def _read_components(value: Value) -> Components | None:
    if isinstance(value, Sym) and value.name in UNIT_VECTORS:
        place = UNIT_VECTORS[value.name]
        return (ONE if place == 0 else ZERO, ONE if place == 1 else ZERO, ONE if place == 2 else ZERO)
    match value:
        case Apply("neg", (inner,)):
            found = _read_components(inner)
            return None if found is None else (negate(found[0]), negate(found[1]), negate(found[2]))
        case Apply("add", terms):
            return _add([_read_components(term) for term in terms])
        case Apply("mul", factors):
            return _multiply(factors)
        case Apply("div", (numerator, denominator)) if not _has_vector(denominator):
            return _multiply((numerator, Apply("div", (ONE, denominator))))
    return None


def _has_vector(value: Value) -> bool:
    return any(isinstance(part, Sym) and part.name in UNIT_VECTORS for part in walk(value))


def _multiply(factors: tuple[Value, ...]) -> Components | None:
    """Multiply a vector by numbers; of two vectors there is no such product."""
    vectors = [factor for factor in factors if _has_vector(factor)]
    numbers = tuple(factor for factor in factors if not _has_vector(factor))
    found = _read_components(vectors[0]) if len(vectors) == 1 else None
    if found is None:
        return None
    scaled = [ZERO if part == ZERO else Apply("mul", (*numbers, part)) for part in found] if numbers else found
    return (scaled[0], scaled[1], scaled[2])


def _add(terms: list[Components | None]) -> Components | None:
    known = [term for term in terms if term is not None]
    if len(known) < len(terms):
        return None
    sums = [_sum([term[place] for term in known if term[place] != ZERO]) for place in range(3)]
    return (sums[0], sums[1], sums[2])


def _sum(terms: list[Value]) -> Value:
    if len(terms) < 2:
        return terms[0] if terms else ZERO
    return Apply("add", tuple(terms))
