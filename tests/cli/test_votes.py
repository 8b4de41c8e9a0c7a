"""Votes that cannot be taken, known before a run or only when everything is paid for."""

import json
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest
from fakes import Likes, SeededEngine

from inference_kit import cli
from inference_kit.dataset.simpledataset import SimpleDataset
from inference_kit.records import Completion, GenerationConfig, Prompt
from inference_kit.setup.registries import Registries


class Silent(SeededEngine):
    """Gives no log-probabilities, though nothing says so before: a server that ignores the wish for them."""

    def vanilla_generate(self, prompts: Sequence[Prompt], config: GenerationConfig) -> list[list[Completion]]:
        found = super().vanilla_generate(prompts, config)
        return [[replace(each, logprob=None) for each in completions] for completions in found]


@pytest.fixture
def registries(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Registries:
    monkeypatch.setenv("LOG_LEVEL", "INFO")
    data = tmp_path / "mine.jsonl"
    data.write_text("".join(f'{{"index": {number}, "input": "q{number}", "answer": "3"}}\n' for number in range(4)))
    mine = partial(SimpleDataset, dataset_name="mine", dataset_path=str(data))
    return Registries(
        {"silent": partial(Silent, "silent"), "seeded": SeededEngine}, {"likes": Likes}, {"mine": mine}, tmp_path
    )


def run(registries: Registries, *words: str, model: str = "silent") -> int:
    """Run best_of_n with 2 candidates."""
    fixed = ["run", "--model", model, "--dataset", "mine", "--n", "2", "--work-dir", str(registries.home)]
    return cli.main([*fixed, *words], registries)


def list_votes(registries: Registries) -> set[str]:
    """Return the votes that have a final file."""
    assert registries.home
    files = registries.home.glob("mine/*/mine-best_of_n-*.json")
    return {json.loads(path.read_text())["vote"] for path in files}


def test_all_votes_are_those_that_can_be_taken(registries: Registries, capsys: pytest.CaptureFixture[str]) -> None:
    """MAIN-58, issue 12: what shows only at the end is said like what is known before."""
    assert run(registries, "--vote", "all") == 0
    assert list_votes(registries) == {"majority_vote"}
    said = capsys.readouterr()
    assert "confidence_vote, best_confidence (log-probabilities, and this engine gives none)" in said.err
    assert "best_last" in said.err
    assert "note:  confidence_vote, best_confidence had nothing to weigh" in said.out


@pytest.mark.parametrize(
    ("votes", "taken"),
    [
        ("confidence_vote", "majority_vote"),
        ("best_last,mixed_vote", "best_last"),
        ("last_vote,best_confidence", "last_vote"),
    ],
)
def test_a_vote_that_turns_out_impossible_costs_no_files(registries: Registries, votes: str, taken: str) -> None:
    """Issue 12: the others are taken, or else the majority's; the exit code says that not all were."""
    assert run(registries, "--vote", votes, "--reward-model", "likes") == 1
    assert list_votes(registries) == {taken}


@pytest.mark.parametrize(("votes", "said"), [("best_last", "step scores"), ("", "no vote is named"), (",", "no vote")])
def test_a_vote_known_to_be_impossible_is_refused_before_anything_is_asked(
    registries: Registries, capsys: pytest.CaptureFixture[str], votes: str, said: str
) -> None:
    assert run(registries, f"--vote={votes}") == 2
    assert said in capsys.readouterr().err
    assert not list_votes(registries)


@pytest.mark.parametrize("value", ["[all]", "all", "all, majority_vote", "[majority_vote, all]"])
def test_all_may_stand_in_any_list(registries: Registries, tmp_path: Path, value: str) -> None:
    (tmp_path / "c.yaml").write_text(f"vote: {value}\n")
    assert run(registries, "--config", str(tmp_path / "c.yaml"), model="seeded") == 0
    assert {"majority_vote", "confidence_vote", "best_confidence"} == list_votes(registries)


def test_runs_are_judged_again_by_what_each_allows(
    registries: Registries, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Issue 12: `evaluate` of two runs, one of which has log-probabilities."""
    assert run(registries) == 0
    assert run(registries, model="seeded") == 0
    assert cli.main(["evaluate", str(tmp_path / "mine"), "--vote", "all"], registries) == 0
    assert "not taken" in capsys.readouterr().err
    assert cli.main(["evaluate", str(tmp_path / "mine"), "--vote", "best_confidence"], registries) == 1
    assert "nothing that best_confidence would weigh" in capsys.readouterr().err
    assert cli.main(["evaluate", str(tmp_path / "mine"), "--vote", "best_min"], registries) == 2
    assert cli.main(["evaluate", str(tmp_path / "mine"), "--vote", "best_mni"], registries) == 2
    assert "Did you mean" in capsys.readouterr().err
