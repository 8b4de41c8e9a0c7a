"""`run` and `compare` over a file of one's own, in whichever format it is kept."""

import csv
import json
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from fakes import Likes, SeededEngine

from inference_kit import cli
from inference_kit.setup.registries import Registries

ROWS = [{"index": number, "question": f"question {number}", "label": str(number % 7)} for number in range(6)]


@pytest.fixture
def registries(tmp_path: Path) -> Registries:
    return Registries(
        models={"seeded": partial(SeededEngine)},
        reward_models={"likes": partial(Likes, favourite="3")},
        datasets={},
        home=tmp_path,
    )


def write(path: Path, rows: list[dict[str, Any]]) -> Path:
    """Write rows as the file's suffix says."""
    if path.suffix == ".jsonl":
        path.write_text("".join(json.dumps(row) + "\n" for row in rows))
        return path
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, ROWS[0], delimiter="\t" if path.suffix == ".tsv" else ",")
        writer.writeheader()
        writer.writerows(rows)
    return path


def run(registries: Registries, data: Path, *words: str) -> int:
    fields = ("--input-field", "question", "--answer-field", "label")
    command = [
        "run",
        "--model",
        "seeded",
        "--dataset-path",
        str(data),
        "--reward-model",
        "likes",
        "--n",
        "4",
        *fields,
        *words,
    ]
    return cli.main([*command, "--work-dir", str(data.parent / "out")], registries)


@pytest.mark.parametrize("method", ["best_of_n", "particle_filtering"])
@pytest.mark.parametrize("other", ["texts.csv", "tabs.tsv", "strings.jsonl"])
def test_one_data_set_gives_one_set_of_texts_in_every_format(
    registries: Registries, tmp_path: Path, capsys: pytest.CaptureFixture[str], other: str, method: str
) -> None:
    """Issue 12: 0 and "0" are one index, so also in what seeds follow from."""
    words = ["--method", method, "--vote", "majority_vote"]
    texts = [{**row, "index": str(row["index"])} for row in ROWS]
    assert run(registries, write(tmp_path / "numbers.jsonl", ROWS), *words) == 0
    assert run(registries, write(tmp_path / other, texts), *words) == 0
    a, b = sorted((tmp_path / "out").glob(f"*/*/*-{method}-majority_vote.json"))
    answers = [
        [(each["candidates"], each["correct"]) for each in json.loads(path.read_text())["results"]] for path in (a, b)
    ]
    assert answers[0] == answers[1]
    capsys.readouterr()
    assert cli.main(["compare", str(a), str(b), "--output", str(tmp_path / "cells.json")], registries) == 0
    cells = json.loads((tmp_path / "cells.json").read_text())
    assert not cells["a_right_b_wrong"]
    assert not cells["a_wrong_b_right"]
    assert cells["both_right"] + len(cells["both_wrong"]) == len(ROWS)


@pytest.mark.parametrize(
    ("flag", "name", "meant"), [("--input-field", "qestion", "question"), ("--answer-field", "lable", "label")]
)
def test_a_mistyped_field_is_refused_with_those_that_are_there(
    registries: Registries, tmp_path: Path, capsys: pytest.CaptureFixture[str], flag: str, name: str, meant: str
) -> None:
    assert run(registries, write(tmp_path / "mine.csv", ROWS), flag, name) == 2
    error = capsys.readouterr().err
    assert f"Did you mean {meant!r}" in error
    assert flag in error
    assert "label" in error
