"""A worker proves what double precision cannot; what it cannot prove does not hold, and no text is ever evaluated."""

import sys

import pytest
import sympy
from hypothesis import given, settings
from hypothesis import strategies as st

from inference_kit.grader.operations.operation import NoValue
from inference_kit.grader.proving.equality import Claim
from inference_kit.grader.proving.symbolic import NeedsSympy, load_sympy, prove, to_sympy
from inference_kit.grader.reading.latex import parse_latex
from inference_kit.grader.values import Unparsed
from inference_kit.grader.verdicts import NO, YES, Verdict, decide


@pytest.fixture(scope="module", autouse=True)
def _libraries() -> None:
    load_sympy()


@pytest.mark.parametrize(
    ("a", "b", "equal"),
    [
        (r"\cos 2x", r"1-2\sin^2 x", True),
        (r"\cos 2x", r"1-2\sin x", False),
        (r"\sin 3x", r"3\sin x-4\sin^3 x", True),
        (r"\sin 3x", r"4\sin x-3\sin^3 x", False),
        (r"\ln 6", r"\ln 2+\ln 3", True),
        (r"\ln 6", r"\ln 2\ln 3", False),
        (r"\sqrt{5+2\sqrt6}", r"\sqrt2+\sqrt3", True),
        (r"\sqrt{5+2\sqrt6}", r"\sqrt3-\sqrt2", False),
        (r"\sqrt[3]{2+\sqrt5}", r"\frac{1+\sqrt5}{2}", True),
        (r"\arctan\frac12+\arctan\frac13", r"\frac{\pi}{4}", True),
        (r"\arctan\frac12+\arctan\frac14", r"\frac{\pi}{4}", False),
        (r"e^{i\pi/3}", r"\frac{1+i\sqrt3}{2}", True),
        (r"e^{i\pi/3}", r"\frac{1-i\sqrt3}{2}", False),
        ("10^{-12}+x-x", "10^{-13}", False),
        (r"\frac{1}{2^{99}}\sin^2 x", r"\frac{1}{2^{99}}(1-\cos^2 x)", True),
        (r"\int_0^1 x^2\,dx", r"\frac13", True),
        (r"\int_0^1 x^2\,dx", r"\frac12", False),
        (r"\lim_{x\to 0}\frac{\sin x}{x}", "1", True),
        (r"\lim_{x\to 0}\frac{\sin x}{x}", "0", False),
        (r"\sum_{k=1}^{\infty}\frac{1}{k^2}", r"\frac{\pi^2}{6}", True),
        (r"\sum_{k=1}^{\infty}\frac{1}{k^2}", r"\frac{\pi^2}{8}", False),
        ("2^{2^{2^{20}}}", "2^{2^{2^{20}}}+1", False),  # beyond every limit: nobody expands it
    ],
)
def test_a_pair_is_equal_or_not(a: str, b: str, equal: bool) -> None:
    assert prove(parse_latex(a), parse_latex(b), "equal") is decide(equal)
    assert prove(parse_latex(b), parse_latex(a), "equal") is decide(equal)


@pytest.mark.parametrize(("answer", "verdict"), [("2", YES), (r"\ln 100", YES), ("3", NO)])
def test_a_logarithm_without_a_base_is_natural_or_decimal(answer: str, verdict: Verdict) -> None:
    assert prove(parse_latex(r"\log 100"), parse_latex(answer), "equal") is verdict


@pytest.mark.parametrize(
    ("a", "b", "claim", "verdict"),
    [
        (r"\sin x", r"10^{-12}\sin x", "proportional", YES),
        (r"\sin x", r"-3\sin x", "proportional", YES),
        (r"\sin x", r"-3\sin x", "positively proportional", NO),
        (r"\sin x", r"3\sin x", "positively proportional", YES),
        (r"\sin x", r"\sin x+10^{-12}", "proportional", NO),
        (r"\sin x", r"\cos x", "proportional", NO),
        ("x-x", "x-x", "proportional", NO),
    ],
)
def test_a_claim_of_proportion_is_proved_with_many_digits(a: str, b: str, claim: Claim, verdict: Verdict) -> None:
    assert prove(parse_latex(a), parse_latex(b), claim) is verdict


def test_what_our_parser_does_not_know_is_read_by_another_one() -> None:
    known, foreign = parse_latex("2x"), Unparsed(r"\frac{d}{dx} x^2")
    assert prove(foreign, known, "equal") is YES
    assert prove(known, foreign, "equal") is YES
    assert prove(foreign, parse_latex("3x"), "equal") is NO


@pytest.mark.parametrize("text", [r"\unknown{x}", "((((", r"__import__('os')", r"\text{", "1/0", ""])
def test_what_no_parser_knows_equals_nothing(text: str) -> None:
    assert prove(Unparsed(text), parse_latex("42"), "equal") is NO


def test_sympy_is_asked_for_before_it_is_used(monkeypatch: pytest.MonkeyPatch) -> None:
    integral, half = parse_latex(r"\int_0^1 x\,dx"), parse_latex(r"\frac12")
    monkeypatch.delitem(sys.modules, "sympy")
    monkeypatch.delitem(sys.modules, "latex2sympy2_extended")
    with pytest.raises(NeedsSympy):
        prove(integral, half, "equal")
    with pytest.raises(NeedsSympy):
        prove(Unparsed(r"\frac{d}{dx} x"), half, "equal")
    assert prove(parse_latex(r"\ln 6"), parse_latex(r"\ln 2+\ln 3"), "equal") is YES  # many digits are enough


@settings(max_examples=40, deadline=None)
@given(st.integers(-9, 9), st.integers(-9, 9), st.integers(1, 6))
def test_an_expression_becomes_the_object_with_the_same_value(a: int, b: int, n: int) -> None:
    value = to_sympy(parse_latex(rf"\frac{{({a})x^{n}+({b})}}{{2}}"))
    assert value.subs(sympy.Symbol("x"), 3) == sympy.Rational(a * 3**n + b, 2)


def test_large_powers_and_factorials_stay_as_they_are() -> None:
    assert to_sympy(parse_latex("9^{9^{9^9}}")).is_Pow
    assert to_sympy(parse_latex("(9^{9^9})!")).func == sympy.factorial
    assert to_sympy(parse_latex("2^{(10^6)!}")).is_Pow
    assert to_sympy(parse_latex("(10^6)!")).func == sympy.factorial
    assert to_sympy(parse_latex("5!")) == 120


@pytest.mark.parametrize("text", [r"\dim(x)", r"\pm 2", r"A\cup B", "(1,2)", r"f'"])
def test_what_has_no_counterpart_is_refused(text: str) -> None:
    with pytest.raises(NoValue):
        to_sympy(parse_latex(text))
