"""The examples of docs/extending.md, each added from outside the package: one file, one registry line."""

import json
import shlex
import sys
import threading
from collections.abc import Callable
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
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
from examples.extending.text_generation import TextGeneration
from inference_kit import cli
from inference_kit.search import METHODS, Method
from inference_kit.setup.registries import Registries
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


def test_an_engine_behind_a_server(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """MAIN-35: what the server answers first is no completion, and is asked for again."""
    with ThreadingHTTPServer(("127.0.0.1", 0), _Generate) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        served = partial(TextGeneration, f"http://127.0.0.1:{server.server_port}")
        registries = Registries({"served": served}, {}, supported_dataset, ROOT)
        words = [
            "--model",
            "served",
            "--limit",
            "1",
            "--n",
            "2",
            "--retry-seconds",
            "0.01",
            "--server-concurrency",
            "1",
        ]
        assert cli.main(["run", *words, "--work-dir", str(tmp_path), "--json"], registries) == 0
        server.shutdown()
    [entry] = results_of(json.loads(capsys.readouterr().out), "majority_vote")
    assert [(each["text"], each["tokens"]) for each in entry["candidates"]] == [("\\boxed{7}", 3)] * 2


class _Generate(BaseHTTPRequestHandler):
    """Answers with a text that is none at first, then as it should."""

    asked = 0

    def do_POST(self) -> None:
        parameters = json.loads(self.rfile.read(int(self.headers["Content-Length"])))["parameters"]
        assert parameters["do_sample"] and isinstance(parameters["seed"], int)
        type(self).asked += 1
        text = 7 if self.asked == 1 else "\\boxed{7}"
        reply = {"generated_text": text, "details": {"finish_reason": "eos_token", "generated_tokens": 3}}
        content = json.dumps(reply).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


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
