"""Points are the same for the same variables, and a difference at one of them is a no."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from inference_kit.grader.proving.numeric import build_float_evaluator
from inference_kit.grader.proving.points import compare_at_points, compute_real, compute_with, sample_points
from inference_kit.grader.reading.latex import parse_latex
from inference_kit.grader.verdicts import NO, UNKNOWN, YES, Verdict


def _compare(a: str, b: str) -> Verdict:
    return compare_at_points(parse_latex(a), parse_latex(b), build_float_evaluator, nearly=1e-9, surely_not=1e-7)


def test_without_variables_there_is_one_point() -> None:
    assert list(sample_points([parse_latex(r"\pi+e+i")])) == [{}]


def test_variables_have_different_values_at_every_point_and_the_same_ones_every_time() -> None:
    values = [parse_latex("a+b+c"), parse_latex("d+f+g+h")]
    found = list(sample_points(values))
    assert len(found) == 7
    assert all(len(set(point.values())) == 7 for point in found)
    assert found == list(sample_points(values[::-1]))


def test_more_variables_than_samples_still_differ() -> None:
    letters = "a+b+c+d+f+g+h+j+k+l+m+n"
    assert all(len(set(point.values())) == 12 for point in sample_points([parse_latex(letters)]))


@pytest.mark.parametrize("text", ["n!", r"\binom{n}{k}", r"\sum_{k=1}^n k", r"\gcd(n,k)", r"\lfloor n\rfloor"])
def test_what_is_at_home_at_whole_numbers_is_sampled_there(text: str) -> None:
    assert all(float(value).is_integer() for point in sample_points([parse_latex(text)]) for value in point.values())


@pytest.mark.parametrize(
    ("a", "b", "verdict"),
    [
        (r"\sin^2 x+\cos^2 x", "1", YES),
        (r"\sqrt{x^2}", "x", NO),
        (r"\sqrt{x^2}", "|x|", YES),
        (r"\ln x^2", r"2\ln x", YES),  # where both are real
        (r"\sqrt{x}\sqrt{y}", r"\sqrt{xy}", YES),  # likewise
        (r"\sqrt{-x^2-1}", r"i\sqrt{x^2+1}", YES),  # real nowhere, and equal everywhere
        (r"\sqrt{-x^2-1}", r"-i\sqrt{x^2+1}", NO),
        (r"\frac{n!}{(n-1)!}", "n", YES),
        ("x", "y", NO),
        ("x", "x+10^{-12}", YES),  # too near for double precision
        ("x", "x+10^{-5}", NO),
        ("x", "x(1+10^{-8})", UNKNOWN),  # neither surely equal nor surely not
        ("(x+10^9)-10^9", "x", UNKNOWN),  # the digits cancelled
        (r"\frac{x}{0}", "x", UNKNOWN),  # no value anywhere
        (r"10^{400}", r"10^{400}", UNKNOWN),
    ],
)
def test_numbers_tell_expressions_apart(a: str, b: str, verdict: Verdict) -> None:
    assert _compare(a, b) is verdict
    assert _compare(b, a) is verdict


@settings(max_examples=60, deadline=None)
@given(st.integers(-50, 50), st.integers(-50, 50), st.integers(1, 9))
def test_polynomials_agree_only_where_their_coefficients_do(a: int, b: int, c: int) -> None:
    expanded = f"{c}x^2+({c * (a + b)})x+({c * a * b})"
    assert _compare(f"{c}(x+({a}))(x+({b}))", expanded) is not NO
    assert _compare(f"{c}(x+({a}))(x+({b}))", f"{expanded}+1") is NO


@pytest.mark.parametrize(
    ("text", "value"),
    [
        (r"\frac14", 0.25),
        (r"\sqrt2", 2**0.5),
        ("i^2", -1.0),
        (r"2\cos\frac{\pi}{3}", 1.0),
        ("i", None),
        ("x", None),
        ("x-x", None),
        (r"\infty", None),
        ("10^{400}", None),
        (r"\frac10", None),
    ],
)
def test_the_real_value_of_an_expression(text: str, value: float | None) -> None:
    found = compute_real(parse_latex(text))
    assert found == value if value is None else found == pytest.approx(value)


def test_what_has_no_number_or_too_large_a_one_is_none_and_raises_nothing() -> None:
    for text in (r"\frac1x", "y", "9^{9^9}", r"\ln x", r"\sum_{k=1}^{10^9} k"):
        assert compute_with(build_float_evaluator({"x": 0}), parse_latex(text)) is None
