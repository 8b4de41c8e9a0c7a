"""Whole runs over servers that are not vLLM: the answers of a willing server, and what is left out said once."""

import json
import re
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from mock_server import MockServer
from strict_servers import KINDS, Kind

from inference_kit import cli
from inference_kit.dataset.simpledataset import SimpleDataset
from inference_kit.models.http.openai import OpenAI
from inference_kit.reward_models.served.http import HTTP
from inference_kit.setup.registries import Registries

METHODS = {
    "greedy": ("greedy", []),
    "best_of_n": ("best_of_n", ["--n", "4", "--vote", "majority_vote"]),
    "beam_search": ("beam_search", ["--n", "2", "--beam-width", "2", "--reward-model", "http", "--vote", "best_last"]),
}
SAMPLED = ["--temperature", "0.6", "--top-p", "0.9"]
KEY = "the-key-of-azure"


@pytest.fixture
def registries(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Registries:
    monkeypatch.setenv("AZURE_KEY", KEY)
    path = tmp_path / "mine.jsonl"
    rows = [{"index": number, "input": f"What is {number} + 1?", "answer": str(number % 7)} for number in range(6)]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return Registries(
        models={"openai": OpenAI},
        reward_models={"http": HTTP},
        datasets={"mine": partial(SimpleDataset, dataset_name="mine", dataset_path=str(path))},
        home=tmp_path,
    )


def run(registries: Registries, server: MockServer, folder: Path, method: str, *words: str, query: str = "") -> Any:
    """Run the whole command, and return its final file but for the server's name and times."""
    name, own = METHODS[method]
    sampled = SAMPLED if name != "greedy" else []
    given = ["--model", "openai", "--model-path", f"{server.url}{query}", "--dataset", "mine", "--method", name]
    if name == "beam_search":
        own = [*own, "--reward-model-path", f"{server.root}/v1"]
    given += ["--work-dir", str(folder), "--stop", "END", *sampled, *own, *words]
    assert cli.main(["run", *given], registries) == 0
    [path] = folder.glob(f"mine/*/mine-{name}*.json")
    return keep_answers(json.loads(path.read_text(encoding="utf-8")))


def keep_answers(value: Any, without: tuple[str, ...] = ("config",)) -> Any:
    """Leave out what names the server, and how long things took."""
    if isinstance(value, dict):
        return {
            name: keep_answers(each, without)
            for name, each in value.items()
            if name not in without and "seconds" not in name
        }
    return [keep_answers(each, without) for each in value] if isinstance(value, list) else value


COUNTS = ("generated_tokens", "tokens", "config")


@pytest.mark.parametrize(
    ("name", "method"),
    [
        *((name, method) for name in KINDS for method in ("greedy", "best_of_n")),
        *((name, "beam_search") for name in ("old vllm", "tgi")),
    ],
)
def test_a_strict_server_gives_the_answers_of_a_willing_one(
    name: str, method: str, registries: Registries, tmp_path: Path
) -> None:
    """MAIN-85, PEERS 3: settings that a server refuses change nothing else."""
    kind = KINDS[name]
    with kind.serve_willingly() as willing, kind.serve() as strict:
        length = ("--max-new-tokens", str(kind.max_new_tokens))
        wanted = run(registries, willing, tmp_path / "willing", method, *length)
        found = run(registries, strict, tmp_path / "strict", method, *length, *kind.words, query=kind.query)
    if "stop" in kind.left_out:  # the text is cut here, and the server counts what it wrote behind the cut
        wanted, found = keep_answers(wanted, COUNTS), keep_answers(found, COUNTS)
    assert found == wanted
    assert found["metrics"]["failed"] == 0
    assert_said_once(kind, tmp_path / "strict", method)
    assert KEY not in "".join(path.read_text() for path in tmp_path.rglob("*") if path.is_file())


def assert_said_once(kind: Kind, folder: Path, method: str) -> None:
    """Each setting that was sent and refused is one line of the log, and no other is left out."""
    [log] = folder.rglob("run.log")
    lines = [line for line in log.read_text().splitlines() if "left out" in line or "no log-prob" in line]
    sampled = {"temperature", "top_p"} if method != "greedy" else {"temperature"}
    expected = {each for each in kind.left_out if each not in {"temperature", "top_p"} or each in sampled}
    said = [found for line in lines for found in re.findall(r"does not take (\w+)|no (log-probabilities)", line)]
    assert sorted("".join(each) for each in said) == sorted(expected)


def test_the_world_of_these_servers_cuts_some_replies_and_not_others(registries: Registries, tmp_path: Path) -> None:
    with KINDS["mistral"].serve_willingly() as server:
        final = run(registries, server, tmp_path / "willing", "best_of_n", "--max-new-tokens", "30")
    reasons = {each["finish_reason"] for result in final["results"] for each in result["candidates"]}
    assert reasons == {"stop", "length"}
    assert final["metrics"]["cut_off"] > 0


def test_a_key_typed_into_a_header_is_in_no_file_and_on_no_terminal(
    registries: Registries, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ("--header", f"Authorization: Bearer {KEY}", "--header", "X-Tenant: mine", "--log-level", "DEBUG")
    with KINDS["mistral"].serve_willingly() as server:
        run(registries, server, tmp_path / "out", "greedy", *words)
        run(registries, server, tmp_path / "out", "greedy", *words, "--explain")
        assert {each.headers["Authorization"] for each in server.asked} == {f"Bearer {KEY}"}
    written = "".join(path.read_text() for path in (tmp_path / "out").rglob("*") if path.is_file())
    assert "X-Tenant: mine" in written
    assert KEY not in written + "".join(capsys.readouterr())
