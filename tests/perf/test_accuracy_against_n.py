"""The table and the plot of the README, from the files of a short run with scripted models."""

import sys
from functools import partial
from pathlib import Path

import pytest
from fakes import Likes, SeededEngine

from data_config import supported_dataset
from inference_kit import cli
from inference_kit.setup.registries import Registries
from perf import accuracy_against_n

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The files of greedy and of best-of-4 on eight problems."""
    work_dir = tmp_path_factory.mktemp("run")
    registries = Registries({"toy": partial(SeededEngine)}, {"likes": partial(Likes)}, supported_dataset, ROOT)
    for words in (["--method", "greedy"], ["--n", "4"]):
        chosen = ["--model", "toy", "--reward-model", "likes", "--limit", "8", "--work-dir", str(work_dir)]
        assert cli.main(["run", *chosen, *words], registries) == 0
    return work_dir / "abacus" / "toy+likes+default"


def call(monkeypatch: pytest.MonkeyPatch, *words: str | Path) -> None:
    monkeypatch.setattr(sys, "argv", ["accuracy_against_n.py", *map(str, words)])
    accuracy_against_n.main()


def test_the_last_point_is_the_accuracy_of_the_whole_run(folder: Path) -> None:
    """BEY-03: with k = n there is one subset, and every way to an answer gives what the final files say."""
    curves = accuracy_against_n.read_curves(folder)
    whole = accuracy_against_n.read_final(folder / "abacus-best_of_n-best_last.json")[0]["metrics"]
    assert curves.ks == (1, 2, 4)
    assert curves.points["best_last"][-1].accuracy == pytest.approx(whole["accuracy"])
    assert curves.points["pass"][-1].accuracy == pytest.approx(whole["pass_at"]["4"])
    assert len({points[0].accuracy for points in curves.points.values()}) == 1


def test_the_readme_gets_table_command_and_plot(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    readme, plot = tmp_path / "README.md", tmp_path / "plot.svg"
    readme.write_text("before\n<!-- results -->\nold\n<!-- /results -->\nafter\n", encoding="utf-8")
    call(monkeypatch, folder, "--plot", plot, "--readme", readme)
    printed, first = capsys.readouterr().out, plot.read_bytes()
    text = readme.read_text(encoding="utf-8")
    assert text.startswith("before\n<!-- results -->\n| candidates |") and text.endswith("<!-- /results -->\nafter\n")
    assert printed in text and "old" not in text and f"({plot})" in text and str(folder) not in text
    call(monkeypatch, folder, "--plot", plot, "--readme", readme)
    assert plot.read_bytes() == first and readme.read_text(encoding="utf-8") == text


def test_a_folder_without_such_a_run_is_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(SystemExit, match="no final file of best_of_n"):
        call(monkeypatch, tmp_path)
