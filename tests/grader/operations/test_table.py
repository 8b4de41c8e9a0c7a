"""An operation stands in one table, and all that is known of it agrees."""

from collections import Counter
from collections.abc import Iterator
from fractions import Fraction
from itertools import product
from typing import Any

import mpmath
import pytest
import sympy

from inference_kit.grader.operations.complexes import is_real
from inference_kit.grader.operations.operation import NoValue
from inference_kit.grader.operations.residues import to_residue
from inference_kit.grader.operations.table import OPERATIONS
from inference_kit.grader.proving.exact import compute_rational
from inference_kit.grader.proving.numeric import Evaluator, build_float_evaluator
from inference_kit.grader.proving.points import compute_with
from inference_kit.grader.proving.prime_field import fingerprint
from inference_kit.grader.proving.symbolic import load_sympy, prove, to_sympy
from inference_kit.grader.reading.latex import parse_latex
from inference_kit.grader.values import Apply, Num, Sym, contains
from inference_kit.grader.verdicts import YES
from inference_kit.grader.vocabulary import KNOWN_COMMANDS

X = Sym("x")
SAMPLES = tuple(map(Fraction, ("5/2", "2", "7", "1/3", "100", "-8", "-1/2", "0", "1")))
BOUNDS = ((1, 3), (2, 5), (0, 4), (-2, 2))
DIGITS = 30
ENOUGH = 2
"""Places at which two ways of computing must both know the value, or the operation counts as never compared."""

COMPUTED = [name for name, operation in OPERATIONS.items() if operation.exact or operation.is_computed]


def _samples(name: str) -> Iterator[Apply]:
    """The operation at samples, with each number of arguments that it may have; of x itself where it has a body."""
    operation = OPERATIONS[name]
    for arity in operation.arity or (2, 3):
        if operation.binds:
            yield from (Apply(name, (X, X, *map(_number, bounds[: arity - 2]))) for bounds in BOUNDS if arity > 2)
        else:
            for arguments in product(SAMPLES[: 9 if arity < 3 else 3], repeat=arity):
                yield Apply(name, tuple(map(_number, arguments)))


def _number(value: Any) -> Num:
    return Num(Fraction(value))


def _ways(value: Apply) -> dict[str, complex]:
    """The value of an expression, by each way of computing that knows it."""
    rational = compute_rational(value)
    with mpmath.workdps(DIGITS):
        precise = compute_with(Evaluator(mpmath, _mpf, {}, None), value)
    found = {
        "exact": rational,
        "float": compute_with(build_float_evaluator({}), value),
        "mpmath": precise,
        "sympy": _sympy_value(value),
    }
    return {way: complex(each) for way, each in found.items() if each is not None}


def _mpf(value: Any) -> Any:
    return mpmath.mpf(value.numerator) / value.denominator if hasattr(value, "numerator") else mpmath.mpf(value)


def _sympy_value(value: Apply) -> Any:
    try:
        computed = sympy.N(to_sympy(value).doit(), DIGITS)
    except (NoValue, ArithmeticError, ValueError):
        return None
    return computed if computed.is_number and computed.is_finite else None


@pytest.mark.parametrize("name", COMPUTED)
def test_all_ways_of_computing_an_operation_agree(name: str) -> None:
    compared: Counter[str] = Counter()
    for value in _samples(name):
        ways = _ways(value)
        if len(ways) < 2 or (OPERATIONS[name].domain == "part" and not all(map(is_real, ways.values()))):
            continue  # outside of its part of the real numbers each library takes its own side of the branch cut
        compared.update(ways.keys())
        first = next(iter(ways.values()))
        for other in ways.values():
            assert abs(other - first) <= 1e-9 * max(1.0, abs(first)), (value, ways)
    operation = OPERATIONS[name]
    meanings = {"exact": operation.exact, "float": operation.number, "sympy": operation.sympy}
    known = [way for way, meaning in meanings.items() if meaning is not None]
    assert len(known) < 2 or all(compared[way] >= ENOUGH for way in known), compared


@pytest.mark.parametrize("name", [name for name, operation in OPERATIONS.items() if operation.exact])
def test_a_rational_value_is_proved_as_itself_in_the_prime_field(name: str) -> None:
    compared = 0
    for value in _samples(name):
        rational, proved = compute_rational(value), fingerprint(value, "a")
        if rational is not None and proved is not None and proved[1]:
            assert proved[0] == to_residue(rational), value
            compared += 1
    assert compared


@pytest.mark.parametrize(
    ("word", "name"), [(word, name) for name, operation in OPERATIONS.items() for word in operation.functions]
)
def test_a_function_is_read_by_each_of_its_names(word: str, name: str) -> None:
    expected = "pow" if name in ("exp", "cis") else name  # exp(x) is e^x, cis x is e^(ix)
    for written in (f"{word}(x)", f"\\{word}(x)", f"\\{word}{{x}}", f"\\operatorname{{{word}}}(x)"):
        assert contains(parse_latex(written), expected), written


def test_every_command_of_an_operation_is_known_and_has_one_meaning() -> None:
    written = Counter(sign for operation in OPERATIONS.values() for sign in (*operation.functions, *operation.commands))
    assert set(written.values()) == {1}
    assert {sign for sign in written if sign.startswith("\\")} <= KNOWN_COMMANDS


def test_an_inverse_is_an_operation_of_the_table() -> None:
    assert {each.inverse for each in OPERATIONS.values() if each.inverse} <= OPERATIONS.keys()


def test_what_only_sympy_knows_of_an_unknown_is_settled_there() -> None:
    load_sympy()
    for text, other in ((r"\operatorname{sgn}(2x)", r"\operatorname{sgn}(x)"), (r"\gcd(x, 2x, 3x)", "x")):
        assert prove(parse_latex(text), parse_latex(other), "equal") is YES, text
