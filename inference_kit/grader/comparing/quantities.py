"""Rules for quantities: units, percent and degrees, number bases, ratios.

Why: a quantity may be given with what it counts or without; `5 cm`, `5` and `5 centimeters` answer one question.
Promises: symmetric; a sign or unit on one side only is never what makes two answers different.
"""

from inference_kit.grader.comparing.rules import Rules
from inference_kit.grader.proving.exact import compute_rational
from inference_kit.grader.reading.units import is_known
from inference_kit.grader.values import (
    HUNDRED,
    PI,
    Apply,
    Based,
    Measure,
    Ratio,
    Sym,
    Text,
    Value,
    is_expression,
    to_num,
)
from inference_kit.grader.verdicts import NO, YES, Verdict, decide

MOST_DIGITS = 4000
YUAN_OR_YEN = frozenset((frozenset(("¥", "yuan")), frozenset(("¥", "yen"))))
"""One sign stands for two currencies."""

HALF_TURN = to_num(180)


def compare_measures(rules: Rules, a: Value, b: Value) -> Verdict | None:
    """Compare values with units: a unit on one side only is dropped, two known units must be the same."""
    if isinstance(a, Measure) and isinstance(b, Measure):
        return NO if _are_other_units(a.unit, b.unit) else rules.compare(a.value, b.value)
    if isinstance(a, Measure):
        if isinstance(b, Text):
            return NO
        if is_known(a.unit) and isinstance(b, Apply) and b.head in ("percent", "degree"):
            is_angle = a.unit == "radian" and b.head == "degree"
            return rules.compare(a.value, _scale(b.args[0], "degree")) if is_angle else NO
        return rules.compare(a.value, _drop_factor(b, a.unit))
    if isinstance(b, Measure):
        return compare_measures(rules, b, a)
    return None


def _are_other_units(a: str, b: str) -> bool:
    return a != b and is_known(a) and is_known(b) and frozenset((a, b)) not in YUAN_OR_YEN


def _drop_factor(value: Value, unit: str) -> Value:
    """Return a product without its last factor where that is the letter of a unit: beside `3.5 m`, m is no variable."""
    name, _, power = unit.partition("^")
    letter = Apply("pow", (Sym(name), to_num(int(power)))) if power.isdigit() else Sym(unit)
    if not (isinstance(value, Apply) and value.head == "mul" and value.args[-1] == letter):
        return value
    return value.args[0] if len(value.args) == 2 else Apply("mul", value.args[:-1])


def compare_marked(rules: Rules, a: Value, b: Value) -> Verdict | None:
    """Compare percentages and degrees: 50% is 50% only, but beside a bare number it is 50 or 0.5."""
    if _find_marked(a, "percent") is not None and _find_marked(b, "degree") is not None:
        return NO
    if _find_marked(a, "degree") is not None and _find_marked(b, "percent") is not None:
        return NO
    for sign in ("percent", "degree"):
        inner_a, inner_b = _find_marked(a, sign), _find_marked(b, sign)
        if inner_a is not None and inner_b is not None:
            return rules.compare(inner_a, inner_b)
        if inner_a is not None:
            return rules.compare_with_any(b, (inner_a, _scale(inner_a, sign)))
        if inner_b is not None:
            return rules.compare_with_any(a, (inner_b, _scale(inner_b, sign)))
    return None


def _find_marked(value: Value, sign: str) -> Value | None:
    return value.args[0] if isinstance(value, Apply) and value.head == sign else None


def _scale(value: Value, sign: str) -> Value:
    """Return what a percentage is as a share, or an angle in degrees in radians."""
    if sign == "percent":
        return Apply("div", (value, HUNDRED))
    return Apply("div", (Apply("mul", (value, PI)), HALF_TURN))


def compare_bases(rules: Rules, a: Value, b: Value) -> Verdict | None:
    """Compare numbers in bases: the same digits in the same base; beside a bare number, the digits or the value."""
    if isinstance(a, Based) and isinstance(b, Based):
        return decide(a.base == b.base and a.digits.lstrip("0") == b.digits.lstrip("0"))
    for based, other in ((a, b), (b, a)):
        if isinstance(based, Based):
            value = compute_rational(other) if is_expression(other) else None
            meanings = (_read_digits(based.digits, 10), _read_digits(based.digits, based.base))
            return decide(value is not None and value in meanings)
    return None


def _read_digits(digits: str, base: int) -> int | None:
    try:
        return int(digits[:MOST_DIGITS], base)
    except ValueError:
        return None


def compare_ratios(rules: Rules, a: Value, b: Value) -> Verdict | None:
    """Compare ratios part by part or as proportions; one of two parts is also their quotient."""
    if isinstance(a, Ratio) and isinstance(b, Ratio):
        if len(a.parts) != len(b.parts):
            return NO
        in_order = rules.compare_in_order(a.parts, b.parts)
        return YES if in_order is not YES and _are_proportional(a, b) else in_order
    for ratio, other in ((a, b), (b, a)):
        if isinstance(ratio, Ratio):
            has_quotient = len(ratio.parts) == 2 and is_expression(other)
            return rules.compare(Apply("div", ratio.parts), other) if has_quotient else NO
    return None


def _are_proportional(a: Ratio, b: Ratio) -> bool:
    """Say whether 3:2 and 6:4 are one ratio; with a part of zero it is a time of day, which has no other form."""
    numbers = [compute_rational(part) if is_expression(part) else None for part in (*a.parts, *b.parts)]
    known = [value for value in numbers if value]
    if len(known) < len(numbers):
        return False
    first, second = known[: len(a.parts)], known[len(a.parts) :]
    return all(x * second[0] == y * first[0] for x, y in zip(first, second, strict=True))
