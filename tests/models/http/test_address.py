"""Addresses of servers as users, services and the environment write them."""

import asyncio

import pytest
from mock_server import MockServer

from inference_kit.errors import UserError
from inference_kit.models.http.address import Endpoint, find_ollama_address, parse_address, parse_endpoint
from inference_kit.models.http.openai import OpenAI
from inference_kit.records import Completion, GenerationConfig, Message, Prompt

PROMPT = Prompt((Message("user", "What is 3 + 4?"),))


def write(engine: OpenAI) -> list[Completion]:
    async def all_of_it() -> list[Completion]:
        try:
            return [completion async for _, completion in engine.generate(PROMPT, GenerationConfig())]
        finally:
            await engine.close()

    return asyncio.run(all_of_it())


@pytest.mark.parametrize(
    "path",
    [
        *("", "/v1", "/v1/", "/v1/chat/completions", "/v1/completions/", "/v1/models", "//v1", "/v1//"),
        *("/v1/chat", "/v1/responses", "/v1/Chat/Completions"),
    ],
)
def test_the_address_of_an_endpoint_is_that_of_its_server(path: str) -> None:
    assert parse_endpoint(f"http://host:8000{path}") == Endpoint("http://host:8000/v1")


@pytest.mark.parametrize(
    ("address", "meant"),
    [
        ("localhost:8000", "http://localhost:8000/v1"),
        ("localhost", "http://localhost/v1"),
        ("127.0.0.1:8000/v1", "http://127.0.0.1:8000/v1"),
        ("[::1]:8000", "http://[::1]:8000/v1"),
        ("my-box:8000/v1/chat/completions", "http://my-box:8000/v1"),
        ("'http://host:8000/v1'", "http://host:8000/v1"),
        ("<http://host:8000>", "http://host:8000/v1"),
        ("http://host:", "http://host/v1"),
        ("https://host/models/chat/completions", "https://host/models"),
    ],
)
def test_an_address_is_taken_as_it_is_meant(address: str, meant: str) -> None:
    assert parse_endpoint(address).url == meant


@pytest.mark.parametrize("address", ["", "qwen3", "org/model", "host:abc", "http://", "ftp://host", "::1", "u:p@h:80"])
def test_what_is_no_address_is_said_without_what_may_be_a_password(address: str) -> None:
    with pytest.raises(UserError, match="no address") as refused:
        parse_endpoint(address)
    assert "u:p" not in str(refused.value)


def test_a_query_belongs_to_every_request() -> None:
    with MockServer() as server:
        engine = OpenAI(f"{server.url}/chat/completions?api-version=2026-01-01")
        write(engine)
        assert engine.identity == f"openai:{server.url}:chat:mock"
        assert {each.query for each in server.asked} == {"api-version=2026-01-01"}


def test_a_deployment_in_the_address_is_the_model() -> None:
    address = "https://mine.openai.azure.com/openai/deployments/gpt-x/chat/completions?api-version=2024-10-21"
    engine = OpenAI(address)
    assert engine.served_name == "gpt-x"
    assert engine.identity == "openai:https://mine.openai.azure.com/openai/deployments/gpt-x:chat:gpt-x"


@pytest.mark.parametrize("query", ["key=1", "api_key=1", "access-token=1", "sig=1"])
def test_a_key_in_a_query_is_refused(query: str) -> None:
    with pytest.raises(UserError, match="a key behind"):
        parse_endpoint(f"http://host/v1?{query}")


def test_a_server_without_queries_takes_none() -> None:
    with pytest.raises(UserError, match=r"a part behind \?"):
        parse_address("http://host/v1?a=1")


def test_the_address_of_the_environment_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    with MockServer() as server:
        monkeypatch.setenv("OPENAI_BASE_URL", server.url)
        assert len(write(OpenAI())) == 1
    monkeypatch.delenv("OPENAI_BASE_URL")
    with pytest.raises(UserError, match=r"^--model-path: the server's address is missing.*OPENAI_BASE_URL"):
        OpenAI()


@pytest.mark.parametrize(
    ("host", "address"),
    [
        ("", "http://localhost:11434"),
        ("0.0.0.0", "http://127.0.0.1:11434"),
        ("0.0.0.0:8080", "http://127.0.0.1:8080"),
        (":8080", "http://127.0.0.1:8080"),
        ("gpu-box", "http://gpu-box:11434"),
        ("gpu-box:8080", "http://gpu-box:8080"),
        ("http://gpu-box", "http://gpu-box:80"),
        ("https://ollama.test", "https://ollama.test:443"),
        ("http://gpu-box:8080/", "http://gpu-box:8080"),
        ("[::1]:8080", "http://[::1]:8080"),
        ("[::1]", "http://[::1]:11434"),
        ("::1", "http://[::1]:11434"),
        ("::", "http://127.0.0.1:11434"),
        ("host:", "http://host:11434"),
        ("host:99999", "http://host:11434"),
        ("host:abc", "http://host:11434"),
        ("'host:8080'", "http://host:8080"),
        ("https://host/ollama/", "https://host:443/ollama"),
    ],
)
def test_ollama_host_is_read_as_ollama_reads_it(host: str, address: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OLLAMA_HOST", host)
    assert find_ollama_address() == address
