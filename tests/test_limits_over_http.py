"""Limits of a whole run over a server: what waits for a place is not sent once a limit is spent."""

import json
import re
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from mock_server import Body, MockServer

from inference_kit import cli
from inference_kit.dataset.simpledataset import SimpleDataset
from inference_kit.models.http.openai import OpenAI
from inference_kit.reward_models.judges.judge import Judge
from inference_kit.reward_models.served.http import HTTP
from inference_kit.setup.registries import Registries

TOKENS = 8
"""Tokens of each completion: a token costs a dollar."""
PRICE = ("--completion-price", "1000000")


def eight_words(question: str, seed: int) -> list[str]:
    return ["Think of it now.\n\n", f"So it is \\boxed{{{seed % 7}}}."]


@pytest.fixture
def server() -> Iterator[MockServer]:
    with MockServer(steps=eight_words, latency=0.02, owned_by="vllm") as started:
        yield started


def start(server: MockServer, home: Path, *words: str, n_problems: int = 60) -> int:
    """Run the command line over `server`; what it writes is in `home`."""
    rows = [json.dumps({"index": i, "input": f"question {i}", "answer": "3"}) for i in range(n_problems)]
    (home / "mine.jsonl").write_text("\n".join(rows))
    registries = Registries(
        {"served": partial(OpenAI, server.url, retry_seconds=0.01, n_per_request=1)},
        {"scored": partial(HTTP, server.url), "judged": partial(Judge, server.url)},
        {"mine": partial(SimpleDataset, dataset_name="mine", dataset_path=str(home / "mine.jsonl"))},
        home,
    )
    fixed = ("--model", "served", "--dataset", "mine", "--work-dir", str(home), "--log-level", "ERROR")
    return cli.main(["run", *fixed, *words], registries)


def read_final(home: Path) -> dict[str, Any]:
    """Read the only final file, without its times."""
    [path] = home.glob("mine/*/*-*.json")
    found: dict[str, Any] = json.loads(path.read_text())
    found["metrics"] = {name: value for name, value in found["metrics"].items() if "seconds" not in name}
    for result in found["results"]:
        del result["seconds"], result["run_seconds"]
    return {name: found[name] for name in ("metrics", "results")}


@pytest.mark.parametrize(
    ("limit", "said"),
    [
        ((*PRICE, "--max-cost", "80"), "--max-cost 80 is spent"),
        (("--max-tokens-total", "80"), "--max-tokens-total 80 is spent"),
    ],
)
def test_a_limit_is_overrun_by_no_more_than_what_was_already_sent(
    server: MockServer, tmp_path: Path, capsys: pytest.CaptureFixture[str], limit: tuple[str, ...], said: str
) -> None:
    """All 384 problems are in flight: 10 completions spend the limit while 256 requests are under way."""
    assert start(server, tmp_path, "--n", "4", *limit, n_problems=384) == 130
    assert len(server.bodies()) <= 10 + 256
    assert capsys.readouterr().err.startswith(f"Stopped, {said}, with ")


@pytest.mark.parametrize(
    "words",
    [
        ("--method", "best_of_n", "--n", "4"),
        ("--method", "beam_search", "--n", "2", "--reward-model", "scored"),
    ],
)
def test_what_was_sent_is_kept_and_a_higher_limit_goes_on_to_the_same_file(
    server: MockServer, tmp_path: Path, words: tuple[str, ...]
) -> None:
    """In the middle of a search too; a run that goes on counts what unfinished problems have cost from the first."""
    (tmp_path / "whole").mkdir()
    (tmp_path / "cut").mkdir()
    assert start(server, tmp_path / "whole", *words, n_problems=12) == 0
    whole = read_final(tmp_path / "whole")
    n_whole = len(server.bodies())

    server.asked.clear()
    tokens = str(int(whole["metrics"]["generated_tokens"] / 3))
    limited = (*words, "--server-concurrency", "4", "--max-tokens-total", tokens)
    assert start(server, tmp_path / "cut", *limited, n_problems=12) == 130
    n_sent = len(server.bodies())
    assert n_whole / 3 - 1 <= n_sent <= n_whole / 3 + 5
    assert start(server, tmp_path / "cut", *limited, n_problems=12) == 130
    assert len(server.bodies()) == n_sent
    assert start(server, tmp_path / "cut", *words, n_problems=12) == 0
    assert len(server.bodies()) == n_whole
    assert read_final(tmp_path / "cut") == whole


def test_a_request_that_was_put_off_is_not_made_again_once_the_limit_is_spent(
    server: MockServer, tmp_path: Path
) -> None:
    """A minute of Retry-After is not waited for either."""

    def fault(_: web.Request, body: Body) -> web.Response | None:
        puts_off = body and body["messages"][0]["content"] != "question 0"
        return web.Response(status=429, headers={"Retry-After": "60"}) if puts_off else None

    server.fault = fault
    began = time.monotonic()
    assert start(server, tmp_path, "--n", "2", "--max-tokens-total", "16") == 130
    assert time.monotonic() - began < 10
    assert len(server.bodies()) == 2 * 60


@pytest.mark.parametrize("hangs", [False, True])
def test_seconds_that_are_over_end_a_run_even_where_every_request_hangs(
    server: MockServer, tmp_path: Path, capsys: pytest.CaptureFixture[str], hangs: bool
) -> None:
    def fault(_: web.Request, body: Body) -> None:
        if not body:  # the questions follow the list of models
            server.latency = 60.0 if hangs else 0.1

    server.fault = fault
    began = time.monotonic()
    assert start(server, tmp_path, "--n", "64", "--server-concurrency", "8", "--max-seconds", "0.5") == 130
    assert time.monotonic() - began < 5
    assert len(server.bodies()) <= 8 * 7
    assert "Stopped, --max-seconds 0.5 is over, with " in capsys.readouterr().err


def test_a_judge_is_asked_nothing_more_once_the_limit_is_spent(server: MockServer, tmp_path: Path) -> None:
    words = ("--n", "2", "--reward-model", "judged", "--reward-n-verdicts", "3", "--max-tokens-total", "16")
    assert start(server, tmp_path, *words, "--server-concurrency", "2", n_problems=8) == 130
    questions = [body for body in server.bodies() if body["messages"][0]["content"].startswith("question")]
    assert len(questions) <= 4
    assert len(server.bodies()) == len(questions)


@pytest.mark.parametrize(
    ("fault", "said"), [("500", "HTTP 500"), ("reset", "broke"), ("half", "malformed"), ("400", "HTTP 400")]
)
def test_a_run_whose_requests_all_fail_for_one_reason_stops(
    server: MockServer, tmp_path: Path, capsys: pytest.CaptureFixture[str], fault: str, said: str
) -> None:
    """Whatever the reason; what had failed by then is tried again by the same command."""

    def fail(_: web.Request, body: Body) -> web.Response | str | None:
        if not body:
            return None
        return web.Response(status=int(fault), text="unwell") if fault.isdigit() else fault

    server.fault = fail
    words = ("--n", "4", "--max-retries", "1", "--server-concurrency", "8")
    assert start(server, tmp_path, *words, n_problems=300) == 130
    assert len(server.bodies()) < 300
    errors = capsys.readouterr().err
    assert "Stopped, 24 problems failed and nothing was answered (" in errors
    assert said in errors
    assert "--max-failures says how many may), with 0 of 300 problems done" in errors
    server.fault = None
    assert start(server, tmp_path, "--n", "4", "--limit", "40", n_problems=300) == 0


@pytest.mark.parametrize(("most", "code"), [("3", 130), ("10%", 130), ("0.5", 1), ("30", 1)])
def test_more_failed_problems_than_may_be_stop_a_run(
    server: MockServer, tmp_path: Path, capsys: pytest.CaptureFixture[str], most: str, code: int
) -> None:
    """Every fourth of 60 problems fails."""
    failing = {f"question {number}" for number in range(0, 60, 4)}

    def fail(_: web.Request, body: Body) -> web.Response | None:
        return web.Response(status=400, text="no") if body and body["messages"][0]["content"] in failing else None

    server.fault = fail
    assert start(server, tmp_path, "--n", "2", "--max-failures", most, "--server-concurrency", "2") == code
    if code == 130:
        n_failed = 4 if most == "3" else 7
        said = f"Stopped, {n_failed} problems failed, more than --max-failures allows; the last one: "
        assert said in capsys.readouterr().err


def test_a_run_in_which_something_was_answered_goes_on(server: MockServer, tmp_path: Path) -> None:
    def fail(_: web.Request, body: Body) -> web.Response | None:
        return web.Response(status=400, text="no") if body and body["messages"][0]["content"] != "question 7" else None

    server.fault = fail
    assert start(server, tmp_path, "--n", "1", n_problems=100) == 1


@pytest.mark.parametrize("method", [(), ("--method", "beam_search", "--reward-model", "scored")])
def test_prompts_that_a_content_filter_refuses_are_withheld_and_stop_nothing(
    tmp_path: Path, method: tuple[str, ...]
) -> None:
    """Also where they are the first dozens, and nothing else was answered before."""

    def refuse(_: web.Request, body: Body) -> web.Response | None:
        if not body.get("messages") or re.search(r"question 3[0-3]", body["messages"][0]["content"]):
            return None
        error = {"message": "The prompt triggered the content management policy.", "code": "content_filter"}
        return web.json_response({"error": error}, status=400)

    with MockServer(fault=refuse, owned_by="vllm") as server:
        assert start(server, tmp_path, "--concurrency", "1", "--n", "2", *method, n_problems=34) == 0
    found = read_final(tmp_path)
    assert found["metrics"]["withheld"] == 30
    assert found["metrics"]["failed"] == 0
    assert [bool(each["prediction"]) for each in found["results"]] == [False] * 30 + [True] * 4
