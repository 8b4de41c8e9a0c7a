"""Similarity falls with the number of edits between two expressions."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from inference_kit.grader import math_similarity, similarity
from inference_kit.grader.similarity import measure_similarity

EXPRESSIONS = st.recursive(
    st.sampled_from(["1", "2", "x", "y", r"\pi"]),
    lambda parts: st.one_of(
        st.tuples(parts, parts).map(lambda two: f"({two[0]}+{two[1]})"),
        st.tuples(parts, parts).map(lambda two: rf"\frac{{{two[0]}}}{{{two[1]}}}"),
        parts.map(lambda one: rf"\sin({one})"),
    ),
    max_leaves=6,
)


def test_the_nearer_answer_is_more_similar() -> None:
    """MAIN-67: a run can report how near its wrong answers are."""
    near, far = similarity("x^2+2x+1", "x^2+2x+2"), similarity("x^2+2x+1", r"\sin y")
    assert 0 < far < near < 1


def test_the_same_expression_is_wholly_similar_and_what_does_not_parse_not_at_all() -> None:
    assert similarity("a+b", "b+a") == 1.0
    assert similarity(r"\unknown", "42") == 0.0
    assert similarity("red herring", "42") == 0.0


def test_similarity_is_symmetric() -> None:
    assert similarity("(1,2)", "(1,3,4)") == similarity("(1,3,4)", "(1,2)")


def test_equal_answers_are_wholly_similar_in_the_function_for_scripts() -> None:
    assert math_similarity("(x+1)^2", "x^2+2x+1") == 1.0


@pytest.mark.parametrize(
    ("a", "b", "edits", "nodes"),
    [
        ("x", "y", 1, 2),  # one renamed
        ("x+1", "x", 2, 4),  # `add` and 1 removed
        ("x+1", "x+2", 1, 6),
        ("(1,2)", "(1,2,3)", 1, 7),
        (r"\sin(x+y)", "x+y", 1, 7),
        ("x-y", "y-x", 2, 8),  # the order of a sum does not count: add(x, neg(y)) and add(y, neg(x))
    ],
)
def test_one_less_similarity_is_the_share_of_nodes_to_edit(a: str, b: str, edits: int, nodes: int) -> None:
    assert similarity(a, b) == pytest.approx(1 - edits / nodes)


@settings(max_examples=60, deadline=None)
@given(EXPRESSIONS, EXPRESSIONS)
def test_it_is_one_for_the_same_tree_symmetric_and_within_bounds(a: str, b: str) -> None:
    assert similarity(a, a) == 1.0
    assert similarity(a, b) == similarity(b, a)
    assert 0.0 <= similarity(a, b) <= 1.0


def test_of_large_trees_only_the_labels_are_compared() -> None:
    long, longer = "+".join(["x"] * 80), "+".join(["x"] * 79 + ["y"])
    assert similarity(long, long) == 1.0
    assert similarity(long, longer) == pytest.approx(2 * 80 / 162)
    assert similarity(long, longer) == similarity(longer, long)


def test_a_graded_answer_is_measured_against_the_nearest_gold_answer() -> None:
    near = similarity("x+1", "x+2")
    assert measure_similarity(["y^2", "x+1"], "x+2", "math", correct=False) == near
    assert measure_similarity(["y^2"], "x+2", "number", correct=True) == 1.0


def test_only_a_wrong_mathematical_answer_is_measured() -> None:
    assert measure_similarity(["x+1"], None, "math", correct=False) == 0.0
    assert measure_similarity(["B"], "A", "choice", correct=False) == 0.0
    assert measure_similarity(["red car"], "red bus", "text", correct=False) == 0.0
    assert measure_similarity(["red car"], "red car", "text", correct=True) == 1.0
