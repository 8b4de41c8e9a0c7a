"""Evaluation: votes, grades and metrics from stored candidates alone."""

from collections.abc import Sequence
from dataclasses import replace

from inference_kit.evaluation import Tally, Vote, build_result_entry, judge, judge_answer
from inference_kit.grader import GraderPool
from inference_kit.records import Candidate, Record


def record(index: int, answers: Sequence[str | None], gold: str | None, scores: Sequence[float] = ()) -> Record:
    groups = {answer: number for number, answer in enumerate(dict.fromkeys(a for a in answers if a is not None))}
    return Record(
        index,
        f"question {index}",
        gold,
        candidates=tuple(
            Candidate(
                "no idea" if answer is None else f"\\boxed{{{answer}}}",
                answer,
                step_scores=(score,),
                group=groups.get(answer, -1),
            )
            for answer, score in zip(answers, scores or [0.5] * len(answers), strict=True)
        ),
    )


def tally(records: Sequence[Record], vote: Vote, *, strict: bool = False) -> dict[str, object]:
    counted = Tally(vote, strict=strict)
    with GraderPool() as grader:
        for each, judged in judge(records, [vote], grader):
            counted.add(each, judged)
    return counted.metrics()


def test_each_vote_is_graded_from_the_same_candidates() -> None:
    """MAIN-55, MAIN-58."""
    records = [record(0, ["1", "1", "2"], "2", [0.1, 0.2, 0.9]), record(1, ["5", "5", "6"], "5", [0.3, 0.2, 0.9])]
    assert tally(records, "majority_vote")["accuracy"] == 0.5
    assert tally(records, "best_last")["correct"] == 1
    assert tally(records, None)["correct"] == 1


def test_a_failed_problem_is_not_correct_and_is_counted_apart() -> None:
    records = [record(0, ["1"], "1"), Record(1, "q", "1", error="the server is gone")]
    metrics = tally(records, "majority_vote")
    assert (metrics["correct"], metrics["total"], metrics["failed"], metrics["no_answer"]) == (1, 2, 1, 0)


def test_no_answer_is_told_from_a_wrong_one() -> None:
    metrics = tally([record(0, [None, None], "1"), record(1, ["2"], "1")], "majority_vote")
    assert (metrics["correct"], metrics["no_answer"]) == (0, 1)


def test_without_gold_answers_there_is_no_accuracy() -> None:
    metrics = tally([record(0, ["1"], None)], "majority_vote")
    assert (metrics["accuracy"], metrics["ci95"], metrics["similarity"]) == (None, None, None)


def test_pass_at_k_is_unbiased_and_counts_failed_problems() -> None:
    """BEY-06."""
    records = [record(0, ["1", "2", "3", "1"], "1"), Record(1, "q", "1", error="gone")]
    assert tally(records, None)["pass_at"] == {"1": 0.25, "2": (1 - 1 / 6) / 2, "4": 0.5}


def test_lenient_and_strict_are_both_there_and_the_flag_picks_the_headline() -> None:
    """MAIN-68, BEY-16."""
    several = Record(0, "q", "1", candidates=(Candidate("\\boxed{1} or rather, \\boxed{2}", "2", group=0),))
    lenient, strict = tally([several], None), tally([several], None, strict=True)
    assert (lenient["accuracy"], strict["accuracy"]) == (1.0, 0.0)
    assert lenient["strict_accuracy"] == strict["strict_accuracy"] == 0.0


def test_similarity_is_one_for_right_answers_and_less_for_wrong_ones() -> None:
    """MAIN-67."""
    right, near, far = record(0, ["0.5"], "\\frac12"), record(1, ["x^2+1"], "x^2+2"), record(2, [None], "7")
    with GraderPool() as grader:
        found = [
            build_result_entry(each, judged, None, strict=False)
            for each, judged in judge([right, near, far], [None], grader)
        ]
    assert found[0]["similarity"] == 1.0
    assert 0.5 < found[1]["similarity"] < 1.0
    assert found[2]["similarity"] == 0.0


def test_boxing_every_option_is_counted() -> None:
    text = " ".join(f"\\boxed{{{number}}} or" for number in range(5))
    assert tally([Record(0, "q", "1", candidates=(Candidate(text, "4", group=0),))], None)["many_boxes"] == 1


def test_gold_answers_that_are_not_understood_are_counted() -> None:
    """BEY-16."""
    assert tally([record(0, ["1"], "\\unknown{")], None)["unparsed_golds"] == 1
    assert tally([record(0, ["1"], "\\frac12")], None)["unparsed_golds"] == 0


def test_a_vote_without_anything_to_weigh_is_the_majority_s_and_says_so() -> None:
    bare = Record(0, "q", "1", candidates=(Candidate("\\boxed{1}", "1", group=0),))
    with GraderPool() as grader:
        [(_, judged)] = judge([bare], ["min_vote", "majority_vote"], grader)
    assert judged.lacks == {"min_vote": "step_scores"}
    assert judged.winners == {"min_vote": 0, "majority_vote": 0}


def test_the_verdict_on_one_problem_is_that_of_its_vote() -> None:
    each = record(0, ["1", "1", "2"], "2", [0.1, 0.2, 0.9])
    with GraderPool() as grader:
        assert judge_answer(each, "best_last", grader, strict=False) is True
        assert judge_answer(each, "majority_vote", grader, strict=False) is False
        assert judge_answer(record(0, ["1"], None), None, grader, strict=False) is None


def test_a_thought_that_was_cut_off_has_no_answer_in_votes_and_grades_of_stored_runs() -> None:
    """Issue 13: also where an earlier version took an answer out of it."""
    stored = record(0, ["42", "42", "41"], "42")
    cut = [
        replace(stored.candidates[0], text=r"<think>So \boxed{42}. But"),
        replace(stored.candidates[1], text="<think>The answer is 42</think>", finish_reason="length"),
    ]
    metrics = tally([replace(stored, candidates=(*cut, stored.candidates[2]))], "majority_vote")
    assert (metrics["correct"], metrics["no_answer"], metrics["pass_at"]) == (0, 0, {"1": 0, "2": 0, "3": 0})
