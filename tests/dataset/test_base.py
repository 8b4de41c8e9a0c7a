"""Dataset: what a class from outside the package gets, and what is said of data that does not fit."""

import itertools
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from inference_kit.dataset.base import Dataset
from inference_kit.errors import UserError
from inference_kit.records import Problem, Record
from inference_kit.registry import read_settings


class Riddles(Dataset):
    """A data set from outside the package."""

    fields = ("riddle", "solution")
    index_field = "id"
    metadata_fields = ("author",)

    def problem(self, row: Mapping[str, Any], number: int) -> Problem:
        """Ask the riddle."""
        return Problem(
            self.index_of(row, number), self.messages(row["riddle"]), row["solution"], "text", self.metadata_of(row)
        )

    def evaluate(self, results: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
        """Count the long responses."""
        return {"long": sum(len(result["response"]) > 10 for result in results)}


RIDDLE = {"riddle": "What has keys?", "solution": "a piano", "author": "A", "note": "n"}


def test_a_class_from_outside_is_one_partial(jsonl: Callable[..., str]) -> None:
    """MAIN-37, MAIN-13."""
    entry = partial(Riddles, dataset_name="riddles", dataset_path=jsonl(RIDDLE, {**RIDDLE, "id": "r2"}))
    first, second = entry().problems()
    assert (first.index, second.index) == (0, "r2")
    assert first.messages[0].content.startswith("What has keys?\n\nPlease reason")
    assert first.metadata == {"author": "A"}
    assert entry().evaluate([{"response": "a grand piano"}]) == {"long": 1}


def test_the_base_class_has_no_metrics_of_its_own(jsonl: Callable[..., str]) -> None:
    """MAIN-39."""
    assert Dataset.evaluate(Riddles("riddles", jsonl(RIDDLE)), []) == {}


def test_nothing_is_read_before_the_first_problem() -> None:
    problems = Riddles("riddles", "/nowhere/riddles.jsonl", prompt_template="nowhere").problems()
    with pytest.raises(UserError, match="no such data set file"):
        next(problems)


def test_problems_come_as_a_stream(jsonl: Callable[..., str]) -> None:
    """A broken line is met only when the stream gets there."""
    problems = Riddles("riddles", jsonl(RIDDLE, "{broken")).problems()
    assert next(problems).index == 0
    with pytest.raises(UserError, match=r"mine\.jsonl:2: not JSON"):
        next(problems)


def test_a_missing_field_names_what_is_needed_and_what_is_there(jsonl: Callable[..., str]) -> None:
    """MAIN-83, MAIN-84."""
    path = jsonl(RIDDLE, {"riddle": "?", "solutions": "!"})
    with pytest.raises(UserError) as caught:
        list(Riddles("riddles", path).problems())
    assert str(caught.value) == (
        f"{path}:2: field 'solution' is missing. Did you mean 'solution' by 'solutions'? "
        "This data set needs riddle, solution; yours has riddle, solutions."
    )


@pytest.mark.parametrize("again", [7, "7"])
def test_an_index_that_is_there_twice_names_both_places(jsonl: Callable[..., str], again: int | str) -> None:
    """MAIN-83."""
    path = jsonl({**RIDDLE, "id": 7}, RIDDLE, {**RIDDLE, "id": again})
    with pytest.raises(UserError) as caught:
        list(Riddles("riddles", path).problems())
    assert str(caught.value) == f"{path}:3: index {again!r} is there twice, first at {path}:1"


def test_items_on_one_line_are_still_told_apart(tmp_path: Path) -> None:
    path = tmp_path / "mine.json"
    path.write_text('[{"riddle": "?", "solution": "!", "id": 1}, {"riddle": "?", "solution": "!", "id": 1}]')
    with pytest.raises(UserError, match=r"mine\.json:1 \(item 2\): index 1 is there twice, first at .*:1 \(item 1\)"):
        list(Riddles("riddles", str(path)).problems())


def test_the_prompt_template_may_be_changed(jsonl: Callable[..., str], tmp_path: Path) -> None:
    template = tmp_path / "mine.txt"
    template.write_text('{"ask": "{input}", "again": "{problem}"}')
    dataset = Riddles("riddles", jsonl({**RIDDLE, "riddle": "{problem}?"}), prompt_template=str(template))
    assert next(dataset.problems()).messages[-1].content == '{"ask": "{problem}?", "again": "{problem}?"}'


def test_an_unknown_template_is_no_fault_of_the_data(jsonl: Callable[..., str]) -> None:
    """MAIN-07."""
    with pytest.raises(UserError, match=r"--prompt-template: unknown prompt template or file 'cot_box'\. Did you mean"):
        next(Riddles("riddles", jsonl(RIDDLE), prompt_template="cot_box").problems())


def test_a_template_without_a_question_is_refused(jsonl: Callable[..., str], tmp_path: Path) -> None:
    template = tmp_path / "mine.txt"
    template.write_text("Think.")
    with pytest.raises(UserError, match=r"mine\.txt: the prompt template has no \{question\}"):
        next(Riddles("riddles", jsonl(RIDDLE), prompt_template=str(template)).problems())


def test_a_hundred_thousand_problems_fit_through(tmp_path: Path) -> None:
    """The first problems of a large file cost the first lines of it."""
    path = tmp_path / "large.jsonl"
    with path.open("w") as file:
        file.writelines(f'{{"riddle": "{number}?", "solution": "!"}}\n' for number in range(100_000))
    taken = list(itertools.islice(Riddles("riddles", str(path)).problems(), 3))
    assert [problem.index for problem in taken] == [0, 1, 2]


def test_every_setting_has_a_help_text() -> None:
    settings = read_settings(Riddles)
    assert set(settings) == {"split", "subset", "prompt_template"}
    assert all(setting.help for setting in settings.values())


def test_the_question_is_known_without_the_template_around_it(jsonl: Callable[..., str], tmp_path: Path) -> None:
    """Reward models are shown it so; what is stored is what the model was asked."""
    template = tmp_path / "mine.txt"
    template.write_text("An example: 1 + 1 = 2.\n\n{question}\n\nBox it.")
    problem = next(Riddles("riddles", jsonl({**RIDDLE, "riddle": "Who?"}), prompt_template=str(template)).problems())
    assert problem.question == "Who?"
    assert Record.of(problem, None).to_json()["input"] == "An example: 1 + 1 = 2.\n\nWho?\n\nBox it."
