"""An inequality is solved by exactly the numbers for which it holds, or not at all."""

import math
import operator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pieces import holds

from inference_kit.grader.comparing.reals.intervals import EVERYTHING, Pieces, build_interval
from inference_kit.grader.comparing.reals.solving import Solution, compute_end, solve, turn_sign
from inference_kit.grader.reading.latex import parse_latex
from inference_kit.grader.values import Relation, Sym

RELAXED = settings(max_examples=80, deadline=None)
HOLDS = {
    "<": operator.lt, "<=": operator.le, ">": operator.gt, ">=": operator.ge, "!=": operator.ne,
}  # fmt: skip
WRITTEN = {"<": "<", "<=": r"\le ", ">": ">", ">=": r"\ge ", "!=": r"\ne "}
SIGNS = st.sampled_from(list(HOLDS))
SMALL = st.integers(-6, 6)
FACTORS = st.sampled_from([-3, -2, -1, 1, 2, 4])
PROBES = [eighth / 8 for eighth in range(-160, 161)]


def _solve(text: str) -> Solution | None:
    value = parse_latex(text)
    assert isinstance(value, Relation)
    return solve(value)


@RELAXED
@given(FACTORS, SMALL, SMALL, SMALL, SIGNS)
def test_a_linear_inequality_is_solved_by_the_numbers_for_which_itholds(
    a: int, b: int, c: int, d: int, sign: str
) -> None:
    solution = _solve(f"{a}x+({b}){WRITTEN[sign]}{c}x+({d})")
    if a == c:
        assert solution is None
        return
    assert solution is not None and solution.subject == Sym("x")
    for x in PROBES:
        if abs((a - c) * x + b - d) > 1e-9 or b == d:
            assert holds(solution.pieces, x) == HOLDS[sign](a * x + b, c * x + d)


@RELAXED
@given(FACTORS, SMALL, SMALL, st.integers(1, 6), st.sampled_from(["<", "<="]), st.sampled_from(["<", "<="]))
def test_a_chain_is_solved_from_either_end(a: int, b: int, low: int, width: int, first: str, second: str) -> None:
    high = low + width
    forwards = _solve(f"{low}{WRITTEN[first]}{a}x+({b}){WRITTEN[second]}{high}")
    backwards = _solve(f"{high}{WRITTEN[turn_sign(second)]}{a}x+({b}){WRITTEN[turn_sign(first)]}{low}")
    assert forwards is not None and forwards == backwards
    for x in PROBES:
        inside = HOLDS[first](low, a * x + b) and HOLDS[second](a * x + b, high)
        if abs(a * x + b - low) > 1e-9 and abs(a * x + b - high) > 1e-9:
            assert holds(forwards.pieces, x) == inside


@RELAXED
@given(FACTORS, SMALL, st.integers(0, 6), st.sampled_from(["<", "<=", ">", ">="]))
def test_an_absolute_value_is_near_or_far(a: int, b: int, bound: int, sign: str) -> None:
    solution = _solve(rf"\left|{a}x+({b})\right|{WRITTEN[sign]}{bound}")
    assert solution is not None
    for x in PROBES:
        if abs(abs(a * x + b) - bound) > 1e-9:
            assert holds(solution.pieces, x) == HOLDS[sign](abs(a * x + b), bound)


@pytest.mark.parametrize(
    ("text", "subject", "pieces"),
    [
        ("x>2", Sym("x"), build_interval(2, True, math.inf, True)),
        (r"2\ge y", Sym("y"), build_interval(-math.inf, True, 2, False)),
        (r"x<\infty", Sym("x"), EVERYTHING),
        (r"-\infty<x\le\sqrt4", Sym("x"), build_interval(-math.inf, True, 2, False)),
        ("f(x)>0", parse_latex("f(x)"), build_interval(0, True, math.inf, True)),
        ("1<f(t)<2", parse_latex("f(t)"), build_interval(1, True, 2, True)),
        (r"\frac{x}{2}-\frac13>1", Sym("x"), build_interval(8 / 3, True, math.inf, True)),
        ("3<x<1", Sym("x"), ()),
        (r"x\ne\infty", Sym("x"), EVERYTHING),
    ],
)
def test_what_it_is_about_is_known(text: str, subject: object, pieces: Pieces) -> None:
    solution = _solve(text)
    assert solution is not None and solution.subject == subject
    assert len(solution.pieces) == len(pieces)
    for found, expected in zip(solution.pieces, pieces, strict=True):
        assert (found.low, found.high) == pytest.approx((expected.low, expected.high))
        assert (found.low_open, found.high_open) == (expected.low_open, expected.high_open)


@pytest.mark.parametrize(
    "text",
    [
        "x^2>4", "x+y>2", "a<x", r"\sin x>0", r"\frac1x>1", "x=2", "x^2<x^2+1", "1<x>0", "a<x<b", "1<x^2<4",
        "x<y<z", r"x\in\mathbb{R}", "2>1", "x(x-1)(x-2)(x-5)>x", r"|x^2|<4",
        r"|x|+2|x-1|<6", r"\lfloor x\rfloor>2", r"|x|+x>2",
    ],
)  # fmt: skip
def test_what_is_not_linear_in_one_variable_is_not_solved(text: str) -> None:
    assert _solve(text) is None


def test_a_sign_turned_twice_is_itself() -> None:
    assert all(turn_sign(turn_sign(sign)) == sign for sign in (*HOLDS, "=", "in", "~"))


@pytest.mark.parametrize(
    ("text", "end"), [(r"\infty", math.inf), (r"-\infty", -math.inf), (r"\frac12", 0.5), ("x", None), ("i", None)]
)
def test_the_end_of_an_interval(text: str, end: float | None) -> None:
    assert compute_end(parse_latex(text)) == end
