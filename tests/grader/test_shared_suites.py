"""The labelled suites and the real data sets beside the repository; skipped where they are absent."""

import json
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from inference_kit.grader import GradeItem, GraderPool, extract
from inference_kit.grader.finding.boxes import find_boxes

SHARED = Path(__file__).parents[3] / "shared"
MODELS = ("6b_finetuning", "6b_verification", "175b_finetuning", "175b_verification")

pytestmark = pytest.mark.skipif(not SHARED.exists(), reason="the shared data is not beside this repository")


def _rows(name: str) -> list[dict[str, Any]]:
    with (SHARED / name).open(encoding="utf-8") as lines:
        return [json.loads(line) for line in lines]


def test_the_labelled_suite(pool: GraderPool) -> None:
    """MAIN-66: at least 98.5 % right, at most 8 false positives, no category of 20 cases under 90 %."""
    cases = [case for case in _rows("grader/dev.jsonl") if not case["ambiguous"]]
    grades = list(pool.grade_many(GradeItem(case["gold"], case["response"]) for case in cases))
    right = [grade.correct == case["expected"] for case, grade in zip(cases, grades, strict=True)]
    assert sum(right) >= 0.985 * len(cases)
    assert sum(grade.correct and not case["expected"] for case, grade in zip(cases, grades, strict=True)) <= 8
    sizes = Counter(case["category"] for case in cases)
    right_in = Counter(case["category"] for case, was_right in zip(cases, right, strict=True) if was_right)
    assert all(right_in[category] >= 0.9 * size for category, size in sizes.items() if size >= 20)


def test_hostile_texts_are_answered_and_leave_nothing(
    pool: GraderPool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """BEY-11: nothing is executed, nothing hangs; workers are started in the folder that is watched."""
    monkeypatch.chdir(tmp_path)
    cases = [case for case in _rows("grader/hostile_dev.jsonl") if not case["ambiguous"]]
    with GraderPool(workers=2, time_limit_seconds=0.5) as hostile_pool:
        grades = list(hostile_pool.grade_many(GradeItem(case["gold"], case["response"]) for case in cases))
    right = sum(grade.correct == case["expected"] for case, grade in zip(cases, grades, strict=True))
    assert right >= 0.97 * len(cases)
    assert list(tmp_path.iterdir()) == []


def test_the_labelled_solutions_of_gsm8k(pool: GraderPool) -> None:
    rows = _rows("data/gsm8k_model_solutions.jsonl")
    labelled = [
        (GradeItem(row["ground_truth"].rpartition("A:")[2].strip(), row[model]["solution"]), row[model]["is_correct"])
        for row in rows
        for model in MODELS
    ]
    grades = pool.grade_many(item for item, _ in labelled)
    disagreements = [item for (item, label), grade in zip(labelled, grades, strict=True) if grade.correct != label]
    assert disagreements == []


@pytest.mark.slow
def test_every_gold_answer_equals_itself_written_another_way(pool: GraderPool) -> None:
    for gold in _gold_answers():
        for written in (gold, gold.replace(r"\frac", r"\dfrac"), f" {gold} ", rf"\boxed{{{gold}}}"):
            assert pool.grade(gold, written).correct, (gold, written)
        if "$" not in gold:
            assert pool.grade(gold, f"${gold}$").correct, gold
            assert pool.grade(gold, rf"Thus we get $\boxed{{{gold}}}$.").correct, gold


def test_no_two_different_integers_are_equal(pool: GraderPool) -> None:
    golds = sorted({gold for gold in _gold_answers() if gold.isdigit()})[::7]
    groups = pool.group(golds)
    values = [int(gold) for gold in golds]
    assert len(set(groups)) == len(set(values))


def _gold_answers() -> Iterator[str]:
    """Every gold answer of every set, but the empty ones."""
    for row in _rows("data/gsm8k.jsonl"):
        yield row["answer"].rpartition("####")[2].strip()
    for name in ("math500", "aime24", "amc23", "gaokao2023en", "college_math", "cmath"):
        yield from (str(row["answer"]) for row in _rows(f"data/{name}.jsonl") if str(row["answer"]).strip())
    for row in _rows("data/olympiadbench.jsonl"):
        yield from map(str, row["final_answer"])
    for row in _rows("data/minerva_math.jsonl"):
        answer = find_boxes(row["solution"])[-1]
        assert extract(row["solution"]) == answer
        yield answer
    yield from (str(row["Answer"]) for row in _rows("data/svamp.jsonl"))
