"""An equation names a value or states a condition, whatever it is compared with."""

import pytest

from inference_kit.grader.comparing.naming import are_alike, drop_name, find_name, find_named_value, is_name
from inference_kit.grader.reading.latex import parse_latex
from inference_kit.grader.values import Relation, Value


def _read(text: str) -> Relation:
    value = parse_latex(text)
    assert isinstance(value, Relation)
    return value


@pytest.mark.parametrize(
    ("text", "name", "value"),
    [
        ("x=5", "x", "5"),
        ("5=x", "x", "5"),
        ("f(x)=x^2", "f(x)", "x^2"),
        ("AB=12", "AB", "12"),
        ("|AB|=12", "|AB|", "12"),
        ("(x,y)=(1,2)", "(x,y)", "(1,2)"),
        ("x=y=3", "x", "3"),
        ("x=2+3=5", "x", "5"),
        (r"x\approx 3.14", "x", "3.14"),
        (r"\sqrt7\approx 2.65", None, r"\sqrt7"),  # the exact value, not its size
        (r"x=\sqrt7\approx 2.65", "x", r"\sqrt7"),
        ("2+3=5", None, "5"),
        ("2x+1=2(3)+1=7", None, "7"),
        (r"x\in\{1,2\}", "x", r"\{1,2\}"),
        (r"\frac{dy}{dx}=2x", r"\frac{dy}{dx}", "2x"),
        ("f'(x)=2x", "f'(x)", "2x"),
        (r"\text{the answer}=5", r"\text{the answer}", "5"),
        ("a:b=2:3", "a:b", "2:3"),
        ("x=y", "x", "y"),
    ],
)
def test_a_value_is_named(text: str, name: str | None, value: str) -> None:
    relation = _read(text)
    assert find_name(relation) == (None if name is None else parse_latex(name))
    assert find_named_value(relation) == parse_latex(value)
    assert drop_name(relation) == parse_latex(value)


@pytest.mark.parametrize(
    "text", ["2x=4", "4=2x", "x+y=1", "x>5", r"x\ne 5", "x^2=x+1", "2x=x+2=y", r"\pi x=1", r"1<x<2", r"x+1\in A"]
)
def test_a_condition_names_nothing(text: str) -> None:
    relation = _read(text)
    assert find_named_value(relation) is None
    assert drop_name(relation) == relation


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("x", True), ("x_1", True), ("f(x)", True), ("AB", True), ("(x,y)", True), ("|AB|", True), (r"\theta", True),
        ("a:b", True), (r"\begin{pmatrix}x\\y\end{pmatrix}", True), (r"\text{speed}", True),
        ("2x", False), ("x^2", False), ("x+y", False), (r"\pi", False), ("i", False), ("5", False), ("(x,2)", False),
        (r"\infty", False),
    ],
)  # fmt: skip
def test_what_may_be_a_name(text: str, expected: bool) -> None:
    assert is_name(parse_latex(text)) is expected


@pytest.mark.parametrize(
    ("a", "b", "expected"),
    [
        ("x", "x", True), ("x", "X", True), ("x", "x_1", True), ("y", "f(x)", True), ("x", "y", False),
        ("x_1", "x_2", False), ("x", "f(x)", False), ("f(x)", "g(x)", False),
    ],
)  # fmt: skip
def test_names_may_stand_for_each_other(a: str, b: str, expected: bool) -> None:
    first, second = parse_latex(a), parse_latex(b)
    assert are_alike(first, second) is are_alike(second, first) is expected


def test_no_name_is_like_no_name_only() -> None:
    value: Value = parse_latex("x")
    assert are_alike(None, None)
    assert not are_alike(None, value)
    assert not are_alike(value, None)
