"""How a run ends that is told to: by Ctrl-C or SIGTERM, with threads that nothing can stop."""

import json
import os
import signal
import subprocess
import sys
import textwrap
from functools import partial
from pathlib import Path

import pytest
from fakes import SeededEngine

from inference_kit import cli
from inference_kit.dataset.simpledataset import SimpleDataset
from inference_kit.setup.registries import Registries

HOME = Path(__file__).resolve().parents[2]
NEVER_DONE = """
    import sys, threading
    from functools import partial
    from pathlib import Path
    from fakes import SeededEngine
    from inference_kit import cli
    from inference_kit.cli.shutdown import leave
    from inference_kit.setup.registries import Registries
    from inference_kit.dataset.simpledataset import SimpleDataset

    class NeverDone(SeededEngine):
        def vanilla_generate(self, prompts, config):
            if "question 1" in prompts[0].messages[-1].content:
                print("at work", flush=True)
                threading.Event().wait()
            return super().vanilla_generate(prompts, config)

    home = Path(sys.argv[1])
    data = {"mine": partial(SimpleDataset, dataset_name="mine", dataset_path=str(home / "mine.jsonl"))}
    words = ["run", "--model", "never", "--dataset", "mine", "--n", "2", "--concurrency", "1", "--work-dir", str(home)]
    leave(cli.main([*words, *sys.argv[2:]], Registries({"never": NeverDone}, {}, data, home)))
"""


@pytest.fixture
def home(tmp_path: Path) -> Path:
    rows = [{"index": number, "input": f"question {number}", "answer": "3"} for number in range(3)]
    (tmp_path / "mine.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    return tmp_path


def start(home: Path, *words: str, ignored: bool = False) -> "subprocess.Popen[str]":
    """Start a run whose second problem never ends, with SIGINT ignored or not."""
    before = signal.signal(signal.SIGINT, signal.SIG_IGN if ignored else signal.SIG_DFL)
    try:
        return subprocess.Popen(
            [sys.executable, "-c", textwrap.dedent(NEVER_DONE), str(home), *words],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env={**os.environ, "PYTHONPATH": os.pathsep.join([str(HOME), str(HOME / "tests")])},
        )
    finally:
        signal.signal(signal.SIGINT, before)


@pytest.mark.parametrize(("end", "ignored"), [("SIGINT", False), ("SIGTERM", False), ("SIGTERM", True)])
def test_a_run_that_is_told_to_end_waits_for_no_thread(home: Path, end: str, ignored: bool) -> None:
    """BEY-14: whatever its engine does; shells start what goes to the background with SIGINT ignored."""
    process = start(home, ignored=ignored)
    assert process.stdout
    assert process.stdout.readline() == "at work\n"
    process.send_signal(signal.Signals[end])
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 130
    last = errors.splitlines()[-1]
    assert last.startswith("Interrupted with 1 of 3 problems done; all of them are in ")
    assert last.endswith("mine-best_of_n.jsonl. The same command goes on from there.")


def test_a_run_out_of_time_waits_for_no_thread(home: Path) -> None:
    process = start(home, "--max-seconds", "0.5")
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "Stopped, --max-seconds 0.5 is over, with " in errors


def interrupt(*_: object, **__: object) -> None:
    raise KeyboardInterrupt


@pytest.mark.parametrize(
    ("place", "said"),
    [
        ("inference_kit.experiment.run.write_finals", "Interrupted with 3 of 3 problems done"),
        ("inference_kit.cli.words.choose_parts", "Interrupted. Nothing is lost: the same command goes on.\n"),
    ],
)
def test_ctrl_c_says_how_to_go_on_wherever_it_comes(
    home: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], place: str, said: str
) -> None:
    data = {"mine": partial(SimpleDataset, dataset_name="mine", dataset_path=str(home / "mine.jsonl"))}
    monkeypatch.setattr(place, interrupt)
    words = ["run", "--model", "seeded", "--dataset", "mine", "--work-dir", str(home), "--log-level", "ERROR"]
    assert cli.main(words, Registries({"seeded": SeededEngine}, {}, data, home)) == 130
    assert capsys.readouterr().err.startswith(said)


def test_sigterm_interrupts_a_command_wherever_it_is() -> None:
    """Issue 12: exit 130, as for Ctrl-C, where no loop is running."""
    command = [sys.executable, "main.py", "grade", "-"]
    process = subprocess.Popen(command, cwd=HOME, stdin=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert process.stdin
    assert process.stderr
    # More than a pipe holds, so that it is read when this returns; the command then waits for the rest.
    process.stdin.write('{"id": 0, "gold": "1", "response": "1"}\n' * 10_000)
    process.stdin.flush()
    process.terminate()
    assert process.wait(timeout=30) == 130
    assert process.stderr.read() == "Interrupted. Nothing is lost: the same command goes on.\n"


@pytest.mark.parametrize("place", ["inference_kit.experiment.run.write_finals", "inference_kit.cli.words.choose_parts"])
def test_sigterm_says_how_to_go_on_wherever_it_comes(
    home: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], place: str
) -> None:
    """Issue 12: in set-up, and while votes are taken after the loop has ended."""
    data = {"mine": partial(SimpleDataset, dataset_name="mine", dataset_path=str(home / "mine.jsonl"))}
    monkeypatch.setattr(place, lambda *_, **__: os.kill(os.getpid(), signal.SIGTERM))
    words = ["run", "--model", "seeded", "--dataset", "mine", "--work-dir", str(home), "--log-level", "ERROR"]
    assert cli.main(words, Registries({"seeded": SeededEngine}, {}, data, home)) == 130
    assert capsys.readouterr().err.startswith("Interrupted")
