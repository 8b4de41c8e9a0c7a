"""A rational value is computed exactly, within limits, or not at all."""

import time
from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from inference_kit.grader.operations.rationals import MOST_BITS
from inference_kit.grader.proving.exact import compute_rational
from inference_kit.grader.reading.latex import parse_latex
from inference_kit.grader.values import Apply, Num, Value

Valued = tuple[Value, Fraction]

NUMBERS = st.fractions(-20, 20, max_denominator=12).map(lambda number: (Num(number), number))


def _combine(parts: st.SearchStrategy[Valued]) -> st.SearchStrategy[Valued]:
    """Expressions with their values, which Python's own fractions computed."""
    pairs = st.tuples(parts, parts)
    return st.one_of(
        pairs.map(lambda two: (Apply("add", (two[0][0], two[1][0])), two[0][1] + two[1][1])),
        pairs.map(lambda two: (Apply("mul", (two[0][0], two[1][0])), two[0][1] * two[1][1])),
        pairs.filter(lambda two: two[1][1] != 0).map(
            lambda two: (Apply("div", (two[0][0], two[1][0])), two[0][1] / two[1][1])
        ),
        parts.map(lambda one: (Apply("neg", (one[0],)), -one[1])),
        parts.map(lambda one: (Apply("abs", (one[0],)), abs(one[1]))),
        parts.map(lambda one: (Apply("pow", (one[0], Num(Fraction(2)))), one[1] ** 2)),
        pairs.map(lambda two: (Apply("max", (two[0][0], two[1][0])), max(two[0][1], two[1][1]))),
    )


@settings(max_examples=100, deadline=None)
@given(st.recursive(NUMBERS, _combine, max_leaves=10))
def test_an_expression_of_rational_numbers_has_the_value_that_fractions_have(valued: Valued) -> None:
    expression, value = valued
    assert compute_rational(expression) == value


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("0.125", Fraction(1, 8)),
        (r"2^{-3}", Fraction(1, 8)),
        (r"\sqrt{\frac{49}{4}}", Fraction(7, 2)),
        (r"\sqrt[3]{-27}", Fraction(-3)),
        ("8^{2/3}", Fraction(4)),
        ("(-8)^{2/3}", Fraction(4)),
        (r"\log_2 8", Fraction(3)),
        (r"\log_{2}\frac18", Fraction(-3)),
        (r"\log 1", Fraction(0)),
        (r"\binom{10}{3}", Fraction(120)),
        ("7!!", Fraction(105)),
        (r"\gcd(12,18)", Fraction(6)),
        (r"17 \bmod 5", Fraction(2)),
        (r"\lfloor -1.5 \rfloor", Fraction(-2)),
        (r"50\%", Fraction(1, 2)),
        ("0^0", Fraction(1)),
        ("(-1)^{10^{30}}", Fraction(1)),
        ("(-1)^{10^{30}+1}", Fraction(-1)),
    ],
)
def test_the_rational_value_is_found(text: str, value: Fraction) -> None:
    assert compute_rational(parse_latex(text)) == value


@pytest.mark.parametrize(
    "text",
    [
        r"\sqrt 2", r"\sqrt[3]{9}", r"\sqrt{-4}", r"\log_2 9", r"\log 100", r"\pi", "x", "x-x", r"\infty", "2^x",
        r"\sin 0", r"\frac10", r"0^{-1}", r"\log_1 1", r"\gcd(1.5,2)", "1.5!", "(-1)!", r"\binom{2}{1.5}",
    ],
)  # fmt: skip
def test_what_is_irrational_or_undefined_has_none(text: str) -> None:
    assert compute_rational(parse_latex(text)) is None


@pytest.mark.parametrize(
    "text",
    [
        "2^{10^9}", "9^{9^{9^9}}", "10001!", "(99!)!", "2001!!", r"\binom{10^9}{10^8}", "(2^{1000})^{1000}",
        r"10^{-10^6}", r"\sqrt[65]{2^{65}}", r"\log_2 2^{5000}",
    ],
)  # fmt: skip
def test_what_is_beyond_the_limits_has_none_and_costs_nothing(text: str) -> None:
    started = time.process_time()
    assert compute_rational(parse_latex(text)) is None
    assert time.process_time() - started < 0.2


def test_no_number_is_larger_than_the_limit() -> None:
    largest = Apply("pow", (Num(Fraction(2)), Num(Fraction(MOST_BITS // 2 - 1))))
    assert compute_rational(largest) is not None
    assert compute_rational(Apply("mul", (largest, largest, largest))) is None
    assert compute_rational(Apply("div", (largest, Apply("pow", (Num(Fraction(3)), Num(Fraction(90_000))))))) is None
