"""Yes and no are final: what is proved holds at all points, what is refuted differs at one; the rest is unknown."""

import mpmath
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from inference_kit.grader.proving.equality import prove_equal, prove_proportional
from inference_kit.grader.proving.numeric import Evaluator
from inference_kit.grader.proving.points import compute_with
from inference_kit.grader.reading.latex import parse_latex
from inference_kit.grader.values import Apply, Num, Value, list_symbols, negate, to_num
from inference_kit.grader.verdicts import NO, UNKNOWN, YES, Verdict

RELAXED = settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
DIGITS = 40
PROBES = ({"x": 1.234, "y": 0.377}, {"x": 2.711, "y": 5.03}, {"x": 0.119, "y": 1.91})

ATOMS = st.one_of(
    st.integers(-9, 9).map(to_num),
    st.fractions(-5, 5, max_denominator=9).map(Num),
    st.sampled_from([parse_latex(text) for text in ("x", "y", r"\pi", r"\sqrt2", "i", r"\sin x", r"\ln y", "f(x)")]),
)


def _combine(parts: st.SearchStrategy[Value]) -> st.SearchStrategy[Value]:
    pair = st.tuples(parts, parts)
    return st.one_of(
        pair.map(lambda two: Apply("add", two)),
        pair.map(lambda two: Apply("mul", two)),
        pair.map(lambda two: Apply("div", two)),
        parts.map(lambda one: Apply("neg", (one,))),
        st.tuples(parts, st.integers(0, 4).map(to_num)).map(lambda two: Apply("pow", two)),
        parts.map(lambda one: Apply("root", (one, to_num(2)))),
    )


EXPRESSIONS = st.recursive(ATOMS, _combine, max_leaves=6)


def _rewrite(value: Value) -> Value:
    """The same value in another form: sums and products turned round, a + b as -(-a - b)."""
    if not isinstance(value, Apply):
        return value
    args = tuple(map(_rewrite, value.args))
    if value.head == "add":
        return negate(Apply("add", tuple(map(negate, reversed(args)))))
    return Apply(value.head, args[::-1] if value.head == "mul" else args)


def _agree_at_probes(a: Value, b: Value) -> bool | None:
    """Whether two expressions agree at points that the grader does not use; None where they have no values."""
    known = []
    with mpmath.workdps(DIGITS):
        for point in PROBES:
            evaluators = [
                Evaluator(mpmath, _to_mpf, {name: mpmath.mpf(at) for name, at in point.items()}) for _ in "ab"
            ]
            values = [compute_with(evaluator, value) for evaluator, value in zip(evaluators, (a, b), strict=True)]
            if None not in values and not any(evaluator.left_reals for evaluator in evaluators):
                known.append(abs(values[0] - values[1]) <= 1e-25 * (1 + abs(values[0])))
    return all(known) if known else None


def _to_mpf(number: Num) -> object:
    return mpmath.mpf(number.numerator) / number.denominator if hasattr(number, "numerator") else mpmath.mpf(number)


@RELAXED
@given(EXPRESSIONS)
def test_an_expression_is_never_proved_to_differ_from_itself_in_another_form(value: Value) -> None:
    assert prove_equal(value, _rewrite(value)) in (YES, UNKNOWN) or _has_no_value(value)


def _has_no_value(value: Value) -> bool:
    return _agree_at_probes(value, value) is None


@RELAXED
@given(EXPRESSIONS, EXPRESSIONS)
def test_it_is_symmetric(a: Value, b: Value) -> None:
    assert prove_equal(a, b) is prove_equal(b, a)


@RELAXED
@given(EXPRESSIONS, EXPRESSIONS)
def test_what_is_proved_equal_agrees_at_other_points_and_what_agrees_is_not_refuted(a: Value, b: Value) -> None:
    for first, second in ((a, b), (a, _rewrite(a)), (Apply("mul", (a, b)), Apply("mul", (b, _rewrite(a))))):
        verdict, agree = prove_equal(first, second), _agree_at_probes(first, second)
        assert not (verdict is YES and agree is False), (first, second)
        if list_symbols(first, second) == []:  # at one point there is nothing to average over
            assert not (verdict is NO and agree is True), (first, second)


@RELAXED
@given(EXPRESSIONS)
def test_one_more_is_never_the_same(value: Value) -> None:
    assert prove_equal(value, Apply("add", (value, to_num(1)))) is not YES


@pytest.mark.parametrize(
    ("a", "b", "verdict"),
    [
        (r"\frac12", "0.5", YES),
        (r"\frac13", "0.333", NO),
        ("2^{100}", "2^{100}+1", NO),
        ("0.6666667", r"\frac23", YES),
        ("(x+1)^2", "x^2+2x+1", YES),
        ("(x+1)^2", "x^2+2x+2", NO),
        (r"\frac{x^2-1}{x-1}", "x+1", YES),
        (r"\sqrt{12}", r"2\sqrt3", YES),
        (r"\sqrt{12}", r"3\sqrt2", NO),
        ("1.7320508", r"\sqrt3", YES),
        ("1.73", r"\sqrt3", NO),
        (r"\sin^2 x", r"1-\cos^2 x", UNKNOWN),
        (r"\sin x", r"\cos x", NO),
        (r"\ln 6", r"\ln 2+\ln 3", UNKNOWN),
        (r"\ln 6", r"\ln 7", NO),
        (r"\sqrt{x^2}", "x", NO),
        (r"\int_0^1 x dx", r"\frac12", UNKNOWN),
        (r"\infty", r"\infty+1", NO),
        (r"\frac10", r"\frac10+1", UNKNOWN),
        ("f(x)+1", "1+f(x)", YES),
        ("f(x)+1", "f(x)+2", NO),
        (r"\frac{1}{2^{99}}", r"\frac{1}{2^{98}}", NO),
        ("x", "y", NO),
    ],
)
def test_a_pair_is_proved_refuted_or_left_open(a: str, b: str, verdict: Verdict) -> None:
    assert prove_equal(parse_latex(a), parse_latex(b)) is verdict
    assert prove_equal(parse_latex(b), parse_latex(a)) is verdict


@pytest.mark.parametrize(
    ("a", "b", "constant", "positive"),
    [
        ("x-5", "2x-10", YES, YES),
        ("x-5", "5-x", YES, NO),
        ("x-5", "x-6", NO, NO),
        ("x-5", "x^2-25", NO, NO),
        ("x+y-1", "3x+3y-3", YES, YES),
        ("x", "y", NO, NO),
        ("x", "x+y", NO, NO),
        (r"\sqrt{x}", r"-2\sqrt{x}", YES, NO),
        ("x-1", r"(x-1)\cdot 10^{-12}", UNKNOWN, UNKNOWN),  # too small for double precision to tell from zero
        ("x-x", "x-x", UNKNOWN, UNKNOWN),
        ("x^2-4", "4x^2-16", YES, YES),
    ],
)
def test_two_expressions_are_proportional(a: str, b: str, constant: Verdict, positive: Verdict) -> None:
    for first, second in ((parse_latex(a), parse_latex(b)), (parse_latex(b), parse_latex(a))):
        assert prove_proportional(first, second) is constant
        assert prove_proportional(first, second, positive=True) is positive


@RELAXED
@given(st.integers(-9, 9), st.integers(1, 9), st.integers(-9, 9).filter(bool))
def test_a_multiple_is_proportional_by_the_sign_of_its_factor(a: int, b: int, factor: int) -> None:
    first = parse_latex(f"{b}x+({a})y^2-x^3")
    multiple = Apply("mul", (to_num(factor), first))
    assert prove_proportional(first, multiple) is YES
    assert prove_proportional(first, multiple, positive=True) is (YES if factor > 0 else NO)
    assert prove_proportional(first, Apply("add", (multiple, to_num(1)))) is NO
