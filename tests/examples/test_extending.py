"""The examples of docs/extending.md, each added from outside the package: one file, one registry line."""

import json
import shlex
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from fakes import SeededEngine

from data_config import supported_dataset
from examples.extending.brevity import Brevity
from examples.extending.capitals import Capitals
from examples.extending.concise import concise_vote
from examples.extending.program import Program
from examples.extending.second_wind import second_wind
from inference_kit import cli
from inference_kit.cli.registries import Registries
from inference_kit.search import METHODS, Method
from inference_kit.voting import VOTES
from model_config import sft_model_groups

ROOT = Path(__file__).resolve().parents[2]
SOLVER = "import sys; print(chr(92) + 'boxed{%d}' % (int(sys.argv[1]) % 3))"

Summary = dict[str, Any]
Run = Callable[..., Summary]


@pytest.fixture
def run(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Run:
    """Runs a command line over registries to which the examples were added; returns its summary."""
    solver = tmp_path / "solve.py"
    solver.write_text(SOLVER, encoding="utf-8")
    models = {"echo": sft_model_groups["echo"], "seeded": partial(SeededEngine)}
    registries = Registries(
        {**models, "program": partial(Program, shlex.join([sys.executable, str(solver)]))},
        {"brevity": partial(Brevity)},
        {**supported_dataset, "capitals": _capitals()},
        ROOT,
    )

    def call(*words: str) -> Summary:
        assert cli.main(["run", *words, "--work-dir", str(tmp_path), "--json"], registries) == 0
        summary: Summary = json.loads(capsys.readouterr().out)
        return summary

    return call


def _capitals() -> Callable[..., Capitals]:
    return partial(Capitals, dataset_name="capitals", dataset_path=str(ROOT / "examples/extending/capitals.csv"))


def results_of(summary: Summary, vote: str) -> list[dict[str, Any]]:
    entries: list[dict[str, Any]] = json.loads(Path(summary["files"][vote]).read_text(encoding="utf-8"))["results"]
    return entries


def test_an_engine(run: Run) -> None:
    """MAIN-35, DEC-17."""
    summary = run("--model", "program", "--limit", "1", "--n", "3")
    [entry] = results_of(summary, "majority_vote")
    assert sorted(candidate["answer"] for candidate in entry["candidates"]) == ["0", "1", "2"]


def test_a_reward_model_and_its_setting(run: Run) -> None:
    """MAIN-36."""
    summary = run(
        "--model", "seeded", "--reward-model", "brevity", "--reward-half-life", "4", "--limit", "1", "--n", "2"
    )
    [entry] = results_of(summary, "best_last")
    assert {tuple(candidate["step_scores"]) for candidate in entry["candidates"]} == {(1 / (1 + 1 / 4), 1 / 2)}


def test_a_data_set(run: Run) -> None:
    """MAIN-37."""
    summary = run("--model", "echo", "--method", "greedy", "--dataset", "capitals")
    assert [entry["gold"] for entry in results_of(summary, "greedy")] == ["Lima", "Nairobi", "Tokyo"]


def test_a_method_and_its_setting(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """MAIN-50: what was cut off at five tokens goes on, and keeps what it had."""
    monkeypatch.setitem(METHODS, "second_wind", Method(second_wind))
    chosen = ("--model", "echo", "--method", "second_wind", "--limit", "1", "--n", "2", "--max-new-tokens", "5")
    [once] = results_of(run(*chosen), "majority_vote")
    [twice] = results_of(run(*chosen, "--winds", "2", "--exp-name", "twice"), "majority_vote")
    assert [candidate["tokens"] for candidate in once["candidates"]] == [10, 10]
    assert [candidate["tokens"] for candidate in twice["candidates"]] == [15, 15]


def test_a_vote(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """BEY-04."""
    monkeypatch.setitem(VOTES, "concise_vote", concise_vote)
    summary = run("--model", "seeded", "--limit", "2", "--n", "4", "--vote", "concise_vote,majority_vote")
    assert summary["votes"]["concise_vote"]["total"] == 2
