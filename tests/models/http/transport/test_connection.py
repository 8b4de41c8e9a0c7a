"""Proxies of the environment, and what is said of a secure connection that fails."""

import asyncio
import os
from pathlib import Path

import pytest
from aiohttp import web
from mock_server import Body, MockServer

from inference_kit.errors import EngineError, UserError
from inference_kit.models.http.refusals import Unreachable
from inference_kit.models.http.session import HttpSession, ServerSettings
from inference_kit.models.http.transport.connection import (
    Proxy,
    explain_proxy,
    explain_tls,
    find_moved_path,
    find_proxy,
)

ELSEWHERE = "http://models.internal.test/v1"


@pytest.fixture(autouse=True)
def no_proxies(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.lower().endswith("_proxy")]:
        monkeypatch.delenv(name)


def test_a_proxy_of_the_environment_is_found_by_scheme(monkeypatch: pytest.MonkeyPatch) -> None:
    assert find_proxy(ELSEWHERE) is None
    monkeypatch.setenv("http_proxy", "http://me:p%40ss@proxy:3128")
    assert find_proxy(ELSEWHERE) == Proxy("http://proxy:3128", "me", "p@ss")
    assert "p@ss" not in repr(find_proxy(ELSEWHERE))
    assert find_proxy(ELSEWHERE.replace("http", "https")) is None
    monkeypatch.setenv("all_proxy", "proxy:80")
    assert find_proxy(ELSEWHERE.replace("http", "https")) == Proxy("http://proxy:80")


@pytest.mark.parametrize(
    ("named", "url", "direct"),
    [
        ("near.test:8000", "http://near.test:8000/v1", True),
        ("near.test:8000", "http://near.test:9000/v1", False),
        (".test", "http://models.near.test/v1", True),
        ("10.0.0.0/8, 192.168.1.7/24", "http://10.20.30.40:8000/v1", True),
        ("10.0.0.0/8,192.168.1.7/24", "http://192.168.1.200/v1", True),
        ("10.0.0.0/8,what/ever", "http://11.0.0.1/v1", False),
        ("fd00::/8", "http://[fd00::1]:8000/v1", True),
        ("*", "http://models.internal.test/v1", True),
    ],
)
def test_no_proxy_names_hosts_ports_and_networks(
    named: str, url: str, direct: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("http_proxy", "http://proxy:3128")
    monkeypatch.setenv("NO_PROXY", named)
    assert (find_proxy(url) is None) == direct


@pytest.mark.parametrize(
    ("scheme", "status", "said"),
    [
        ("http", 407, "wants a user and a password"),
        ("http", 403, "HTTP 403"),
        ("https", 404, "HTTP 404: the proxy .* lets nothing through"),
    ],
)
def test_a_proxy_that_lets_nothing_through_ends_the_run(
    scheme: str, status: int, said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with MockServer(fault=lambda *_: web.Response(status=status)) as server:
        monkeypatch.setenv(f"{scheme}_proxy", f"http://127.0.0.1:{server.port}")
        with pytest.raises(UserError, match=said) as told:
            ask(ELSEWHERE.replace("http", scheme))
    assert not isinstance(told.value, EngineError)
    assert len(server.asked) <= 1


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1", "127.9.9.9", "[::1]", "0.0.0.0", "near.test"])
def test_this_machine_and_what_no_proxy_names_are_asked_directly(host: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("http_proxy", "http://proxy:3128")
    monkeypatch.setenv("no_proxy", "near.test")
    assert find_proxy(f"http://{host}:8000/v1") is None


def test_a_proxy_of_another_kind_is_refused_without_its_password(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("http_proxy", "socks5://me:secret@proxy:1080")
    with pytest.raises(UserError, match="socks5://proxy:1080") as refused:
        find_proxy(ELSEWHERE)
    assert "secret" not in str(refused.value)


def ask(url: str) -> object:
    async def once() -> object:
        session = HttpSession(url, server=ServerSettings(max_retries=0))
        try:
            return await session.get("/models", lambda data: data)
        finally:
            await session.close()

    return asyncio.run(once())


def test_a_request_goes_through_the_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    def proxy(request: web.Request, _: Body) -> web.Response:
        return web.json_response({"seen": str(request.url), "by": request.headers.get("Proxy-Authorization")})

    with MockServer(fault=proxy) as server:
        monkeypatch.setenv("http_proxy", f"http://me:pass@127.0.0.1:{server.port}")
        assert ask(ELSEWHERE) == {"seen": f"{ELSEWHERE}/models", "by": "Basic bWU6cGFzcw=="}


def test_a_proxy_that_is_not_there_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("http_proxy", "http://me:pass@127.0.0.1:9")
    with pytest.raises(Unreachable, match=r"through the proxy http://127\.0\.0\.1:9 ") as refused:
        ask(ELSEWHERE)
    assert "pass" not in str(refused.value)


def test_https_to_a_server_that_speaks_http_is_said() -> None:
    with MockServer() as server, pytest.raises(UserError, match="does not speak https") as refused:
        ask(server.url.replace("http://", "https://"))
    assert f"Its address may be {server.url}." in str(refused.value)


@pytest.mark.parametrize(
    ("error", "helps"),
    [
        ("[SSL: CERTIFICATE_VERIFY_FAILED] certificate verify failed: self-signed certificate (_ssl.c:1)", "SSL_CERT_"),
        ("[SSL: CERTIFICATE_VERIFY_FAILED] certificate verify failed: certificate has expired (_ssl.c:1)", "Renew"),
        ("Hostname mismatch, certificate is not valid for 'host'. (_ssl.c:1)", "Give the name"),
        ("[SSL: CERTIFICATE_VERIFY_FAILED] failed: Missing Authority Key Identifier (_ssl.c:1)", "made anew"),
        ("[SSL: SOME_OTHER] other", "TLS settings"),
    ],
)
def test_a_certificate_gets_the_advice_that_helps(error: str, helps: str) -> None:
    assert helps in str(explain_tls(Exception(error), "https://host/v1"))


def test_who_vouches_for_a_server_is_asked_for_by_what_is_known(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    unknown = Exception(
        "[SSL: CERTIFICATE_VERIFY_FAILED] certificate verify failed: self-signed certificate (_ssl.c:1)"
    )
    monkeypatch.delenv("SSL_CERT_FILE", raising=False)
    bundle = tmp_path / "institute.pem"
    bundle.write_text("")
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(bundle))
    assert f"SSL_CERT_FILE={bundle}." in str(explain_tls(unknown, "https://host/v1"))
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "nowhere.pem"))
    assert "nowhere.pem is no file" in str(explain_tls(unknown, "https://host/v1"))


@pytest.mark.parametrize(
    ("there", "moved"),
    [
        ("http://host/v1/chat/?a=1", "/chat/"),
        ("http://host/v1/chat", ""),
        ("https://host/v1/chat/", ""),
        ("http://other/v1/chat/", ""),
        ("http://host/v1/login/", ""),
    ],
)
def test_a_redirect_is_followed_by_a_slash_only(there: str, moved: str) -> None:
    assert find_moved_path("http://host/v1", "http://host/v1/chat?a=1", there) == moved


def test_http_to_a_server_that_speaks_https_is_said() -> None:
    said = web.Response(status=400, text="The plain HTTP request was sent to HTTPS port")
    with MockServer(fault=lambda *_: said) as server, pytest.raises(UserError, match="Its address is https://127"):
        ask(server.url)


@pytest.mark.parametrize(("status", "final"), [(407, True), (403, True), (429, False), (502, False)])
def test_what_a_proxy_says_may_pass_or_not(status: int, final: bool) -> None:
    assert (explain_proxy(status, "http://proxy:3128") is not None) == final
