"""A run in its folder, step by step: claimed, solved, concluded; engines are borrowed."""

import asyncio
import json
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from fakes import Likes, SeededEngine

from inference_kit.config import Level
from inference_kit.dataset.simpledataset import SimpleDataset
from inference_kit.errors import UserError
from inference_kit.experiment.files import name_run_files
from inference_kit.experiment.run import claim
from inference_kit.experiment.summary import summarize
from inference_kit.experiment.survey import survey_problems
from inference_kit.grader import GraderPool
from inference_kit.models.base import Engine
from inference_kit.setup.choose import choose
from inference_kit.setup.opener import Opener
from inference_kit.setup.parts import Parts
from inference_kit.setup.registries import Registries
from inference_kit.setup.request import Request


@pytest.fixture
def names(tmp_path: Path) -> Registries:
    data = tmp_path / "mine.jsonl"
    rows = [{"index": number, "input": f"question {number}", "answer": str(number % 7)} for number in range(6)]
    data.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return Registries(
        {"toy": partial(SeededEngine, "toy")},
        {"likes": partial(Likes, "likes")},
        {"mine": partial(SimpleDataset, dataset_name="mine", dataset_path=str(data))},
    )


def parts_of(names: Registries, work_dir: Path, **told: Any) -> Parts:
    several = {} if told.get("method") == "greedy" else {"n": 3}
    values = {"model": "toy", "dataset": "mine", "work_dir": str(work_dir), **several, **told}
    given = {name: value for name, value in values.items() if value is not None}
    return choose(Request((Level("test", given, told=True),)), names, Opener())


def run(parts: Parts, grader: GraderPool) -> dict[str, Any]:
    survey = survey_problems(parts)
    with claim(parts, survey, name_run_files(parts), grader, command=("test",)) as claimed:
        asyncio.run(claimed.solve(lambda progress: None))
        return summarize(claimed, claimed.conclude(), ("test",))


def test_many_runs_share_one_engine_and_each_has_its_folder(names: Registries, tmp_path: Path) -> None:
    """A sweep loads weights once."""
    engine = SeededEngine("shared")
    with GraderPool(workers=1) as grader:
        first, second = (
            run(parts_of(names, tmp_path, model=engine, seed=seed, exp_name=f"seed{seed}"), grader) for seed in (0, 1)
        )
    assert first["folder"] != second["folder"]
    assert first["this_time"]["engine_calls"] == second["this_time"]["engine_calls"] == 18
    assert engine.completions == 36


def test_what_is_stored_is_not_solved_again(names: Registries, tmp_path: Path) -> None:
    with GraderPool(workers=1) as grader:
        run(parts_of(names, tmp_path, limit=4), grader)
        again = run(parts_of(names, tmp_path), grader)
    assert (again["this_time"]["problems"], again["metrics"]["total"]) == (2, 6)


def test_a_run_of_other_settings_is_refused_in_the_same_folder(names: Registries, tmp_path: Path) -> None:
    with GraderPool(workers=1) as grader:
        run(parts_of(names, tmp_path), grader)
        with pytest.raises(UserError, match="the stored run has other settings"):
            run(parts_of(names, tmp_path, temperature=0.2), grader)


def test_a_folder_has_one_writer(names: Registries, tmp_path: Path) -> None:
    parts = parts_of(names, tmp_path)
    survey, files = survey_problems(parts), name_run_files(parts)
    with (
        GraderPool(workers=1) as grader,
        claim(parts, survey, files, grader),
        pytest.raises(UserError, match="locked by PID"),
        claim(parts, survey, files, grader),
    ):
        pass


def test_the_figures_of_a_summary_are_plain_json(names: Registries, tmp_path: Path) -> None:
    with GraderPool(workers=1) as grader:
        run(parts_of(names, tmp_path, method="greedy", n=None), grader)
        summary = run(parts_of(names, tmp_path, reward_model="likes"), grader)
    assert json.loads(json.dumps(summary)) == summary
    assert summary["greedy"] is None and summary["votes"].keys() == {"best_last"}
    assert summary["files"]["best_last"].endswith("mine-best_of_n-best_last.json")


def test_an_engine_may_be_any_object(names: Registries, tmp_path: Path) -> None:
    engine: Engine = SeededEngine("object")
    parts = parts_of(names, tmp_path, model=engine)
    assert name_run_files(parts).folder == tmp_path / "mine" / "SeededEngine+none+default"
