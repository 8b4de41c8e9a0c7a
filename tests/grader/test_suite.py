"""The labelled suite of this repository: one test a category, which names each failing case.

Each line of `suite.jsonl` is `{id, category, gold, response, correct}`, and where it matters `kind`, `choices`, `note`
and `strict` (the strict verdict). `correct` is the label: what docs/grading.md says, not what the grader does today.
"""

import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from inference_kit.grader import GraderPool

CASES: list[dict[str, Any]] = [
    json.loads(line) for line in Path(__file__).with_name("suite.jsonl").read_text(encoding="utf-8").splitlines()
]


@pytest.mark.parametrize("category", list(dict.fromkeys(case["category"] for case in CASES)))
def test_every_case_of_a_category_is_graded_as_it_is_labelled(pool: GraderPool, category: str) -> None:
    failing = {}
    for case in CASES:
        if case["category"] == category:
            choices = tuple(case.get("choices", ()))
            grade = pool.grade(case["gold"], case["response"], kind=case.get("kind", "math"), choices=choices)
            if (grade.correct, grade.strict) != (case["correct"], case.get("strict", grade.strict)):
                failing[case["id"]] = grade
    assert failing == {}


def test_every_category_has_equal_answers_and_near_misses_in_about_equal_parts() -> None:
    sizes = Counter(case["category"] for case in CASES)
    equal = Counter(case["category"] for case in CASES if case["correct"])
    assert all(0.2 <= equal[category] / size <= 0.8 for category, size in sizes.items()), equal
    assert 0.45 <= sum(equal.values()) / len(CASES) <= 0.55


def test_every_case_has_a_name_of_its_own_and_is_asked_once() -> None:
    assert len({case["id"] for case in CASES}) == len(CASES)
    asked = Counter(json.dumps([case[key] for key in ("gold", "response")]) for case in CASES)
    assert max(asked.values()) == 1, asked.most_common(3)
