"""The number of an expression at a point is the same by either library, and where there is none nobody makes one up."""

import cmath
import math
from typing import Any

import mpmath
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from inference_kit.grader.operations.operation import NoValue
from inference_kit.grader.proving.numeric import MOST_TERMS, Evaluator, build_float_evaluator
from inference_kit.grader.reading.latex import parse_latex

POINT = {"x": 0.75, "n": 5.0}


def _compute(text: str, **point: complex) -> Any:
    return build_float_evaluator(point or POINT).compute(parse_latex(text))


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("2x+1", 2.5),
        (r"\frac{x}{3}", 0.25),
        ("x^n", 0.75**5),
        ("2^x", 2**0.75),
        (r"e^{i\pi}", -1),
        (r"\sqrt{-4}", 2j),
        (r"\sqrt[3]{-8}", -2),
        ("(-8)^{1/3}", -2),
        ("(-8)^{2/3}", 4),
        ("0^0", 1),
        (r"\ln x", math.log(0.75)),
        (r"\log_2 8", 3),
        (r"\log x", math.log(0.75)),
        (r"\sin 30^\circ", 0.5),
        (r"\cot x", 1 / math.tan(0.75)),
        (r"\arctan 1", math.pi / 4),
        ("n!", 120),
        ("(x+1)!", math.gamma(2.75)),
        (r"\binom{n}{2}", 10),
        (r"\lfloor n/2\rfloor", 2),
        (r"\max(x, n, 2)", 5),
        (r"|3+4i|", 5),
        (r"\sum_{k=1}^{4} k^2", 30),
        (r"\prod_{k=1}^{n} k", 120),
        (r"\sum_{i=1}^{3} i", 6),
    ],
)
def test_the_value_at_a_point(text: str, value: complex) -> None:
    assert cmath.isclose(_compute(text), value, rel_tol=1e-12, abs_tol=1e-12)


@pytest.mark.parametrize(
    "text",
    [
        r"\frac{1}{x-0.75}", r"\ln 0", "0^{-1}", "y", r"\infty", "(-1)!", "171!", r"\lfloor n\rfloor", r"\max(i,1)",
        r"10^{10^{10}}", r"\sum_{k=1}^{10^5} k", r"\sum_{k=1}^{x} k", r"\arg(x)", r"\int_0^1 x dx",
    ],
)  # fmt: skip
def test_where_there_is_no_value_none_is_made_up(text: str) -> None:
    with pytest.raises((NoValue, OverflowError)):
        _compute(text)


def test_a_sum_has_a_limit_of_terms() -> None:
    assert _compute(rf"\sum_{{k=0}}^{{{MOST_TERMS}}} 1") == MOST_TERMS + 1
    with pytest.raises(NoValue):
        _compute(rf"\sum_{{k=0}}^{{{MOST_TERMS + 1}}} 1")


@pytest.mark.parametrize(
    ("text", "leaves"),
    [
        (r"\sqrt{x-1}", True),
        (r"\ln(x-1)", True),
        (r"\arcsin(x+1)", True),
        ("(x-1)^{0.3}", True),
        (r"\sqrt{x}", False),
        (r"\sqrt[3]{x-1}", False),
        ("(x-1)^{1/3}", False),
        (r"\sqrt{i}", False),
    ],
)
def test_a_point_at_which_a_real_number_leaves_the_reals_is_marked(text: str, leaves: bool) -> None:
    evaluator = build_float_evaluator(POINT)
    evaluator.compute(parse_latex(text))
    assert evaluator.left_reals is leaves


def test_terms_that_nearly_cancel_are_remembered_by_their_size() -> None:
    evaluator = build_float_evaluator(POINT)
    evaluator.compute(parse_latex("10^9 + x - 10^9"))
    assert evaluator.cancelled == pytest.approx(1e9)
    assert build_float_evaluator(POINT).cancelled == 0
    calm = build_float_evaluator(POINT)
    calm.compute(parse_latex("10^9 + x"))
    assert calm.cancelled == 0


def test_a_function_that_nobody_knows_is_one_function() -> None:
    assert _compute("f(x)") == _compute("f(0.75)")
    assert _compute("f(x)") != _compute("g(x)")
    assert _compute("f(x)") != _compute("f(2x)")
    assert _compute("f(x, n)") != _compute("f(n, x)")


@settings(max_examples=60, deadline=None)
@given(
    st.sampled_from(
        [
            r"\frac{\sin x+n}{x^2+1}", r"\sqrt{x^2+1}-x", r"e^{-x}\cos n", r"\ln(x^2+2)", r"\arctan(x)", "x^3-2x+n",
            r"\tanh x", r"\sqrt[3]{x}", "2^{x}", r"|x-n|", r"\frac{x}{n}", r"\sum_{k=1}^{5} x^k",
        ]
    ),
    st.floats(-3, 3, allow_nan=False).filter(lambda x: abs(x) > 0.01),
    st.integers(1, 9),
)  # fmt: skip
def test_double_precision_and_many_digits_agree(text: str, x: float, n: int) -> None:
    with mpmath.workdps(40):
        precise = Evaluator(mpmath, lambda number: mpmath.mpf(number.numerator) / number.denominator, {"x": x, "n": n})
        expected = complex(precise.compute(parse_latex(text)))
    found = build_float_evaluator({"x": x, "n": n}).compute(parse_latex(text))
    assert cmath.isclose(found, expected, rel_tol=1e-9, abs_tol=1e-9)
