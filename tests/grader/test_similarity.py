"""Similarity falls with the number of edits between two expressions."""

from inference_kit.grader import math_similarity, similarity


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
