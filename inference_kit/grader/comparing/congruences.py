r"""Congruences: `x \equiv 2 \pmod 5` and the residues that they are made of.

Why: 2 and 7 are one residue modulo 5, and two modulo 4; the modulus is as much of the answer as the number.
Promises: symmetric; a congruence is never equal to an equation.
"""

from inference_kit.grader.comparing.rules import Rules
from inference_kit.grader.proving.exact import compute_rational
from inference_kit.grader.values import Apply, Relation, Value, is_expression
from inference_kit.grader.verdicts import NO, YES, Verdict, all_equal, any_equal, decide


def compare_residues(rules: Rules, a: Value, b: Value) -> Verdict | None:
    """Compare residues by their moduli and values; beside a bare number, by the value that is written."""
    first, second = _read_residue(a), _read_residue(b)
    if first is not None and second is not None:
        return all_equal((rules.compare(first[1], second[1]), _compare_modulo(rules, first[0], second[0], first[1])))
    for residue, other in ((first, b), (second, a)):
        if residue is not None:
            return rules.compare(residue[0], other) if is_expression(other) else NO
    return None


def _read_residue(value: Value) -> tuple[Value, Value] | None:
    """Return the value and the modulus of a residue."""
    return (value.args[0], value.args[1]) if isinstance(value, Apply) and value.head == "residue" else None


def _compare_modulo(rules: Rules, a: Value, b: Value, modulus: Value) -> Verdict:
    """Compare modulo a number: a - b is a multiple of it; of what is not computed, the values have to be equal."""
    numbers = [compute_rational(value) if is_expression(value) else None for value in (a, b, modulus)]
    if numbers[0] is not None and numbers[1] is not None and numbers[2]:
        return decide(((numbers[0] - numbers[1]) / numbers[2]).denominator == 1)
    return rules.compare(a, b)


def states_residue(value: Value) -> bool:
    """Say whether this is a congruence with its modulus."""
    return isinstance(value, Relation) and "equiv" in value.signs and _read_residue(value.sides[-1]) is not None


def compare_congruences(rules: Rules, a: Relation, b: Relation) -> Verdict | None:
    """Compare congruences of two sides, in either order; None where neither relation is one."""
    if not (states_residue(a) or states_residue(b)):
        return None
    if a.signs != b.signs or len(a.signs) != 1 or not (states_residue(a) and states_residue(b)):
        return NO
    (left, right), (other_left, other_right) = a.sides, b.sides
    residue, other_residue = _read_residue(right), _read_residue(other_right)
    assert residue is not None and other_residue is not None
    (value, modulus), (other_value, other_modulus) = residue, other_residue
    if rules.compare(modulus, other_modulus) is not YES:
        return NO
    orders = ((other_left, other_value), (other_value, other_left))
    return any_equal(
        all_equal((_compare_modulo(rules, left, first, modulus), _compare_modulo(rules, value, second, modulus)))
        for first, second in orders
    )
