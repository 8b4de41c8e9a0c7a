"""A grade is lenient or strict, asks for no more than it needs, and says what it hangs on."""

from collections.abc import Mapping

import pytest

from inference_kit.grader.comparing.texts import Comparison
from inference_kit.grader.grading import MOST_CANDIDATES, Compare, Grade, GradeItem, grade_item
from inference_kit.grader.verdicts import NO, UNKNOWN, YES, decide
from inference_kit.records import AnswerKind

THREE = r"\boxed{one}, then \boxed{two}, then \boxed{three}"


def _known(answers: Mapping[str, Comparison]) -> tuple[Compare, list[str]]:
    """A way to compare that knows some answers; all others are not equal. And the answers it was asked about."""
    asked: list[str] = []

    def compare(gold: str, answer: str, kind: AnswerKind) -> Comparison:
        asked.append(answer)
        return answers.get(answer, Comparison(NO, "text"))

    return compare, asked


def test_the_last_box_decides_by_both_rules_and_nothing_else_is_looked_at() -> None:
    compare, asked = _known({"three": Comparison(YES, "set")})
    assert grade_item(GradeItem("gold", THREE), compare) == Grade(True, True, "three", "set")
    assert asked == ["three"]


def test_an_earlier_box_is_right_by_the_lenient_rule_only_the_latest_first() -> None:
    compare, asked = _known({"one": Comparison(YES, "set"), "two": Comparison(YES, "number")})
    assert grade_item(GradeItem("gold", THREE), compare) == Grade(True, False, "two", "number")
    assert asked == ["three", "two"]
    assert grade_item(GradeItem("gold", THREE, strict=True), compare) == Grade(False, False, "three", "text")


def test_where_nothing_is_right_the_last_box_is_shown() -> None:
    compare, asked = _known({})
    assert grade_item(GradeItem("gold", THREE), compare) == Grade(False, False, "three", "text")
    assert asked == ["three", "two", "one"]


def test_a_grade_that_hangs_on_an_unknown_comparison_is_none() -> None:
    for unknown in ("three", "two", "one"):
        compare, _ = _known({unknown: Comparison(UNKNOWN, "symbolic")})
        assert grade_item(GradeItem("gold", THREE), compare) is None
    compare, _ = _known({"three": Comparison(YES, "set"), "one": Comparison(UNKNOWN, "symbolic")})
    assert grade_item(GradeItem("gold", THREE), compare) is not None
    compare, _ = _known({"one": Comparison(UNKNOWN, "symbolic")})
    assert grade_item(GradeItem("gold", THREE, strict=True), compare) is not None


def test_one_time_limit_is_enough_for_a_response() -> None:
    compare, asked = _known({"two": Comparison(NO, "timeout"), "one": Comparison(YES, "set")})
    assert grade_item(GradeItem("gold", THREE), compare) == Grade(False, False, "three", "timeout")
    assert asked == ["three", "two"]


def test_any_of_several_gold_answers_is_right() -> None:
    def compare(gold: str, answer: str, kind: AnswerKind) -> Comparison:
        return Comparison(decide(gold == "second" and answer == "three"), gold)

    assert grade_item(GradeItem(("first", "second", "third"), THREE), compare) == Grade(True, True, "three", "second")
    assert grade_item(GradeItem(("first", "third"), THREE), compare) == Grade(False, False, "three", "third")


@pytest.mark.parametrize("response", ["", "   ", "<think> </think>  <|im_end|>"])
def test_where_there_is_no_answer_nothing_is_compared(response: str) -> None:
    compare, asked = _known({})
    assert grade_item(GradeItem("gold", response), compare) == Grade(False, False, None, "no_answer")
    assert asked == []


def test_a_response_that_is_the_gold_answer_needs_no_comparison() -> None:
    compare, asked = _known({})
    assert grade_item(GradeItem("no solution", "No  Solution"), compare) == Grade(True, True, "No  Solution", "string")
    assert asked == []


def test_a_gold_letter_makes_the_response_a_choice_and_any_answer_counts_where_it_chooses_none() -> None:
    compare, asked = _known({})
    grade_item(GradeItem("C", "I would say that it is B, for 42 reasons."), compare)
    grade_item(GradeItem("C", "The total is $3x+5$."), compare)
    assert asked == ["B", "3x+5", "The total is $3x+5$."]


def test_boxes_beyond_a_limit_are_not_looked_at() -> None:
    compare, asked = _known({})
    boxes = " so ".join(rf"\boxed{{{number}}}" for number in range(MOST_CANDIDATES + 50))
    grade_item(GradeItem("gold", boxes), compare)
    assert len(asked) == MOST_CANDIDATES + 1


def test_a_gold_answer_is_one_or_several() -> None:
    assert GradeItem("a", "b").golds == ("a",)
    assert GradeItem(("a", "b"), "c").golds == ("a", "b")
