"""What holds for every answer: equality is reflexive and symmetric, writing is free, nothing raises or hangs."""

import time

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from inference_kit.grader.comparing.texts import compare_texts
from inference_kit.grader.finding.choice import is_choice
from inference_kit.grader.finding.extract import extract, find_candidates
from inference_kit.grader.grading import GradeItem, grade_item
from inference_kit.grader.reading.normalize import to_latex
from inference_kit.grader.reading.parse import clean, parse, squeeze
from inference_kit.grader.similarity import similarity
from inference_kit.grader.values import Text, Unparsed
from inference_kit.grader.verdicts import YES, Verdict, decide

RELAXED = settings(max_examples=100, deadline=None, suppress_health_check=list(HealthCheck))
SLOW_SECONDS = 1.0

NUMBERS = st.one_of(
    st.integers(-999, 9999).map(str),
    st.decimals(-99, 99, places=2, allow_nan=False).map(str),
    st.tuples(st.integers(1, 99), st.integers(1, 99)).map(lambda pair: rf"\frac{{{pair[0]}}}{{{pair[1]}}}"),
)
LETTERS = st.sampled_from([*"abcnkxyzt", r"\pi", r"\theta", "x_1", "i", "e"])


def _combined(parts: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    pair = st.tuples(parts, parts)
    return st.one_of(
        pair.map("+".join),
        pair.map("-".join),
        pair.map(r" \cdot ".join),
        pair.map(lambda two: rf"\frac{{{two[0]}}}{{{two[1]}}}"),
        pair.map(lambda two: f"({two[0]})({two[1]})"),
        st.tuples(parts, st.integers(0, 9)).map(lambda two: f"({two[0]})^{{{two[1]}}}"),
        parts.map(lambda one: rf"\sqrt{{{one}}}"),
        parts.map(lambda one: rf"\sin({one})"),
        parts.map(lambda one: rf"\left|{one}\right|"),
    )


EXPRESSIONS = st.recursive(st.one_of(NUMBERS, LETTERS), _combined, max_leaves=8)
ANSWERS = st.one_of(
    EXPRESSIONS,
    st.lists(EXPRESSIONS, min_size=2, max_size=4).map(", ".join),
    st.tuples(EXPRESSIONS, EXPRESSIONS).map(lambda two: f"({two[0]}, {two[1]})"),
    st.tuples(NUMBERS, NUMBERS).map(lambda two: f"[{two[0]},{two[1]})"),
    st.tuples(LETTERS, EXPRESSIONS).map(" = ".join),
    st.tuples(LETTERS, NUMBERS).map(r" \le ".join),
    st.lists(NUMBERS, min_size=1, max_size=4).map(lambda items: r"\{" + ",".join(items) + r"\}"),
)
NOISE = st.lists(
    st.sampled_from(
        [
            *"0123456789+-*/^_=<>(){}[]|,;:!%$&~'\"\\ \n.abcdeix",
            *r"\frac \sqrt \boxed{ \left \right \text{ \begin{pmatrix} \end{pmatrix} \\ \pm \cup \in \le".split(),
            *r"\circ \sum_{k=1} \int dx".split(),
            *r"and or the answer is #### <think> </think> ½ ² √ 度 或 无解 ∞ { } \{ \} \over \log_2 \sin".split(),
        ]
    ),
    max_size=60,
).map("".join)


def _verdict(a: str, b: str) -> Verdict:
    return compare_texts(a, b, "math").verdict


@RELAXED
@given(ANSWERS)
def test_an_answer_that_parses_equals_itself_written_another_way(answer: str) -> None:
    if isinstance(parse(answer), Text | Unparsed):
        return
    assert parse(answer) == parse(f"  {answer} ")
    for written in (answer, f"${answer}$", rf"\boxed{{{answer}}}", answer.replace(r"\frac", r"\dfrac"), f" {answer} "):
        assert _verdict(answer, written) is YES


@RELAXED
@given(ANSWERS, ANSWERS)
def test_equality_is_symmetric(a: str, b: str) -> None:
    assert _verdict(a, b) is _verdict(b, a)


@RELAXED
@given(st.integers(), st.integers())
def test_two_integers_are_equal_only_where_they_are_the_same(a: int, b: int) -> None:
    assert _verdict(str(a), str(b)) is decide(a == b)


@RELAXED
@given(st.one_of(NOISE, st.text(max_size=80), ANSWERS))
def test_no_text_raises_or_takes_long(text: str) -> None:
    started = time.process_time()
    find_candidates(text)
    find_candidates(text, "choice", ("one", "two"))
    extract(text, "text")
    parse(text)
    similarity(text, "x+1")
    _verdict(text, "42")
    _verdict(r"\frac{1}{2}", text)
    assert time.process_time() - started < SLOW_SECONDS


@RELAXED
@given(st.one_of(NOISE, st.text(max_size=80), ANSWERS))
def test_normalising_twice_changes_nothing(text: str) -> None:
    assert to_latex(to_latex(text)) == to_latex(text)
    assert clean(clean(text)) == clean(text)
    assert squeeze(squeeze(text)) == squeeze(text)


@RELAXED
@given(ANSWERS, st.lists(ANSWERS, min_size=1, max_size=3))
def test_what_is_right_by_the_strict_rule_is_right_by_the_lenient_one(gold: str, boxed: list[str]) -> None:
    response = " then ".join(rf"$\boxed{{{each}}}$" for each in boxed)
    lenient = grade_item(GradeItem(gold, response), compare_texts)
    strict = grade_item(GradeItem(gold, response, strict=True), compare_texts)
    if lenient is None or strict is None:
        return
    assert lenient.strict == strict.correct
    assert lenient.correct or not strict.correct


@pytest.mark.parametrize(
    "text",
    [
        "-" * 3000,
        "(" * 3000,
        "{" * 3000 + "}" * 3000,
        r"\sqrt{" * 500 + "2" + "}" * 500,
        "1/" * 1500 + "1",
        "5" + "!" * 2000,
        "x^" * 1500 + "2",
        "1," * 2000,
        r"\text{" + "and " * 900 + "}",
        "9" * 4500,
        "0." + "0" * 4000 + "1",
        "x" * 4000,
        "'" * 3000,
        "|" * 3000,
        "a:" * 1500,
        r"\pm" * 1000 + "1",
        "1e999999",
        r"\frac" * 1000,
        r"\begin{pmatrix}" * 200,
        "$" * 4000,
        "= " * 2000,
        r"\boxed{a" * 1000,
        "1 " * 2000,
        "x=" * 1500 + "1",
        "½" * 1000,
        r"\left" * 800,
        "99!!!!!!!!" * 100,
        "(1,2)," * 500,
        r"\{" * 1000,
        r"3\frac{1}{2}" * 300,
        "((((1,2),3),4),5)" * 100,
        "9" + "度" * 200,
        "9" + r"\%" * 200,
        " " * 3000 + "x",
        r"\text{ \alpha 1}" * 50,
        "x" + "^2" * 40,
    ],
)
def test_what_is_meant_to_explode_is_refused_at_once(text: str) -> None:
    started = time.process_time()
    parse(text)
    find_candidates(text)
    find_candidates(text, wanted="letter")
    find_candidates(text, wanted="words")
    is_choice(text)
    assert _verdict("42", text) is not YES
    similarity(text, text)
    assert time.process_time() - started < SLOW_SECONDS
