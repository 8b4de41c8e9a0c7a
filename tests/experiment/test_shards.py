"""`--shard` and the merge by `evaluate`: the parts of a run are the run, and what is no whole is refused."""

import json
import shutil
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from fakes import FailingEngine, Likes, SeededEngine
from kill_and_resume import without_times

from inference_kit import cli
from inference_kit.dataset.simpledataset import SimpleDataset
from inference_kit.setup.registries import Registries

NAME = "mine-best_of_n"


class Healed(FailingEngine):
    """The failing engine, which fails no more."""

    def __init__(self, model_path: str = "failing") -> None:
        super().__init__(model_path)


@pytest.fixture
def registries(tmp_path: Path) -> Registries:
    path = tmp_path / "mine.jsonl"
    rows = [{"index": f"p{7 * number % 11}", "input": f"question {number}", "answer": "3"} for number in range(11)]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return Registries(
        models={"seeded": partial(SeededEngine), "failing": partial(FailingEngine, fail_on="question 3")},
        reward_models={"likes": partial(Likes, favourite="3")},
        datasets={"mine": partial(SimpleDataset, dataset_name="mine", dataset_path=str(path))},
        home=tmp_path,
    )


def run(registries: Registries, work_dir: Path, *words: str) -> int:
    base = ["run", "--model", "seeded", "--dataset", "mine", "--work-dir", str(work_dir), "--n", "4", "--log-level"]
    return cli.main([*base, "ERROR", *words], registries)


def split(registries: Registries, work_dir: Path, of: int, *words: str) -> list[Path]:
    """Run every shard, each in a work folder of its own as on machines of their own; return their folders."""
    for number in range(1, of + 1):
        assert run(registries, work_dir / str(number), "--shard", f"{number}/{of}", *words) in (0, 1)
    return sorted(work_dir.glob("*/mine/*+shard-*"))


def evaluate(registries: Registries, *paths: Path | str) -> int:
    return cli.main(["evaluate", *map(str, paths)], registries)


def final(folder: Path, vote: str = "majority_vote") -> Any:
    return json.loads((folder / f"{NAME}-{vote}.json").read_text())


@pytest.mark.parametrize("of", [1, 3, 11])
def test_merged_shards_equal_the_run_that_was_not_split(registries: Registries, tmp_path: Path, of: int) -> None:
    words = ("--reward-model", "likes", "--vote", "majority_vote,best_last", "--limit", "11")
    assert run(registries, tmp_path / "whole", *words) == 0
    folders = split(registries, tmp_path / "parts", of, *words)
    assert len(folders) == of
    assert evaluate(registries, *reversed(folders)) == 0
    merged, whole = (tmp_path / place / "mine" / "seeded+likes+default" for place in ("parts/1", "whole"))
    for vote in ("majority_vote", "best_last"):
        assert without_times(final(merged, vote)) == without_times(final(whole, vote))


def test_the_merged_run_goes_on_like_any_other(
    registries: Registries, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folders = split(registries, tmp_path, 2)
    assert evaluate(registries, *folders) == 0
    before = final(tmp_path / "1" / "mine" / "seeded+none+default")
    assert evaluate(registries, tmp_path / "1" / "mine" / "seeded+none+default") == 0
    assert evaluate(registries, tmp_path / "1", tmp_path / "2", tmp_path / "2" / "mine") == 0
    capsys.readouterr()
    assert run(registries, tmp_path / "1", "--json") == 0
    assert json.loads(capsys.readouterr().out)["this_time"]["problems"] == 0
    assert final(tmp_path / "1" / "mine" / "seeded+none+default")["results"] == before["results"]
    assert evaluate(registries, tmp_path / "1", tmp_path / "2") == 0
    assert final(tmp_path / "1" / "mine" / "seeded+none+default")["results"] == before["results"]


def test_what_the_whole_run_has_done_since_is_kept(
    registries: Registries, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A failed problem that was tried again there, and problems of a larger limit."""
    whole = tmp_path / "1" / "mine" / "failing+none+default"
    folders = split(registries, tmp_path, 2, "--model", "failing", "--limit", "5")
    assert evaluate(registries, *folders) == 1
    healed = replace(registries, models={"failing": Healed})
    assert run(healed, tmp_path / "1", "--model", "failing", "--limit", "6") == 0
    assert evaluate(registries, *folders) == 0
    assert final(whole)["metrics"]["total"] == 6
    assert run(healed, tmp_path / "2", "--model", "failing", "--limit", "5", "--shard", "2/2") == 0
    assert evaluate(registries, *folders) == 0
    (whole / f"{NAME}.jsonl").write_bytes((whole / f"{NAME}.jsonl").read_bytes().split(b"\n", 1)[1])
    assert "and is not the one that the shards make (problem 'p" in refused(registries, capsys, *folders)


def test_shards_resume_and_failed_problems_are_tried_again(
    registries: Registries, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folders = split(registries, tmp_path, 2, "--model", "failing")
    assert evaluate(registries, *folders) == 1
    capsys.readouterr()
    assert run(registries, tmp_path / "2", "--model", "failing", "--shard", "2/2", "--json") == 1
    summary = json.loads(capsys.readouterr().out)
    assert (summary["shard"], summary["this_time"]["problems"]) == ("2/2", 1)


def test_shards_on_one_disk_do_not_meet(registries: Registries, tmp_path: Path) -> None:
    for number in (1, 2, 3):
        assert run(registries, tmp_path / "out", "--shard", f"{number}/3") == 0
    assert evaluate(registries, tmp_path / "out") == 0
    assert final(tmp_path / "out" / "mine" / "seeded+none+default")["metrics"]["total"] == 11


def test_the_summary_says_how_to_merge(
    registries: Registries, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run(registries, tmp_path / "out", "--shard", "2/3")
    shown = capsys.readouterr().out
    assert "best_of_n · shard 2/3" in shown
    assert shown.rstrip().endswith("+default+shard-*-of-3")


def test_a_file_of_one_shard_is_judged_alone(registries: Registries, tmp_path: Path) -> None:
    [_, folder] = split(registries, tmp_path, 2)
    assert evaluate(registries, folder / f"{NAME}.jsonl") == 0
    assert final(folder)["metrics"]["total"] == 5


def refused(registries: Registries, capsys: pytest.CaptureFixture[str], *paths: Path | str) -> str:
    capsys.readouterr()
    assert evaluate(registries, *paths) == 2
    error = capsys.readouterr().err
    assert error.startswith("error: ")
    assert error.count("\n") == 1
    return error


def test_what_makes_no_whole_is_refused(
    registries: Registries, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folders = split(registries, tmp_path / "a", 4)
    assert "shard 2/4, 4/4 of this run is missing" in refused(registries, capsys, folders[0], folders[2])
    copy = Path(shutil.copytree(folders[1], tmp_path / "copy" / folders[1].name))
    assert "shard 2/4 is there twice" in refused(registries, capsys, *folders, copy)
    other = split(registries, tmp_path / "b", 4, "--temperature", "0.9", "--limit", "9")
    error = refused(registries, capsys, *folders[:3], other[3])
    assert "shard 4/4 has other settings than shard 1/4" in error
    assert "limit: None -> 9; temperature: 0.7 -> 0.9" in error


def test_a_shard_that_is_not_done_is_refused(
    registries: Registries, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folders = split(registries, tmp_path, 2)
    partial_file = folders[1] / f"{NAME}.jsonl"
    partial_file.write_bytes(b"".join(partial_file.read_bytes().splitlines(keepends=True)[:3]))
    assert "shard 2/2 has 3 of its 5 problems" in refused(registries, capsys, *folders)


def test_a_problem_in_two_shards_is_refused(
    registries: Registries, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folders = split(registries, tmp_path, 2)
    first, second = (folder / f"{NAME}.jsonl" for folder in folders)
    line = first.read_bytes().splitlines(keepends=True)[0]  # whichever problem was finished first
    second.write_bytes(second.read_bytes() + line)
    assert f"problem {json.loads(line)['index']!r} is in two shards" in refused(registries, capsys, *folders)


def test_a_run_that_was_not_split_is_not_overwritten(
    registries: Registries, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(registries, tmp_path / "1", "--temperature", "0.9") == 0
    error = refused(registries, capsys, *split(registries, tmp_path, 2))
    assert "a run that was not split is there already" in error
    assert "(temperature: 0.7 -> 0.9)" in error


def test_a_shard_without_its_settings_is_refused(
    registries: Registries, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folders = split(registries, tmp_path, 2)
    (folders[1] / "config.json").unlink()
    assert "1/mine/seeded+none+default+shard" not in (error := refused(registries, capsys, *folders))
    assert "the settings of this shard are missing. Copy its whole folder" in error


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--shard", "5/4"], "--shard: expected i/k with i from 1 to k, got '5/4'"),
        (["--shard", "12/12"], "--shard: shard 12/12 has no problem"),
        (["--replicas", "0"], "--replicas: replicas must be at least 1"),
        (["--distributed", "rey"], "Did you mean 'ray'"),
    ],
)
def test_bad_input_is_one_line(
    registries: Registries, tmp_path: Path, capsys: pytest.CaptureFixture[str], words: list[str], message: str
) -> None:
    assert run(registries, tmp_path / "out", *words) == 2
    error = capsys.readouterr().err
    assert message in error
    assert error.count("\n") == 1


def test_copies_make_the_same_files(registries: Registries, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    for replicas in ("1", "2"):
        assert run(registries, tmp_path / replicas, "--replicas", replicas, "--json") == 0
        json.loads(capfd.readouterr().out)
    one, two = (final(tmp_path / replicas / "mine" / "seeded+none+default") for replicas in ("1", "2"))
    assert without_times(one) == without_times(two)
