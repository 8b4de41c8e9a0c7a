"""Solve inequalities in one variable: `x > 2`, `1 <= x < 3`, `2x + 1 > 5`, `|x - 1| < 3`.

Why: they describe intervals, and an answer may be given as either.
Promises: pure; bounded: linear ones only, of which the difference of both sides is computed at five places.
"""

import math
from dataclasses import dataclass
from fractions import Fraction

from inference_kit.grader.comparing.reals.intervals import Pieces, build_interval, complement, intersect
from inference_kit.grader.proving.points import compute_real
from inference_kit.grader.values import ZERO, Apply, Relation, Sym, Value, list_symbols, negate, to_num, walk
from inference_kit.grader.vocabulary import CONVERSES, SYMMETRIC

INEQUALITIES = ("<", "<=", ">", ">=", "!=")
WITHIN = {"<": "<", "<=": "<=", ">": "<=", ">=": "<"}
"""The sign between |x| and a bound below which x lies where the sign holds; for > and >= where it does not hold."""

CONFIRMING = (-2, 5, Fraction(37, 11))
"""Places at which a straight line is told from |x|, from floor(x), and from a polynomial with whole roots."""

NEARLY_LINEAR = 1e-9


@dataclass(frozen=True, slots=True)
class Solution:
    """The numbers for which a condition holds; `subject` is what it is about, None where that is not said."""

    subject: Value | None
    pieces: Pieces


def turn_sign(sign: str) -> str:
    """Return the sign seen from the other side: `>` of `<`; what has a direction and no converse is like no other."""
    if sign in SYMMETRIC:
        return sign
    if sign.startswith("not "):
        return f"not {turn_sign(sign[4:])}"
    return CONVERSES.get(sign, f"converse of {sign}")


def solve(relation: Relation) -> Solution | None:
    """Solve one or two inequalities about one thing, None where they are not linear in their only variable."""
    if len(relation.signs) == 2:
        return _solve_chain(relation)
    if len(relation.signs) != 1 or relation.signs[0] not in INEQUALITIES:
        return None
    left, right = relation.sides
    sign = relation.signs[0]
    if compute_end(left) is not None:
        left, right, sign = right, left, turn_sign(sign)
    bound = compute_end(right)
    if bound is not None and _is_subject(left):
        return Solution(left, _build_ray(sign, bound))
    return _solve_linear(left, right, sign)


def compute_end(value: Value) -> float | None:
    """Return the real number, or the infinity, that ends an interval; None where it is neither."""
    match value:
        case Sym("oo"):
            return math.inf
        case Apply("neg", (Sym("oo"),)):
            return -math.inf
    return compute_real(value)


def _is_subject(value: Value) -> bool:
    """Say whether an inequality may be about this: a symbol, or f(x)."""
    return isinstance(value, Sym) or (isinstance(value, Apply) and value.head.startswith("call:"))


def _build_ray(sign: str, bound: float) -> Pieces:
    if sign == "!=":
        return complement(build_interval(bound, False, bound, False))
    if sign[0] == "<":
        return build_interval(-math.inf, True, bound, sign == "<")
    return build_interval(bound, sign == ">", math.inf, True)


def _solve_chain(relation: Relation) -> Solution | None:
    """Solve low < middle < high, or the same from high to low."""
    low, middle, high = relation.sides
    signs = relation.signs
    if not (set(signs) <= {"<", "<="} or set(signs) <= {">", ">="}):
        return None
    if signs[0][0] == ">":
        low, high, signs = high, low, (turn_sign(signs[1]), turn_sign(signs[0]))
    lowest, highest = compute_end(low), compute_end(high)
    if lowest is None or highest is None:
        return None
    if _is_subject(middle):
        return Solution(middle, build_interval(lowest, signs[0] == "<", highest, signs[1] == "<"))
    above = _solve_linear(middle, low, turn_sign(signs[0]))
    below = _solve_linear(middle, high, signs[1])
    if above is None or below is None:
        return None
    return Solution(above.subject, intersect(above.pieces, below.pieces))


def _solve_linear(left: Value, right: Value, sign: str) -> Solution | None:
    """Solve left `sign` right, where their difference is linear in its only variable, or in the only |...| it has."""
    sizes = {part for side in (left, right) for part in walk(side) if isinstance(part, Apply) and part.head == "abs"}
    if len(sizes) != 1:
        names = list_symbols(left, right)
        return _solve_for(Sym(names[0]), left, right, sign) if len(names) == 1 else None
    (size,) = sizes
    if sign == "!=" or list_symbols(*(_substitute(side, size, ZERO) for side in (left, right))):
        return None
    found = _find_bound(size, left, right, sign)
    return None if found is None else _solve_absolute(size, *found)


def _solve_absolute(size: Apply, sign: str, bound: float) -> Solution | None:
    """Solve |inner| < bound, which is -bound < inner < bound; |inner| > bound is all that |inner| <= bound is not."""
    end = to_num(Fraction(bound))
    within = _solve_chain(Relation((WITHIN[sign], WITHIN[sign]), (negate(end), size.args[0], end)))
    if within is None or sign[0] == "<":
        return within
    return Solution(within.subject, complement(within.pieces))


def _solve_for(variable: Value, left: Value, right: Value, sign: str) -> Solution | None:
    found = _find_bound(variable, left, right, sign)
    return None if found is None else Solution(variable, _build_ray(*found))


def _find_bound(variable: Value, left: Value, right: Value, sign: str) -> tuple[str, float] | None:
    """Find the sign and the bound that left `sign` right says of a variable x in which d(x) = left - right is linear.

    Then d(x) = d(0) + s x with s = d(1) - d(0), which other places confirm, and the bound is -d(0) / s. Dividing by a
    negative s turns the sign.
    """
    at_0, at_1 = (_subtract_at(left, right, variable, place) for place in (0, 1))
    if at_0 is None or at_1 is None or at_0 == at_1:
        return None
    slope = at_1 - at_0
    for place in CONFIRMING:
        difference = _subtract_at(left, right, variable, place)
        expected = at_0 + float(place) * slope
        if difference is None or abs(difference - expected) > NEARLY_LINEAR * (abs(at_0) + abs(slope)):
            return None
    bound = -at_0 / slope + 0.0  # makes 0.0 of -0.0
    return (sign if slope > 0 else turn_sign(sign)), bound


def _subtract_at(left: Value, right: Value, variable: Value, place: int | Fraction) -> float | None:
    """Return left - right with a number for the variable."""
    first, second = (compute_real(_substitute(side, variable, to_num(place))) for side in (left, right))
    return None if first is None or second is None else first - second


def _substitute(value: Value, variable: Value, replacement: Value) -> Value:
    if value == variable:
        return replacement
    if isinstance(value, Apply):
        return Apply(value.head, tuple(_substitute(argument, variable, replacement) for argument in value.args))
    return value
