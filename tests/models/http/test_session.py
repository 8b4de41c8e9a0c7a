"""Retries, limits and error texts, against a server that stumbles."""

import asyncio
from collections.abc import Callable, Coroutine
from itertools import pairwise
from typing import Any

import pytest
from aiohttp import web
from mock_server import Body, Fault, MockServer

from inference_kit.errors import EngineError, UserError
from inference_kit.models.http.openai import OpenAI
from inference_kit.models.http.refusals import Refused, Unreachable
from inference_kit.models.http.session import HttpSession, ServerSettings
from inference_kit.models.http.untrusted_json import Malformed, parse_json
from inference_kit.registry import read_settings

QUICK = ServerSettings(request_seconds=5.0, max_retries=4, retry_seconds=0.001)


def first_times(n: int, spoil: Callable[[], web.StreamResponse | str]) -> Fault:
    """A fault at the first `n` requests."""
    left = [n]

    def fault(_: web.Request, __: Body) -> web.StreamResponse | str | None:
        left[0] -= 1
        return spoil() if left[0] >= 0 else None

    return fault


class Decoder:
    """Takes each line for JSON."""

    def read(self, line: str) -> list[Any]:
        return [parse_json(line)]

    def end(self) -> list[Any]:
        return []


def run(work: Callable[[HttpSession], Coroutine[Any, Any, Any]], url: str, settings: ServerSettings = QUICK) -> Any:
    async def with_session() -> Any:
        session = HttpSession(url, server=settings, key_env="TEST_KEY")
        try:
            return await work(session)
        finally:
            await session.close()

    return asyncio.run(with_session())


def models(session: HttpSession) -> Coroutine[Any, Any, Any]:
    return session.get("/models", lambda data: data["data"])


@pytest.mark.parametrize(
    "spoil",
    [
        lambda: web.Response(status=500),
        lambda: web.Response(status=503),
        lambda: web.Response(status=429),
        lambda: "reset",
        lambda: "cut",
        lambda: "half",
        lambda: web.Response(text="<b>busy</b>", content_type="text/html"),
    ],
    ids=["500", "503", "429", "reset", "cut off", "half of the JSON", "HTML"],
)
def test_what_may_pass_is_asked_again(spoil: Callable[[], web.StreamResponse | str]) -> None:
    with MockServer(fault=first_times(3, spoil)) as server:
        assert run(models, server.url)[0]["id"] == "mock"
    assert len(server.asked) == 4


@pytest.mark.parametrize("status", [400, 404, 422])
def test_what_cannot_pass_is_asked_once(status: int) -> None:
    said = web.json_response({"error": {"message": "no such thing"}}, status=status)
    with (
        MockServer(fault=lambda *_: said) as server,
        pytest.raises(Refused, match=f"HTTP {status}: no such thing"),
    ):
        run(models, server.url)
    assert len(server.asked) == 1


def test_a_wrong_key_stops_at_once_and_is_not_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    """DEC-33."""
    monkeypatch.setenv("TEST_KEY", "sk-secret")
    said = web.json_response({"error": "key sk-secret is wrong"}, status=401)
    with MockServer(fault=lambda *_: said) as server, pytest.raises(UserError, match=r"401.*\$TEST_KEY") as refused:
        run(models, server.url)
    assert len(server.asked) == 1
    assert not isinstance(refused.value, EngineError)
    assert "sk-secret" not in str(refused.value)


@pytest.mark.parametrize("kept", [9, 400])
def test_a_key_that_comes_back_in_an_answer_is_not_shown(kept: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also where the text was cut in the middle of it."""
    monkeypatch.setenv("TEST_KEY", "sk-" + "secret" * 20)
    page = f"<dear>you sent{' ' * 40}{'sk-' + 'secret' * 20}"[: 54 + kept]

    async def ask(session: HttpSession) -> None:
        with pytest.raises(EngineError) as failed:
            await models(session)
        assert "sk-s" not in str(failed.value)
        assert "***" in str(failed.value)
        with pytest.raises(EngineError) as failed:
            async for _ in session.stream_lines("/models", {}, Decoder):
                pass
        assert "sk-s" not in str(failed.value)

    with MockServer(fault=lambda *_: web.Response(text=page)) as server:
        run(ask, server.url)


def test_a_key_that_is_no_secret_leaves_messages_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TEST_KEY", "0")
    said = web.json_response({"error": {"message": "its context length is 1000"}}, status=400)
    with MockServer(fault=lambda *_: said) as server, pytest.raises(Refused, match="length is 1000"):
        run(models, server.url)


def test_tries_are_limited_and_told() -> None:
    with (
        MockServer(fault=lambda *_: web.Response(status=500, text="boom")) as server,
        pytest.raises(EngineError, match=r"HTTP 500: boom; tried 5 times in"),
    ):
        run(models, server.url)
    assert len(server.asked) == 5


@pytest.mark.parametrize("name", ["Retry-After", "retry-after-ms"])
def test_nothing_is_asked_earlier_than_the_server_wants(name: str) -> None:
    """DEC-33."""
    seconds = {"Retry-After": "0.2", "retry-after-ms": "200"}[name]
    busy = first_times(2, lambda: web.Response(status=429, headers={name: seconds}))
    with MockServer(fault=busy) as server:
        run(models, server.url)
    times = [each.at for each in server.asked]
    assert all(later - earlier >= 0.2 for earlier, later in pairwise(times))


def test_throttling_does_not_use_up_the_tries() -> None:
    with MockServer(fault=first_times(12, lambda: web.Response(status=429))) as server:
        assert run(models, server.url, ServerSettings(max_retries=1, retry_seconds=0.0001))
    assert len(server.asked) == 13


def test_a_server_that_asks_for_an_hour_is_left_alone() -> None:
    busy = web.Response(status=429, headers={"Retry-After": "3600"})
    with MockServer(fault=lambda *_: busy) as server, pytest.raises(UserError, match="asks to wait 3600 seconds"):
        run(models, server.url)


def test_an_account_without_money_is_not_asked_again() -> None:
    said = web.json_response({"error": {"message": "quota", "code": "insufficient_quota"}}, status=429)
    with MockServer(fault=lambda *_: said) as server, pytest.raises(UserError, match="Top the account up"):
        run(models, server.url)
    assert len(server.asked) == 1


def test_a_server_that_never_answers_is_given_up() -> None:
    settings = ServerSettings(request_seconds=0.1, max_retries=4, retry_seconds=0.001)
    with (
        MockServer(latency=30.0) as server,
        pytest.raises(EngineError, match=r"no answer within 0\.1 seconds; tried 2 times"),
    ):
        run(models, server.url, settings)


def test_an_endless_answer_is_read_up_to_a_limit() -> None:
    async def ask(session: HttpSession) -> Any:
        return await session.post("/models", {}, lambda data: data, most_bytes=1 << 16)

    with (
        MockServer(fault=lambda *_: web.Response(body=b"[" * (1 << 20))) as server,
        pytest.raises(EngineError, match="longer than 65536 bytes"),
    ):
        run(ask, server.url)


def test_deep_json_is_malformed_and_harms_nobody() -> None:
    with (
        MockServer(fault=lambda *_: web.Response(body=b"[" * 200_000)) as server,
        pytest.raises(EngineError, match="malformed"),
    ):
        run(models, server.url)


def test_an_answer_that_is_not_what_the_protocol_says_is_asked_for_again() -> None:
    seen: list[int] = []

    def read(data: Any) -> Any:
        seen.append(1)
        if len(seen) < 3:
            raise Malformed("no choices")
        return data

    with MockServer() as server:
        run(lambda session: session.get("/models", read), server.url)
    assert len(server.asked) == 3


def test_once_a_server_is_gone_the_others_do_not_wait_for_it() -> None:
    async def twice(session: HttpSession) -> list[str]:
        said = []
        for _ in range(2):
            with pytest.raises(Unreachable) as gone:
                await models(session)
            said.append(str(gone.value))
        return said

    first, second = run(twice, "http://127.0.0.1:9/v1")
    assert "tried 5 times" in first
    assert "tried once" in second


def test_a_server_that_redirects_is_not_followed() -> None:
    there = web.Response(status=307, headers={"Location": "http://example.org/"})
    with MockServer(fault=lambda *_: there) as server, pytest.raises(UserError, match="HTTP 307"):
        run(models, server.url)


PAGE = "\n<!DOCTYPE html>\n<html><head><title>Sign in</title></head><body>Who are you?</body></html>"


def test_a_web_page_in_the_place_of_the_first_answer_is_no_server_of_this_protocol() -> None:
    with MockServer(fault=lambda *_: web.Response(text=PAGE, content_type="text/html")) as server:
        with pytest.raises(UserError, match="a web page came") as told:
            run(models, server.url)
        assert len(server.asked) == 1
    assert not isinstance(told.value, EngineError)


def test_a_web_page_after_an_answer_may_pass() -> None:
    n_asked = [0]

    def fault(*_: object) -> web.Response | None:
        n_asked[0] += 1
        return web.Response(text=PAGE, content_type="text/html") if n_asked[0] == 2 else None

    async def twice(session: HttpSession) -> Any:
        await models(session)
        return await models(session)

    with MockServer(fault=fault) as server:
        assert run(twice, server.url)[0]["id"] == "mock"


@pytest.mark.parametrize("status", [301, 307, 308])
def test_a_redirect_to_the_same_place_with_a_slash_is_followed_with_what_was_posted(status: int) -> None:
    def slash(request: web.Request, body: Body) -> web.Response:
        if not request.path.endswith("/"):
            return web.Response(status=status, headers={"Location": f"{request.path}/?{request.query_string}"})
        return web.json_response({"got": body, "query": request.query_string, "by": request.method})

    async def post(session: HttpSession) -> Any:
        await session.post("/echo", {"n": 1}, lambda data: data)
        return await session.post("/echo", {"n": 2}, lambda data: data)

    async def ask(session: HttpSession) -> Any:
        session = HttpSession(session.base_url, server=ServerSettings(max_retries=0, retry_seconds=0.001), query="v=3")
        try:
            return await post(session)
        finally:
            await session.close()

    with MockServer(fault=slash) as server:
        assert run(ask, server.url) == {"got": {"n": 2}, "query": "v=3", "by": "POST"}
    assert len(server.asked) == 3


def test_a_redirect_to_a_login_is_no_address_to_give() -> None:
    there = web.Response(status=302, headers={"Location": "/oauth2/sign_in?rd=%2Fv1"})
    with MockServer(fault=lambda *_: there) as server, pytest.raises(UserError, match="wants a login first") as told:
        run(models, server.url)
    assert "Give --model-path" not in str(told.value)


def test_a_redirect_in_a_circle_is_not_followed_for_ever() -> None:
    def turn(request: web.Request, _: Body) -> web.Response:
        path = request.path
        return web.Response(status=308, headers={"Location": path.rstrip("/") if path.endswith("/") else path + "/"})

    with MockServer(fault=turn) as server, pytest.raises(UserError, match="to where it came from"):
        run(models, server.url)
    assert len(server.asked) == 2


def test_a_key_in_a_header_is_named_as_such() -> None:
    async def ask(session: HttpSession) -> Any:
        other = HttpSession(session.base_url, key_env="TEST_KEY", headers={"X-Api-Key": "abc-secret-1"})
        try:
            return await models(other)
        finally:
            await other.close()

    said = web.json_response({"error": "wrong"}, status=401)
    with MockServer(fault=lambda *_: said) as server, pytest.raises(UserError, match="X-Api-Key") as told:
        run(ask, server.url)
    assert "is empty" not in str(told.value)
    assert "--header" in str(told.value)


def test_terminal_codes_of_a_server_are_not_printed() -> None:
    said = web.Response(status=400, text="\x1b[31mred\x07\n" + "x" * 5000)
    with MockServer(fault=lambda *_: said) as server, pytest.raises(Refused) as refused:
        run(models, server.url)
    assert str(refused.value).isprintable()
    assert len(str(refused.value)) < 500


def test_connections_are_kept_and_bounded_by_the_rate_limit() -> None:
    async def many(session: HttpSession) -> None:
        await asyncio.gather(*(models(session) for _ in range(200)))

    async def paced() -> None:
        session = HttpSession(server.url, server=ServerSettings(server_concurrency=8))
        await many(session)
        await session.close()

    with MockServer(latency=0.002) as server:
        asyncio.run(paced())
    assert len(server.asked) == 200
    assert server.most_at_once == 8


@pytest.mark.parametrize("wrong", [{"request_seconds": 0.0}, {"max_retries": -1}, {"retry_seconds": -0.1}])
def test_settings_that_cannot_be_are_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(UserError, match=r"too small: it must be (above|at least) 0"):
        ServerSettings(**wrong)
    with pytest.raises(UserError, match="server_concurrency"):
        ServerSettings(server_concurrency=0)


def test_a_setting_out_of_range_says_the_range_where_it_is_given() -> None:
    with pytest.raises(UserError, match="request_seconds must be above 0, got 0"):
        read_settings(OpenAI)["request_seconds"].check(0.0)
    read_settings(OpenAI)["retry_seconds"].check(0.0)


def test_an_error_in_the_place_of_an_answer_is_told_in_its_own_words() -> None:
    """A gateway answers 200 and hands on what went wrong behind it."""

    def gateway(code: int) -> Fault:
        return lambda *_: web.json_response({"error": {"message": "Provider returned error", "code": code}})

    with (
        MockServer(fault=gateway(502)) as server,
        pytest.raises(EngineError, match=r"Provider returned.*tried 5 times"),
    ):
        run(models, server.url)
    with MockServer(fault=gateway(402)) as server, pytest.raises(UserError, match="402: Provider returned error"):
        run(models, server.url)
    assert len(server.asked) == 1


@pytest.mark.parametrize(
    ("status", "said"),
    [
        (401, "no such key"),
        (402, "Insufficient credits. Add more."),
        (403, "Your key has no access to this model."),
        (429, "You exceeded your current quota, please check your plan and billing details."),
        (429, "Requests per day: limit 50, used 50."),
        (429, "Come back tomorrow."),
        (429, "Daily limit reached, retry in 30s"),
    ],
)
def test_what_meets_every_request_ends_the_run(status: int, said: str) -> None:
    refusal = web.json_response({"error": {"message": said}}, status=status)
    with MockServer(fault=lambda *_: refusal) as server, pytest.raises(UserError, match=said[:12]) as refused:
        run(models, server.url)
    assert not isinstance(refused.value, EngineError)
    assert len(server.asked) == 1


def test_a_ban_of_one_prompt_is_not_one_of_the_key() -> None:
    said = web.json_response({"error": {"message": "Your input was flagged by moderation"}}, status=403)
    with MockServer(fault=lambda *_: said) as server, pytest.raises(Refused, match="flagged"):
        run(models, server.url)


@pytest.mark.parametrize("said", ["Quota of requests per minute reached.", "Quota exceeded. Please retry in 5ms."])
def test_a_quota_that_passes_soon_is_waited_for(said: str) -> None:
    with MockServer(fault=first_times(2, lambda: web.json_response({"error": said}, status=429))) as server:
        assert run(models, server.url)[0]["id"] == "mock"


@pytest.mark.parametrize("location", ["https://elsewhere.test/v2/models", "/v2/models"])
def test_a_redirect_names_the_address_to_give(location: str) -> None:
    there = web.Response(status=308, headers={"Location": location})
    with (
        MockServer(fault=lambda *_: there) as server,
        pytest.raises(UserError, match=r"308.*Give --model-path") as told,
    ):
        run(models, server.url)
    assert str(told.value).endswith(f"{'https://elsewhere.test' if ':' in location else server.root}/v2.")


def test_an_answer_in_latin_1_is_read() -> None:
    body = '{"data": ["caf\xe9"]}'.encode("latin-1")
    with MockServer(fault=lambda *_: web.Response(body=body, content_type="application/json")) as server:
        assert run(models, server.url) == ["caf\xe9"]
