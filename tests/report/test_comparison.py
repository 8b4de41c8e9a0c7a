"""Comparison: two result files, problem by problem."""

from typing import Any

import pytest

from inference_kit.errors import UserError
from inference_kit.report.comparison import compare_results, format_comparison


def entry(index: int | str, correct: bool, prediction: str = "1", question: str = "") -> dict[str, Any]:
    text = question or f"question {index}"
    return {"index": index, "input": text, "gold": "1", "prediction": prediction, "correct": correct}


A = [entry(0, True), entry(1, True), entry(2, False, "7"), entry(3, False, "8"), entry("4", True)]
B = [entry(3, False, "9"), entry(2, True), entry(1, False, "5"), entry(0, True), entry(4, True)]


def test_each_problem_of_both_sides_is_in_one_cell_in_the_order_of_a() -> None:
    found = compare_results(A, B)
    assert (found.both_right, found.matched) == (2, 5)
    assert [pair[0]["index"] for pair in found.only_a] == [1]
    assert [pair[0]["index"] for pair in found.only_b] == [2]
    assert [(a["prediction"], b["prediction"]) for a, b in found.both_wrong] == [("8", "9")]


def test_an_integer_and_its_text_are_one_index_and_what_one_side_lacks_is_counted() -> None:
    assert (found := compare_results(A, B)).both_right == 2
    found = compare_results([*A, entry("x", True)], [*B, entry("04", True)])
    assert (found.unmatched_a, found.unmatched_b) == (1, 1)
    assert "left out: 1 only in A, 1 only in B" in format_comparison(found, ("a.json", "b.json"), shown=0)


@pytest.mark.parametrize(
    ("b", "said"),
    [([entry(9, True)], "no problem in common"), ([entry(0, True, question="another")], "problem 0 differs")],
)
def test_two_data_sets_are_refused(b: list[dict[str, Any]], said: str) -> None:
    with pytest.raises(UserError, match=said):
        compare_results(A, b)


def test_the_terminal_shows_accuracies_counts_and_the_first_problems_of_each_list() -> None:
    many = [entry(number, True) for number in range(3)], [entry(number, False, "x" * 30) for number in range(3)]
    lines = format_comparison(compare_results(*many), ("a.json", "b.json"), shown=2).splitlines()
    assert lines[0] == "A: a.json  3/3 = 100.0 %"
    assert lines[1] == "B: b.json  0/3 = 0.0 %"
    assert "A right, B wrong (the first 2 of 3)" in lines
    assert lines[-1].split() == ["1", "question", "1", "1", "1", "x" * 19 + "…"]


def test_json_has_the_pairs_of_every_list() -> None:
    data = compare_results(A, B).to_json()
    assert data["a_right_b_wrong"] == [{"index": 1, "input": "question 1", "gold": "1", "a": "1", "b": "5"}]
    assert {name: data[name] for name in ("matched", "both_right", "unmatched_a")} == {
        "matched": 5,
        "both_right": 2,
        "unmatched_a": 0,
    }


def test_a_failed_problem_is_told_from_a_wrong_answer_and_one_without_gold_is_left_out() -> None:
    """Issue 12."""
    failed = entry(1, False) | {"prediction": None, "error": "the server is gone"}
    bare = entry(2, False) | {"gold": None, "correct": None}
    found = compare_results([entry(0, True), failed, bare], [entry(0, True), entry(1, False, "5"), bare])
    assert (found.matched, found.failed_a, found.failed_b, found.ungraded) == (2, 1, 0, 1)
    shown = format_comparison(found, ("a", "b"), shown=5)
    assert "failed, which is no wrong answer: 1 in A, 0 in B" in shown
    assert "left out: 1 without a gold answer" in shown
    assert shown.splitlines()[-1].split()[-2:] == ["(failed)", "5"]
    assert found.to_json()["both_wrong"][0]["a_failed"] is True
    with pytest.raises(UserError, match="no problem of the two files has a gold answer"):
        compare_results([bare], [bare])
