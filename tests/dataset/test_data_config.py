"""data_config.py: every entry is lazy, and reads the published form of its data set."""

import json
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest

from data_config import supported_dataset
from inference_kit.dataset.base import Dataset
from inference_kit.registry import summarize_entry

KEYS = (
    "abacus example gsm8k math math500 aime24 amc23 olympiadbench minerva_math gaokao2023en svamp college_math cmath "
    "aqua mmlu_stem sat_math"
).split()
ROWS = {
    "gsm8k": 1319,
    "math500": 500,
    "aime24": 30,
    "amc23": 40,
    "olympiadbench": 675,
    "minerva_math": 272,
    "gaokao2023en": 385,
    "svamp": 1000,
    "college_math": 2818,
    "cmath": 600,
    "aqua": 254,
    "mmlu_stem": 3018,
    "sat_math": 32,
}


def test_the_registry_holds_the_promised_names() -> None:
    """MAIN-13, MAIN-40."""
    assert list(supported_dataset) == KEYS


@pytest.mark.parametrize("name", KEYS)
def test_an_entry_is_named_as_its_key_and_reads_nothing(name: str) -> None:
    dataset = supported_dataset[name]()
    assert isinstance(dataset, Dataset)
    assert dataset.dataset_name == name
    assert summarize_entry(supported_dataset[name])
    if name != "example":
        assert "\\boxed{}" in dataset.template


def test_the_bundled_benchmark_loads() -> None:
    problems = list(supported_dataset["abacus"]().problems())
    assert len(problems) == 1000
    assert all(problem.answer and str(problem.answer).isdecimal() for problem in problems)


@pytest.mark.parametrize("name", ROWS)
def test_a_real_file_loads_in_place_of_the_hub(name: str, real: Callable[[str], str]) -> None:
    """MAIN-13: `--dataset-path` overrides."""
    problems = list(supported_dataset[name](dataset_path=real(f"{name}.jsonl")).problems())
    assert len(problems) == ROWS[name]
    assert len({str(problem.index) for problem in problems}) == ROWS[name]
    assert all(isinstance(problem.answer, str) for problem in problems)
    assert all(problem.messages[-1].content.strip().endswith(("\\boxed{}.", "\\boxed{} 中。")) for problem in problems)


def test_two_of_gaokaos_answers_are_empty_and_no_others(real: Callable[[str], str]) -> None:
    empty = {
        name: sum(
            not problem.answer for problem in supported_dataset[name](dataset_path=real(f"{name}.jsonl")).problems()
        )
        for name in ROWS
    }
    assert {name: number for name, number in empty.items() if number} == {"gaokao2023en": 2}


@pytest.mark.parametrize(("name", "options"), [("aqua", {5}), ("mmlu_stem", {4}), ("sat_math", {4})])
def test_real_options_are_cut_as_printed(name: str, options: set[int], real: Callable[[str], str]) -> None:
    problems = list(supported_dataset[name](dataset_path=real(f"{name}.jsonl")).problems())
    assert {len(problem.metadata["choices"]) for problem in problems} == options
    assert {problem.answer_kind for problem in problems} == {"choice"}
    assert Counter(str(problem.answer) for problem in problems).keys() <= set("ABCDE")


def test_the_box_of_maths_solutions_is_its_answer(real: Callable[[str], str], jsonl: Callable[..., str]) -> None:
    """`math` has no answers but boxes; math500 has both, and they agree."""
    rows = [json.loads(line) for line in Path(real("math500.jsonl")).read_text(encoding="utf-8").splitlines()]
    stripped = jsonl(*({key: row[key] for key in row if key != "answer"} for row in rows))
    found = [problem.answer for problem in supported_dataset["math"](dataset_path=stripped).problems()]
    differing = [(row["answer"], answer) for row, answer in zip(rows, found, strict=True) if row["answer"] != answer]
    assert differing == []
