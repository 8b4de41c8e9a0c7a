"""Values are frozen trees that can be walked, and that equal each other as written."""

from fractions import Fraction

from inference_kit.grader.values import (
    PI,
    Apply,
    Bracketed,
    Builder,
    ListOf,
    Matrix,
    Measure,
    Num,
    Relation,
    Sym,
    contains,
    is_expression,
    list_parts,
    list_symbols,
    negate,
    to_num,
    walk,
)

X, Y = Sym("x"), Sym("y")


def test_a_number_equals_another_of_other_digits() -> None:
    assert Num(Fraction(1, 2), 1) == Num(Fraction(1, 2), 3) == to_num(Fraction(1, 2))


def test_every_kind_of_value_has_its_parts() -> None:
    assert list_parts(Apply("add", (X, Y))) == (X, Y)
    assert list_parts(Builder(X, Y)) == (X, Y)
    assert list_parts(Matrix(((X, Y), (Y, X)))) == (X, Y, Y, X)
    assert list_parts(Measure(X, "cm")) == (X,)
    assert list_parts(Relation(("=",), (X, Y))) == (X, Y)
    assert list_parts(X) == ()


def test_a_walk_sees_everything_from_left_to_right() -> None:
    inner = Apply("mul", (X, PI))
    value = ListOf((inner, Bracketed("(", (Y,), "]")))
    assert list(walk(value)) == [value, inner, X, PI, value.items[1], Y]


def test_constants_are_no_variables() -> None:
    assert list_symbols(Apply("mul", (PI, Y, X)), X) == ["x", "y"]


def test_an_operation_is_found_below_others() -> None:
    assert contains(ListOf((Apply("neg", (Apply("sin", (X,)),)),)), "cos", "sin")
    assert not contains(X, "sin")


def test_a_negative_number_is_a_number() -> None:
    assert negate(Num(Fraction(3, 2), 2)) == to_num(Fraction(-3, 2))
    assert negate(X) == Apply("neg", (X,))


def test_only_what_can_be_computed_with_is_an_expression() -> None:
    assert all(map(is_expression, (to_num(1), X, Apply("add", (X, Y)))))
    assert not any(map(is_expression, (ListOf((X, Y)), Measure(X, "cm"))))


def test_two_items_in_round_or_square_brackets_may_be_an_interval() -> None:
    assert Bracketed("[", (X, Y), ")").may_be_interval
    assert not Bracketed("<", (X, Y), ">").may_be_interval
    assert not Bracketed("(", (X, Y, X), ")").may_be_interval
