"""The first pass over the data."""

import json
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from fakes import SeededEngine
from loguru import logger

from inference_kit.config import Level
from inference_kit.dataset.simpledataset import SimpleDataset
from inference_kit.errors import UserError
from inference_kit.experiment.survey import select_problems, survey_problems
from inference_kit.records import Message
from inference_kit.setup.choose import choose
from inference_kit.setup.opener import Opener
from inference_kit.setup.parts import Parts
from inference_kit.setup.registries import Registries
from inference_kit.setup.request import Request


def parts_of(folder: Path, rows: list[dict[str, Any]], **told: Any) -> Parts:
    path = folder / "mine.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    data = {"mine": partial(SimpleDataset, dataset_name="mine", dataset_path=str(path))}
    level = Level("test", {"model": "toy", "dataset": "mine", **told}, told=True)
    return choose(Request((level,)), Registries({"toy": SeededEngine}, {}, data), Opener())


ROWS = [{"index": number, "input": f"q{number}", "answer": "3"} for number in range(5)]


def test_a_survey_says_which_problems_are_wanted_in_the_order_of_the_data(tmp_path: Path) -> None:
    survey = survey_problems(parts_of(tmp_path, ROWS, limit=3))
    assert (survey.indices, survey.first.index, survey.graded) == ((0, 1, 2), 0, True)
    assert survey_problems(parts_of(tmp_path, ROWS, shard="2/2")).indices == (1, 3)


def test_a_system_message_stands_before_every_problem(tmp_path: Path) -> None:
    problems = [*select_problems(parts_of(tmp_path, ROWS, system="Be brief."))]
    assert {problem.messages[0] for problem in problems} == {Message("system", "Be brief.")}
    assert len(problems[0].messages) == 2


def test_nothing_to_do_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"--shard: shard 9/9 has no problem"):
        survey_problems(parts_of(tmp_path, ROWS, shard="9/9"))


def test_a_missing_gold_answer_is_refused_only_where_accuracy_is_asked_for(tmp_path: Path) -> None:
    bare = [{"index": 0, "input": "q"}]
    said: list[str] = []
    sink = logger.add(said.append, level="WARNING", format="{message}")
    assert not survey_problems(parts_of(tmp_path, bare)).graded
    logger.remove(sink)
    assert said[0].startswith("mine has no gold answers")
    with pytest.raises(UserError, match="no gold answer"):
        survey_problems(parts_of(tmp_path, bare, evaluate=True))
    assert not survey_problems(parts_of(tmp_path, bare, evaluate=False)).graded
