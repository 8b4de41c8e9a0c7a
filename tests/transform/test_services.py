"""Services behind a transformation: asked for what is missing, and again where that helps."""

import json
import threading
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from mock_server import Body, MockServer

from inference_kit.cli import main
from inference_kit.setup.registries import Registries

NOTHING = Registries({}, {}, {}, Path())


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("OPENAI_API_KEY", "secret-key-of-mine")


def write(n: int) -> None:
    Path("d.jsonl").write_text("".join(json.dumps({"id": k, "code": f"record {k}"}) + "\n" for k in range(n)))


def transform(server: MockServer, *words: str, provider: str = "openai", code: int = 0) -> list[dict[str, Any]]:
    address = server.url if provider == "openai" else server.root
    command = ["transform", "--input", "d.jsonl", "--output", "out", "--instruction", "Tidy.", "--model", "mock"]
    assert main([*command, "--provider", provider, "--base-url", address, *words], NOTHING) == code
    path = Path("out/d.jsonl")
    return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


def said(body: Body) -> str:
    """The last message of a request, which names its record."""
    return str(body["messages"][-1]["content"]).rpartition("\n\n")[2]


@pytest.mark.parametrize("provider", ["openai", "ollama"])
def test_a_service_is_asked_once_for_each_record(provider: str) -> None:
    """XF-12, XF-13, XF-23, XF-46, XF-47."""
    write(30)
    with MockServer(latency=0.01, ollama=True) as server:
        done = transform(server, "--concurrency", "3", provider=provider)
        path = "/v1/chat/completions" if provider == "openai" else "/api/chat"
        asked = Counter(said(body) for body in server.bodies(path) if "record" in said(body))
        assert set(asked.values()) == {1} and len(asked) == 30
        assert server.most_at_once <= 3
        assert [each["original_code"] for each in done] == [f"record {k}" for k in range(30)]
        assert all(each["code"].startswith("Think about") for each in done)
        before = len(server.asked)
        transform(server, provider=provider)
        assert not [each for each in server.asked[before:] if each.path == path]
    kept = "".join(path.read_text() for path in Path().rglob("*") if path.is_file())
    assert "secret-key-of-mine" not in kept


def test_what_failed_is_kept_noted_and_tried_again_alone(capsys: pytest.CaptureFixture[str]) -> None:
    """XF-25, XF-39."""
    write(40)
    broken = {"record 3", "record 17", "record 39"}
    asked: Counter[str] = Counter()

    def fault(request: web.Request, body: Body) -> web.StreamResponse | None:
        if "messages" in body:
            asked[said(body)] += 1
            if said(body) in broken:
                return web.json_response({"error": {"message": "no"}}, status=500)
        return None

    with MockServer(fault=fault) as server:
        words = ("--retry-seconds", "0.001", "--retry", "2")
        first = transform(server, *words, code=1)
        assert {each["code"] for each in first if "original_code" not in each} == broken
        assert all(asked[each] == 3 for each in broken)
        failures = [json.loads(line) for line in Path("out/.transform/failures.jsonl").read_text().splitlines()]
        assert [each["number"] for each in failures] == [4, 18, 40]
        data = Path("out/d.jsonl").read_bytes()
        assert [json.loads(data[each["start"] : each["end"]])["code"] for each in failures] == sorted(
            broken, key=lambda each: int(each.split()[1])
        )
        asked.clear()
        broken -= {"record 3", "record 39"}
        transform(server, *words, code=1)
        assert set(asked) == {"record 3", "record 17", "record 39"}
        broken.clear()
        asked.clear()
        done = transform(server, *words)
        assert set(asked) == {"record 17"}
    assert [each["original_code"] for each in done] == [f"record {k}" for k in range(40)]
    assert not Path("out/.transform/failures.jsonl").exists()
    assert "1 transformed" in capsys.readouterr().out


def test_storms_of_faults_lose_nothing_and_pay_nothing_twice() -> None:
    """XF-25: one in five is refused as too many, one in ten fails, some connections break."""
    write(300)
    answered: Counter[str] = Counter()
    turn = threading.local()
    turn.count = 0
    count = [0]

    def fault(request: web.Request, body: Body) -> "web.StreamResponse | str | None":
        if "messages" not in body:
            return None
        count[0] += 1
        if count[0] % 5 == 0:
            return web.json_response({"error": "slow down"}, status=429, headers={"Retry-After": "0"})
        if count[0] % 11 == 0:
            return web.json_response({"error": "oops"}, status=500)
        if count[0] % 17 == 0:
            return "reset"
        answered[said(body)] += 1
        return None

    with MockServer(fault=fault) as server:
        done = transform(server, "--concurrency", "16", "--retry-seconds", "0.001", "--retry", "10")
    assert [each["original_code"] for each in done] == [f"record {k}" for k in range(300)]
    assert set(answered.values()) == {1}


def test_a_slow_record_holds_up_a_window_and_no_more() -> None:
    write(200)
    release = threading.Event()
    at_release: list[int] = []

    def fault(request: web.Request, body: Body) -> None:
        return None

    with MockServer(fault=fault) as server:
        original = server._answer

        async def answer(request: web.Request, body: Body) -> web.StreamResponse:
            import asyncio

            if "messages" in body and said(body) == "record 5":
                await asyncio.sleep(1.0)
                at_release.append(len(server.asked))
            return await original(request, body)

        server._answer = answer  # type: ignore[method-assign]
        done = transform(server, "--concurrency", "4")
    assert len(done) == 200 and [each["id"] for each in done] == [*range(200)]
    assert 10 <= at_release[0] <= 5 + 4 * 4 + 10
    release.set()


def test_an_empty_answer_is_asked_for_again_and_never_written() -> None:
    """XF-09: an empty result counts as a failure."""
    write(3)
    asked: Counter[str] = Counter()

    def reshape(found: Body) -> Body:
        found["choices"][0]["message"]["content"] = "```python\n```"
        return found

    with MockServer(reshape=reshape) as server:
        done = transform(server, "--retry", "2", code=1)
        asked.update(said(body) for body in server.bodies() if "record" in said(body))
    assert set(asked.values()) == {3}
    assert done == [{"id": k, "code": f"record {k}"} for k in range(3)]


def test_a_service_that_is_not_there_is_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    """XF-68."""
    write(3)
    with MockServer() as server:
        address = server
    transform(address, "--retry", "0", code=2)
    errors = [line for line in capsys.readouterr().err.splitlines() if line.startswith("error:")]
    assert len(errors) == 1 and "--base-url" in errors[0]
