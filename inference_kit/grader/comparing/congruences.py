r"""Congruences: `x \equiv 2 \pmod 5` and the residues that they are made of.

Why: 2 and 7 are one residue modulo 5, and two modulo 4; the modulus is as much of the answer as the number.
Promises: symmetric; a congruence is never equal to an equation.
"""

from fractions import Fraction

from inference_kit.grader.comparing.rules import Rules
from inference_kit.grader.proving.exact import compute_rational
from inference_kit.grader.values import Apply, Num, Relation, Sym, Value, is_expression, list_symbols, to_num
from inference_kit.grader.verdicts import NO, YES, Verdict, all_equal, any_equal, decide

RESIDUES = frozenset(("residue", "mod"))


def compare_residues(rules: Rules, a: Value, b: Value) -> Verdict | None:
    """Compare residues by their moduli and values; beside a bare number, by the value that is written."""
    if not any(isinstance(value, Apply) and value.head == "residue" for value in (a, b)):
        return None
    first, second = _read_residue(a), _read_residue(b)
    if first is not None and second is not None:
        return all_equal((rules.compare(first[1], second[1]), _compare_modulo(rules, first[0], second[0], first[1])))
    for residue, other in ((first, b), (second, a)):
        if residue is not None:
            return rules.compare(residue[0], other) if is_expression(other) else NO
    return None


def _read_residue(value: Value) -> tuple[Value, Value] | None:
    """Return the value and the modulus of a residue, also of a remainder beside one."""
    return (value.args[0], value.args[1]) if isinstance(value, Apply) and value.head in RESIDUES else None


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
    if not (states_residue(a) and states_residue(b)):
        congruence, other = (a, b) if states_residue(a) else (b, a)
        return _compare_with_progression(rules, congruence, other)
    if a.signs != b.signs or len(a.signs) != 1:
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


def _compare_with_progression(rules: Rules, congruence: Relation, equation: Relation) -> Verdict:
    """Compare with `x = 7k + 3`: a linear value f of one letter has the modulus f(1) - f(0) and the residue f(0)."""
    residue = _read_residue(congruence.sides[-1])
    if residue is None or equation.signs != ("=",) or equation.sides[0] != congruence.sides[0]:
        return NO
    names = list_symbols(equation.sides[1])
    if len(names) != 1:
        return NO
    values = [_compute_at(equation.sides[1], names[0], number) for number in range(4)]
    known = [value for value in values if value is not None]
    step = known[1] - known[0] if len(known) == len(values) else Fraction(0)
    if not step or any(known[place + 1] - known[place] != step for place in (1, 2)):
        return NO
    progression = Apply("residue", (Num(known[0]), Num(abs(step))))
    verdict = compare_residues(rules, congruence.sides[-1], progression)
    return NO if verdict is None else verdict


def _compute_at(value: Value, name: str, number: int) -> Fraction | None:
    return compute_rational(_put(value, Sym(name), to_num(number)))


def _put(value: Value, letter: Sym, number: Num) -> Value:
    if isinstance(value, Apply):
        return Apply(value.head, tuple(_put(argument, letter, number) for argument in value.args))
    return number if value == letter else value
