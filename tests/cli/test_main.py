"""The front door: help, names, logging, bugs."""

import json
import os
import subprocess
import sys
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest
from fakes import Likes, SeededEngine

from inference_kit import cli
from inference_kit.dataset.simpledataset import SimpleDataset
from inference_kit.reward_models.formats.implicit_prm import ImplicitPRM
from inference_kit.setup.registries import Registries

HOME = Path(__file__).resolve().parents[2]
HEAVY = ("torch", "transformers", "datasets", "sympy", "pandas", "numpy", "rich")


@pytest.fixture
def registries(tmp_path: Path) -> Registries:
    data = tmp_path / "mine.jsonl"
    data.write_text("".join(f'{{"index": {number}, "input": "q{number}", "answer": "3"}}\n' for number in range(4)))
    return Registries(
        models={"seeded": partial(SeededEngine, "home", separator="\n\n")},
        reward_models={"likes": partial(Likes, "there")},
        datasets={"mine": partial(SimpleDataset, dataset_name="mine", dataset_path=str(data))},
        home=tmp_path,
    )


def run(registries: Registries, work_dir: Path, *words: str) -> int:
    return cli.main(["run", "--model", "seeded", "--dataset", "mine", "--work-dir", str(work_dir), *words], registries)


@pytest.mark.parametrize("words", [["--help"], ["list"], ["run", "--help"], ["evaluate", "--help"], ["chat", "--help"]])
def test_help_and_list_import_nothing_heavy(words: list[str]) -> None:
    """MAIN-01: that is what makes them answer at once."""
    program = (
        "import sys, main\n"
        "try:\n    main.main(sys.argv[1:])\nexcept SystemExit:\n    pass\n"
        f"print('heavy:', sorted(set({HEAVY!r}) & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", program, *words], cwd=HOME, capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "heavy: []"
    if words == ["--help"]:
        assert all(command in done.stdout for command in cli.COMMANDS)


@pytest.mark.parametrize("encoding", ["ascii", "latin-1"])
def test_a_terminal_that_lacks_a_character_gets_it_escaped(tmp_path: Path, encoding: str) -> None:
    """Issue 12: so JSON stays JSON, and a table is printed."""
    file = tmp_path / "lines.jsonl"
    response = "\\boxed{四 und zwölf 𝔸 \ud800}"
    file.write_text(json.dumps({"id": "é四", "gold": "4", "response": response}) + "\n")
    environment = {**os.environ, "PYTHONIOENCODING": encoding}
    for words in (["grade", str(file)], ["list", "templates"]):
        command = [sys.executable, "main.py", *words]
        done = subprocess.run(command, cwd=HOME, env=environment, capture_output=True, check=True)
        shown = done.stdout.decode(encoding)
        assert "\\u" in shown
        assert words[0] == "list" or json.loads(shown)["id"] == "é四"


def test_a_name_alone_suffices_and_a_path_replaces_the_registered_one(
    registries: Registries, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """MAIN-11, MAIN-12, MAIN-13."""
    other = tmp_path / "other.jsonl"
    other.write_text('{"index": 0, "input": "q", "answer": "3"}\n')
    assert run(registries, tmp_path / "a", "--reward-model", "likes", "--explain") == 0
    assert "model_path" not in capsys.readouterr().out
    paths = ["--model-path", "elsewhere", "--dataset-path", str(other), "--reward-model-path", "else"]
    assert run(registries, tmp_path / "b", "--reward-model", "likes", *paths) == 0
    [config] = (tmp_path / "b").glob("mine/*/config.json")
    assert "seeded:elsewhere:7" in config.read_text()
    assert "1/1" in capsys.readouterr().out or "0/1" in capsys.readouterr().out


def test_results_go_where_work_dir_and_exp_name_say(registries: Registries, tmp_path: Path) -> None:
    """MAIN-14, MAIN-60: names that are unsafe in a path become safe."""
    assert run(registries, tmp_path / "deep" / "er", "--exp-name", "my/first run") == 0
    assert (tmp_path / "deep" / "er" / "mine" / "seeded+none+my_first_run").is_dir()


def test_the_log_has_each_outcome_and_the_summary_and_the_terminal_has_what_was_asked_for(
    registries: Registries, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """MAIN-04, MAIN-20."""
    monkeypatch.setenv("LOG_LEVEL", "ERROR")
    run(registries, tmp_path / "out")
    assert capsys.readouterr().err == ""
    [log] = (tmp_path / "out").glob("mine/*/run.log")
    assert log.read_text().count("problem ") == 4
    assert "majority_vote" in log.read_text()
    run(registries, tmp_path / "out", "--overwrite", "--log_level", "DEBUG")
    assert "problem 0" in capsys.readouterr().err


def test_the_separator_is_a_setting_of_the_model_and_of_the_reward_model(
    registries: Registries, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    r"""MAIN-27: with `\n` escapes on the command line."""
    run(registries, tmp_path / "out", "--separator", r"\n", "--explain")
    [line] = [line for line in capsys.readouterr().out.splitlines() if line.startswith("model.separator")]
    assert line.split() == [
        "model.separator",
        r'"\n"',
        "command",
        "line",
        r'"\n\n"',
        "(registry);",
        r'"\n\n"',
        "(default)",
    ]


def test_a_bug_is_one_line_and_a_traceback_only_with_debug(
    registries: Registries, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """MAIN-06."""

    def broken(self: object) -> str:
        raise ZeroDivisionError("oops")

    monkeypatch.setattr(SimpleDataset, "digest", broken)
    assert run(registries, tmp_path / "out") == 1
    error = capsys.readouterr().err
    assert error.startswith("bug: ZeroDivisionError: oops (")
    assert "Traceback" not in error
    with pytest.raises(ZeroDivisionError):
        run(registries, tmp_path / "out", "--debug")


def test_list_shows_the_path_of_a_reward_model_and_not_that_of_its_reference(
    registries: Registries, capsys: pytest.CaptureFixture[str]
) -> None:
    pair = replace(registries, reward_models={"pair": partial(ImplicitPRM, "some/prm", reference_path="its/reference")})
    assert cli.main(["list", "reward_models"], pair) == 0
    assert "some/prm: The score" in capsys.readouterr().out
