"""`main.py cache`: what the call log holds, and its cleaning."""

import os
from pathlib import Path

import pytest

from inference_kit.cli import main
from inference_kit.setup.registries import Registries
from inference_kit.store.call_log import CallLog, call_key

NOTHING = Registries({}, {}, {}, Path())


@pytest.fixture
def work_dir(tmp_path: Path) -> Path:
    for run, model in [("run1", "Llama:1"), ("run2", "Llama:1"), ("run1", "scores")]:
        log = CallLog(tmp_path / ".calls", run, fsync_seconds=None)
        for number in range(3):
            log.append(model, call_key(n=number), {"number": number})
        log.close()
    return tmp_path


def read_table(text: str) -> list[list[str]]:
    return [line.split() for line in text.splitlines() if line.startswith(("Llama", "scores", "all"))]


def test_info_has_a_line_for_each_model_and_run(work_dir: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["cache", "info", str(work_dir)], NOTHING) == 0
    rows = read_table(capsys.readouterr().out)
    assert [row[:2] for row in rows[:3]] == [["Llama:1", "run1"], ["Llama:1", "run2"], ["scores", "run1"]]
    assert [row[-2] for row in rows] == ["3", "3", "3", "9"]


@pytest.mark.parametrize(
    ("asked", "kept"),
    [
        (["--run", "run1"], [["Llama:1", "run2"]]),
        (["--model", "llama"], [["scores", "run1"]]),
        (["--model", "llama", "--run", "run1"], [["Llama:1", "run2"], ["scores", "run1"]]),
        (["--older", "2d"], [["Llama:1", "run2"], ["scores", "run1"]]),
        (["--older", "90m", "--dry-run"], [["Llama:1", "run1"], ["Llama:1", "run2"], ["scores", "run1"]]),
        (["--run", "another"], [["Llama:1", "run1"], ["Llama:1", "run2"], ["scores", "run1"]]),
    ],
)
def test_prune_deletes_what_fits_all_that_is_asked_for(
    work_dir: Path, capsys: pytest.CaptureFixture[str], asked: list[str], kept: list[list[str]]
) -> None:
    [old, _] = sorted(next((work_dir / ".calls").glob("Llama*")).glob("*.jsonl"))
    os.utime(old, (0, 0))
    assert main(["cache", "prune", str(work_dir), *asked], NOTHING) == 0
    capsys.readouterr()
    main(["cache", "info", str(work_dir)], NOTHING)
    assert [row[:2] for row in read_table(capsys.readouterr().out) if row[0] != "all"] == kept


def test_prune_wants_to_be_told_which(work_dir: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["cache", "prune", str(work_dir)], NOTHING) == 2
    assert "--older" in capsys.readouterr().err


def test_prune_leaves_what_a_run_is_writing(work_dir: Path, capsys: pytest.CaptureFixture[str]) -> None:
    log = CallLog(work_dir / ".calls", "run9", fsync_seconds=None)
    log.append("Llama:1", call_key(n=1), {})
    assert main(["cache", "prune", str(work_dir), "--run", "run9"], NOTHING) == 1
    assert "kept" in capsys.readouterr().out
    log.close()


@pytest.mark.parametrize("age", ["", "-1d", "soon", "3y"])
def test_an_age_that_is_none_is_refused(work_dir: Path, capsys: pytest.CaptureFixture[str], age: str) -> None:
    assert main(["cache", "prune", str(work_dir), f"--older={age}"], NOTHING) == 2
    assert "--older" in capsys.readouterr().err
