"""Commands whose output nobody reads, or whose streams are closed."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

HOME = Path(__file__).resolve().parents[2]


def shell(command: str, *, cwd: Path, **environment: str) -> "subprocess.CompletedProcess[str]":
    """Run a line of bash in which `kit` is this program."""
    line = f'kit() {{ "{sys.executable}" "{HOME / "main.py"}" "$@"; }}; {command}'
    return subprocess.run(
        ["bash", "-c", line], cwd=cwd, env={**os.environ, **environment}, capture_output=True, text=True, timeout=60
    )


@pytest.fixture
def home(tmp_path: Path) -> Path:
    rows = [{"index": number, "input": f"question {number}", "answer": "3"} for number in range(5)]
    (tmp_path / "mine.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    lines = [{"id": number, "gold": "3", "response": "é" * 200} for number in range(2000)]
    (tmp_path / "many.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    return tmp_path


RUN = "kit run --model echo --dataset-path mine.jsonl --method greedy --work-dir r"


@pytest.mark.parametrize(
    "command",
    [
        f"{RUN} >&-",
        f"{RUN} 2>&-",
        f"{RUN} <&- >&- 2>&-",
        f"{RUN} >/dev/full 2>/dev/full",
        f"{RUN} 2>&1 | exec true; exit ${{PIPESTATUS[0]}}",
        f"{RUN} --json | exec true; exit ${{PIPESTATUS[0]}}",
    ],
)
def test_a_run_goes_on_where_nobody_reads_what_it_prints(home: Path, command: str) -> None:
    """Issue 12: its results are files, and none of them takes the number of a closed stream."""
    done = shell(command, cwd=home)
    assert done.returncode == 0, done.stderr
    [final] = (home / "r").glob("*/*/*-greedy.json")
    assert json.loads(final.read_text())["metrics"]["total"] == 5
    assert all(json.loads(line) for line in final.with_suffix(".jsonl").read_text().splitlines())


def test_what_prints_its_results_ends_with_a_code_that_says_that_nobody_read_them(home: Path) -> None:
    """Issue 12: 141 is what shells show for SIGPIPE; what had been printed is whole."""
    done = shell("kit grade many.jsonl | head -1; exit ${PIPESTATUS[0]}", cwd=home)
    assert done.returncode == 141
    assert json.loads(done.stdout)["id"] == 0
    assert done.stderr == ""


@pytest.mark.parametrize("words", ["list", "grade many.jsonl", "--help"])
def test_a_full_disk_behind_standard_output_is_one_line(home: Path, words: str) -> None:
    done = shell(f"kit {words} >/dev/full", cwd=home)
    assert (done.returncode, done.stderr) == (2, "error: standard output: No space left on device\n")


@pytest.mark.parametrize(("words", "code"), [("list", 0), ("list nonsense", 2), ("evaluate nowhere", 2)])
def test_closed_streams_change_no_exit_code(home: Path, words: str, code: int) -> None:
    assert shell(f"kit {words} <&- >&- 2>&-", cwd=home).returncode == code
    assert shell(f"kit {words} 2>&1 >/dev/null | exec true; exit ${{PIPESTATUS[0]}}", cwd=home).returncode == code


def test_what_a_model_wrote_is_stored_as_utf_8_whatever_the_terminal_is(home: Path) -> None:
    """Issue 12: an ASCII terminal of 20 columns, without colour."""
    (home / "mine.jsonl").write_text(json.dumps({"index": "é", "input": "四 ½", "answer": "四"}) + "\n")
    dull = {"PYTHONIOENCODING": "ascii", "LC_ALL": "C", "PYTHONUTF8": "0", "TERM": "dumb", "NO_COLOR": "1"}
    done = shell(RUN, cwd=home, **dull, COLUMNS="20")
    assert done.returncode == 0, done.stderr
    [final] = (home / "r").glob("*/*/*-greedy.json")
    assert "四 ½" in json.loads(final.read_text("utf-8"))["results"][0]["response"]


def test_an_unbuffered_program_shows_each_line_at_once(home: Path) -> None:
    """Progress lines in the log of a container: PYTHONUNBUFFERED is set in most."""
    code = (
        "import os, sys; from inference_kit.cli.streams import prepare_streams; prepare_streams(may_lose_output=True);"
        "print('out'); print('err', file=sys.stderr); os._exit(0)"
    )
    found = shell(f'PYTHONPATH="{HOME}" "{sys.executable}" -c "{code}"', cwd=home, PYTHONUNBUFFERED="1")
    assert (found.stdout, found.stderr) == ("out\n", "err\n")
