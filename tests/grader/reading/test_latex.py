"""Our parser consumes everything or says that it cannot, and has its limits inside."""

from fractions import Fraction

import pytest

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
    number,
)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("42", number(42)),
        (r"2\frac{3}{4}", Num(Fraction(11, 4))),
        ("1 1/2", Num(Fraction(3, 2))),
        (r"0.1\overline{6}", Num(Fraction(1, 6))),
        (r"\frac12", Apply("div", (number(1), number(2)))),
        (r"{3 \over 4}", Apply("div", (number(3), number(4)))),
        (r"\sin^{-1} x", Apply("arcsin", (Sym("x"),))),
        ("x_1", Sym("x_1")),
        ("1011_2", Based("1011", 2)),
        ("(1,2)", Bracketed("(", (number(1), number(2)), ")")),
        ("{1,2}", SetOf((number(1), number(2)))),
        ("1 and 2", ListOf((number(1), number(2)), "and")),
        ("3:2", Ratio((number(3), number(2)))),
        (r"5\text{ cm}", Measure(number(5), "cm")),
        (r"x\le 2", Relation(("<=",), (Sym("x"), number(2)))),
        (r"\begin{pmatrix}1\\2\\\end{pmatrix}", Matrix(((number(1),), (number(2),)))),
        (r"x\cdotC", Apply("mul", (Sym("x"), Sym("C")))),
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


def test_an_answer_that_nobody_understands_is_a_text_or_unparsed() -> None:
    assert parse("right angle") == Text("right angle")
    assert parse(r"\unknown{3}") == Unparsed(r"\unknown{3}")


@pytest.mark.parametrize(
    "text", [r"$\boxed{42}$", "**42**", "42.", "{42}", r"\text{42}", "= 42", r"\(42\)", "forty-two"]
)
def test_wrappers_come_off(text: str) -> None:
    assert parse(text) == number(42)
