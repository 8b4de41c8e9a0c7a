"""Our parser consumes everything or says that it cannot, and has its limits inside."""

from fractions import Fraction

import pytest

from inference_kit.grader import GraderPool
from inference_kit.grader.reading.latex import parse_latex
from inference_kit.grader.reading.parse import parse
from inference_kit.grader.reading.tokens import ParseError
from inference_kit.grader.values import (
    Apply,
    Based,
    Bracketed,
    ListOf,
    Matrix,
    Measure,
    Num,
    Ratio,
    Relation,
    SetOf,
    Sym,
    Text,
    Unparsed,
    Value,
    to_num,
)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("42", to_num(42)),
        (r"2\frac{3}{4}", Num(Fraction(11, 4))),
        ("1 1/2", Num(Fraction(3, 2))),
        (r"0.1\overline{6}", Num(Fraction(1, 6))),
        (r"\frac12", Apply("div", (to_num(1), to_num(2)))),
        (r"{3 \over 4}", Apply("div", (to_num(3), to_num(4)))),
        (r"\sin^{-1} x", Apply("arcsin", (Sym("x"),))),
        ("x_1", Sym("x_1")),
        ("1011_2", Based("1011", 2)),
        ("(1,2)", Bracketed("(", (to_num(1), to_num(2)), ")")),
        ("{1,2}", SetOf((to_num(1), to_num(2)))),
        ("1 and 2", ListOf((to_num(1), to_num(2)), "and")),
        ("3:2", Ratio((to_num(3), to_num(2)))),
        (r"5\text{ cm}", Measure(to_num(5), "cm")),
        (r"x\le 2", Relation(("<=",), (Sym("x"), to_num(2)))),
        (r"\begin{pmatrix}1\\2\\\end{pmatrix}", Matrix(((to_num(1),), (to_num(2),)))),
        (r"x\cdotC", Apply("mul", (Sym("x"), Sym("C")))),
        (r"2\frac13^2", Apply("mul", (to_num(2), Apply("pow", (Apply("div", (to_num(1), to_num(3))), to_num(2)))))),
        ("+" * 1200 + "1", to_num(1)),
    ],
)
def test_what_people_write_is_understood(text: str, value: Value) -> None:
    assert parse_latex(text) == value


@pytest.mark.parametrize(
    "text",
    [
        r"\unknown{3}",
        r"\input{/etc/passwd}",
        "4 3",
        "x + ",
        r"\not 3",
        r"x \not (1)",
        r"2 \cdot" + r"\pm" * 1200 + "1",
        "(1,2",
        "[1)",
        "@",
        "",
        "__import__('os')",
        "(" * 60 + "1" + ")" * 60,
        "1/" * 200 + "1",
        "5" + "!" * 400,
        "x+" * 1500 + "x",
        "9" * 4100,
        "1e99999",
        r"\begin{pmatrix}1&2\\3\end{pmatrix}",
        r"\begin{pmatrix}" + "&".join("1" * 300) + r"\end{pmatrix}",
    ],
)
def test_what_is_unknown_or_beyond_the_limits_is_refused(text: str) -> None:
    with pytest.raises(ParseError):
        parse_latex(text)


X = Sym("x")
HALF = Apply("integral", (X, X, to_num(0), to_num(1)))


@pytest.mark.parametrize(
    ("text", "value"),
    [
        (r"\int_0^1 x\,dx", HALF),
        (r"\int_0^1 x\,d x", HALF),
        (r"\int_0^1 x\,dx 3", Apply("mul", (HALF, to_num(3)))),
        (r"3\int_0^1 x\,dx", Apply("mul", (to_num(3), HALF))),
        (r"\int_0^1 x\,dx \cdot y + 1", Apply("add", (Apply("mul", (HALF, Sym("y"))), to_num(1)))),
        (r"\left(\int_0^1 x\,dx\right)^2", Apply("pow", (HALF, to_num(2)))),
        (r"\int dx", Apply("integral", (to_num(1), X))),
        (r"\int \frac ab dx", Apply("integral", (Apply("div", (Sym("a"), Sym("b"))), X))),
    ],
)
def test_an_integral_ends_at_its_dx_and_what_follows_is_a_factor(text: str, value: Value) -> None:
    assert parse_latex(text) == value


def test_an_integral_is_worth_its_value_times_what_follows(pool: GraderPool) -> None:
    assert pool.equal(r"\int_0^1 x\,dx 3", r"\frac32")


def _sine(argument: Value) -> Value:
    return Apply("sin", (argument,))


@pytest.mark.parametrize(
    ("text", "value"),
    [
        (r"\sin 2x", _sine(Apply("mul", (to_num(2), X)))),
        (r"\sin 2\theta", _sine(Apply("mul", (to_num(2), Sym("theta"))))),
        (r"\sin \alpha\beta", _sine(Apply("mul", (Sym("alpha"), Sym("beta"))))),
        (r"\sin 2x \cos x", Apply("mul", (_sine(Apply("mul", (to_num(2), X))), Apply("cos", (X,))))),
        (r"\sin(x) y", Apply("mul", (_sine(X), Sym("y")))),
        (r"\sin 2x \cdot y", Apply("mul", (_sine(Apply("mul", (to_num(2), X))), Sym("y")))),
        (r"\sin 2 cm", Measure(_sine(to_num(2)), "cm")),
        ("2 sin(x)", Apply("mul", (to_num(2), _sine(X)))),
        ("2 sinh(x)", Apply("mul", (to_num(2), Apply("sinh", (X,))))),
        ("2 arcsin x", Apply("mul", (to_num(2), Apply("arcsin", (X,))))),
        ("3 floor(x)", Apply("mul", (to_num(3), Apply("floor", (X,))))),
        ("sin 2 theta", _sine(Apply("mul", (to_num(2), Sym("theta"))))),
        ("5 theta", Apply("mul", (to_num(5), Sym("theta")))),
        ("3 floor", Measure(to_num(3), "floor")),
        ("30 deg", Measure(to_num(30), "degree")),
    ],
)
def test_a_function_takes_its_factors_and_no_unit_is_one(text: str, value: Value) -> None:
    assert parse_latex(text) == value


def test_an_answer_that_nobody_understands_is_a_text_or_unparsed() -> None:
    assert parse("right angle") == Text("right angle")
    assert parse(r"\unknown{3}") == Unparsed(r"\unknown{3}")


@pytest.mark.parametrize(
    "text", [r"$\boxed{42}$", "**42**", "42.", "{42}", r"\text{42}", "= 42", r"\(42\)", "forty-two"]
)
def test_wrappers_come_off(text: str) -> None:
    assert parse(text) == to_num(42)
