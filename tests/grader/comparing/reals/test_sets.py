"""A set of real numbers is found in whatever describes it."""

import math

import pytest

from inference_kit.grader.comparing.reals.intervals import EVERYTHING, Pieces, build_interval, build_points, merge
from inference_kit.grader.comparing.reals.sets import are_same_reals, find_reals
from inference_kit.grader.reading.latex import parse_latex
from inference_kit.grader.values import Sym, Value

X = Sym("x")
ABOVE_2 = build_interval(2, True, math.inf, True)
RAYS = merge([*build_interval(-math.inf, True, 1, True), *build_interval(2, True, math.inf, True)])


@pytest.mark.parametrize(
    ("text", "subject", "pieces"),
    [
        (r"\mathbb{R}", None, EVERYTHING),
        ("[1,2)", None, build_interval(1, False, 2, True)),
        (r"(2,\infty)", None, ABOVE_2),
        (r"\{1,2\}", None, build_points([1, 2])),
        (r"\{\}", None, ()),
        ("x>2", X, ABOVE_2),
        (r"x\in(2,\infty)", X, ABOVE_2),
        (r"\{x\mid x>2\}", None, ABOVE_2),
        (r"\{x\in\mathbb{R}\mid x>2\}", None, ABOVE_2),
        (r"(-\infty,1)\cup(2,\infty)", None, RAYS),
        (r"\mathbb{R}\setminus[1,2]", None, RAYS),
        (r"x<1\text{ or }x>2", X, RAYS),
        ("x<1, x>2", X, RAYS),
        (r"x<1\text{ and }x>2", X, RAYS),  # nobody means the empty set
        (r"x>1\text{ and }x<2", X, build_interval(1, True, 2, True)),
        (r"[1,3]\cap[2,4]", None, build_interval(2, False, 3, False)),
        (r"[1,2)\cap[2,3]", None, ()),
        (r"[1,2]\cup\{5\}", None, merge([*build_interval(1, False, 2, False), *build_points([5])])),
    ],
)
def test_the_set_that_is_described(text: str, subject: Value | None, pieces: Pieces) -> None:
    found = find_reals(parse_latex(text))
    assert found is not None
    assert (found.subject, found.pieces) == (subject, pieces)


@pytest.mark.parametrize(
    "text",
    [
        "5", "(a,2)", "(1,2,3)", r"\{1,x\}", r"\{x\mid y>2\}", r"\{x\mid x^2>2\}", "x<1, y>2", "x<1, 5",
        r"\mathbb{Z}", r"[1,2]\cup A", "x=5", r"\langle 1,2\rangle", "(i,2)",
    ],
)  # fmt: skip
def test_what_describes_no_set_of_reals(text: str) -> None:
    assert find_reals(parse_latex(text)) is None


@pytest.mark.parametrize(
    ("a", "b", "same"),
    [
        ("x>2", r"(2,\infty)", True),
        ("x>2", r"[2,\infty)", False),
        ("x>2", "y>2", False),  # about another thing
        ("x>2", r"\{y\mid y>2\}", True),  # a set is about nothing
        ("(1,2)", "(1,2)", True),
        ("(1,2)", "(1,a)", None),
        ("x>2", "5", None),
        (r"[1,2]\cup[2,3]", "[1,3]", True),
    ],
)
def test_two_descriptions_of_one_set(a: str, b: str, same: bool | None) -> None:
    first, second = parse_latex(a), parse_latex(b)
    assert are_same_reals(first, second) is are_same_reals(second, first) is same
