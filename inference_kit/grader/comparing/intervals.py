"""Sets of real numbers: unions of intervals, as intervals, inequalities and builders describe them.

Why: `(2, oo)`, `x > 2`, `2x > 4` and `{x | x > 2}` are one set, and so are `x != 0` and two open rays.
Promises: pieces are sorted and merged, so equal sets have equal pieces; what is no set of reals with known ends is
None.
"""

import math
from dataclasses import dataclass

from inference_kit.grader.proving.points import compute_real
from inference_kit.grader.values import (
    Apply,
    Bracketed,
    Builder,
    ListOf,
    Relation,
    SetOf,
    Sym,
    Value,
    negative,
    number,
    symbols_of,
)

SAME = 1e-10


@dataclass(frozen=True, slots=True, order=True)
class Piece:
    """An interval; `low_open` and `high_open` say that its ends are left out. A single number is closed at both."""

    low: float
    low_open: bool
    high: float
    high_open: bool


Pieces = tuple[Piece, ...]
EVERYTHING: Pieces = (Piece(-math.inf, True, math.inf, True),)


def reals(value: Value) -> tuple[Value | None, Pieces] | None:
    """Return the set that a value describes and what it is about (None, or the variable of an inequality)."""
    match value:
        case Sym("reals"):
            return None, EVERYTHING
        case Bracketed() if value.may_be_interval:
            return _without_subject(_interval(value))
        case SetOf(items):
            return _without_subject(_points(items))
        case Apply("union" | "intersection" | "difference", (left, right)):
            return _without_subject(_combined(value.head, left, right))
        case Builder(element, condition):
            found = reals(condition)
            return None if found is None or found[0] not in (None, _subject(element)) else (None, found[1])
        case Relation(("in",), (element, container)):
            found = reals(container)
            return None if found is None else (_subject(element), found[1])
        case Relation():
            return _inequality(value)
        case ListOf(items, joint):
            return _several(items, joint)
    return None


def same_reals(a: Value, b: Value) -> bool | None:
    """Whether two values describe the same set of reals; None where one of them describes none."""
    first, second = reals(a), reals(b)
    if first is None or second is None:
        return None
    if first[0] is not None and second[0] is not None and first[0] != second[0]:
        return False
    return len(first[1]) == len(second[1]) and all(map(_same_piece, first[1], second[1]))


def _same_piece(a: Piece, b: Piece) -> bool:
    return _same(a.low, b.low) and _same(a.high, b.high) and a.low_open == b.low_open and a.high_open == b.high_open


def _same(a: float, b: float) -> bool:
    return a == b or abs(a - b) <= SAME * min(abs(a), abs(b))


def _without_subject(pieces: Pieces | None) -> tuple[None, Pieces] | None:
    return None if pieces is None else (None, pieces)


def _end(value: Value) -> float | None:
    match value:
        case Sym("oo"):
            return math.inf
        case Apply("neg", (Sym("oo"),)):
            return -math.inf
    return compute_real(value)


def _interval(value: Bracketed) -> Pieces | None:
    low, high = _end(value.items[0]), _end(value.items[1])
    if low is None or high is None:
        return None
    return _merged([_piece(low, value.opening == "(", high, value.closing == ")")])


def _piece(low: float, low_open: bool, high: float, high_open: bool) -> Piece:
    return Piece(low, low_open or math.isinf(low), high, high_open or math.isinf(high))


def _points(items: tuple[Value, ...]) -> Pieces | None:
    numbers = [compute_real(item) for item in items]
    if None in numbers:
        return None
    return _merged([Piece(number, False, number, False) for number in numbers if number is not None])


def _combined(head: str, left: Value, right: Value) -> Pieces | None:
    first, second = reals(left), reals(right)
    if first is None or second is None:
        return None
    if head == "union":
        return _merged([*first[1], *second[1]])
    if head == "intersection":
        return _common(first[1], second[1])
    return _common(first[1], _complement(second[1]))


def _merged(pieces: list[Piece]) -> Pieces:
    """Sorted, without empty pieces, those that touch or overlap made one."""
    merged: list[Piece] = []
    for piece in sorted(
        each for each in pieces if each.low < each.high or (each.low == each.high and not each.low_open)
    ):
        last = merged[-1] if merged else None
        touches = last is not None and (
            piece.low < last.high or (_same(piece.low, last.high) and not (piece.low_open and last.high_open))
        )
        if last is None or not touches:
            merged.append(piece)
        elif piece.high > last.high or (piece.high == last.high and last.high_open):
            merged[-1] = Piece(last.low, last.low_open, piece.high, piece.high_open)
    return tuple(merged)


def _common(first: Pieces, second: Pieces) -> Pieces:
    found = []
    for a in first:
        for b in second:
            low, low_open = max((a.low, a.low_open), (b.low, b.low_open))
            high, high_closed = min((a.high, not a.high_open), (b.high, not b.high_open))
            found.append(Piece(low, low_open, high, not high_closed))
    return _merged(found)


def _complement(pieces: Pieces) -> Pieces:
    found = []
    low, low_open = -math.inf, True
    for piece in pieces:
        found.append(Piece(low, low_open, piece.low, not piece.low_open))
        low, low_open = piece.high, not piece.high_open
    found.append(Piece(low, low_open, math.inf, True))
    return _merged(found)


def _subject(element: Value) -> Value:
    """What a set is about: `x` of `x in R` as well."""
    return element.sides[0] if isinstance(element, Relation) else element


def _several(items: tuple[Value, ...], joint: str) -> tuple[Value | None, Pieces] | None:
    """Relations joined by `and` (an intersection, where there is one), or by `or` or a comma (a union)."""
    found = [reals(item) for item in items if isinstance(item, Relation)]
    known = [each for each in found if each is not None]
    if not known or len(known) < len(items) or len({each[0] for each in known}) != 1:
        return None
    pieces = known[0][1]
    for _, others in known[1:]:
        pieces = _common(pieces, others) if joint == "and" else _merged([*pieces, *others])
    if joint == "and" and not pieces:
        return known[0][0], _merged([piece for _, each in known for piece in each])
    return known[0][0], pieces


def _inequality(relation: Relation) -> tuple[Value | None, Pieces] | None:
    """One or two inequalities about one thing, or one that is linear in its only variable."""
    if len(relation.signs) == 2:
        return _chain(relation)
    if len(relation.signs) != 1 or relation.signs[0] not in ("<", "<=", ">", ">=", "!="):
        return None
    left, right = relation.sides
    sign = relation.signs[0]
    if compute_real(left) is not None or _end(left) is not None:
        left, right, sign = right, left, _TURNED[sign]
    bound = _end(right)
    if bound is not None and isinstance(left, Apply) and left.head == "abs" and sign != "!=":
        return _absolute(left.args[0], sign, right)
    if bound is not None and (isinstance(left, Sym) or (isinstance(left, Apply) and left.head.startswith("call:"))):
        return left, _ray(sign, bound)
    return _linear(left, right, sign)


_TURNED = {"<": ">", "<=": ">=", ">": "<", ">=": "<=", "!=": "!=", "=": "="}


def turned(sign: str) -> str:
    """The sign seen from the other side."""
    return _TURNED.get(sign, sign)


def _chain(relation: Relation) -> tuple[Value | None, Pieces] | None:
    low, middle, high = relation.sides
    signs = relation.signs
    if not (set(signs) <= {"<", "<="} or set(signs) <= {">", ">="}):
        return None
    if signs[0][0] == ">":
        low, high, signs = high, low, (_TURNED[signs[1]], _TURNED[signs[0]])
    ends = _end(low), _end(high)
    if ends[0] is None or ends[1] is None:
        return None
    if isinstance(middle, Sym) or (isinstance(middle, Apply) and middle.head.startswith("call:")):
        return middle, _merged([_piece(ends[0], signs[0] == "<", ends[1], signs[1] == "<")])
    lower = _linear(middle, low, _TURNED[signs[0]])
    upper = _linear(middle, high, signs[1])
    if lower is None or upper is None:
        return None
    return lower[0], _common(lower[1], upper[1])


def _absolute(inner: Value, sign: str, bound: Value) -> tuple[Value | None, Pieces] | None:
    """|inner| < bound is -bound < inner < bound; |inner| > bound is all the rest."""
    turned_sign = {"<": "<", ">": "<=", "<=": "<=", ">=": "<"}[sign]
    within = _chain(Relation((turned_sign, turned_sign), (negative(bound), inner, bound)))
    if within is None or sign[0] == "<":
        return within
    return within[0], _complement(within[1])


def _ray(sign: str, bound: float) -> Pieces:
    if sign == "!=":
        return (_piece(-math.inf, True, bound, True), _piece(bound, True, math.inf, True))
    if sign[0] == "<":
        return _merged([_piece(-math.inf, True, bound, sign == "<")])
    return _merged([_piece(bound, sign == ">", math.inf, True)])


def _linear(left: Value, right: Value, sign: str) -> tuple[Value | None, Pieces] | None:
    """Solve left `sign` right, where the difference is linear in its only variable."""
    names = symbols_of(left, right)
    if len(names) != 1:
        return None
    at = [_difference_at(left, right, names[0], place) for place in (0, 1, 2, 5)]
    if at[0] is None or at[1] is None or at[2] is None or at[3] is None:
        return None
    slope = at[1] - at[0]
    if slope == 0 or (not _same(at[2], at[0] + 2 * slope) and abs(at[2] - at[0] - 2 * slope) > 1e-12):
        return None
    if abs(at[3] - at[0] - 5 * slope) > 1e-9 * (abs(at[0]) + abs(slope)):
        return None
    bound = -at[0] / slope
    return Sym(names[0]), _ray(sign if slope > 0 else _TURNED[sign], bound + 0.0)


def _difference_at(left: Value, right: Value, name: str, place: int) -> float | None:
    sides = [compute_real(substituted(side, name, place)) for side in (left, right)]
    if sides[0] is None or sides[1] is None:
        return None
    return sides[0] - sides[1]


def substituted(value: Value, name: str, place: int) -> Value:
    """The expression with a number for a variable."""
    if value == Sym(name):
        return number(place)
    if isinstance(value, Apply):
        return Apply(value.head, tuple(substituted(argument, name, place) for argument in value.args))
    return value
