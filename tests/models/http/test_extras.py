"""What a user adds to every request, and the name that a served model has."""

import asyncio
import json
from typing import Any

import pytest
from aiohttp import web
from mock_server import MockServer

from inference_kit.errors import EngineError, UserError
from inference_kit.models.http.extras import RequestSettings, mask_words, merge_fields
from inference_kit.models.http.ollama import Ollama
from inference_kit.models.http.openai import OpenAI
from inference_kit.records import GenerationConfig, Message, Prompt
from inference_kit.setup.values import read_object

PROMPT = Prompt((Message("user", "What is 3 + 4?"),))


def write(engine: OpenAI | Ollama) -> None:
    async def all_of_it() -> None:
        async for _ in engine.generate(PROMPT, GenerationConfig()):
            pass
        await engine.close()

    asyncio.run(all_of_it())


def test_fields_of_the_user_are_in_every_request_and_in_the_identity() -> None:
    with MockServer() as server:
        engine = OpenAI(
            server.url,
            extra_body={"chat_template_kwargs": {"depth": 2}, "safe_prompt": True},
            reasoning_effort="low",
            thinking=False,
        )
        write(engine)
        [body] = server.bodies()
        plain = OpenAI(server.url).identity
    kwargs = {"enable_thinking": False, "thinking": False, "depth": 2}
    assert body["chat_template_kwargs"] == kwargs
    assert (body["reasoning_effort"], body["safe_prompt"]) == ("low", True)
    fields = {"chat_template_kwargs": kwargs, "reasoning_effort": "low", "safe_prompt": True}
    assert engine.identity == f"{plain}:{json.dumps(fields, sort_keys=True)}"


@pytest.mark.parametrize(("think", "sent"), [("true", True), ("false", False), ("low", "low"), (None, None)])
def test_ollama_thinks_as_it_is_told(think: str | None, sent: Any) -> None:
    with MockServer(ollama=True) as server:
        engine = Ollama(server.root, think=think, extra_body={"format": "json"})
        write(engine)
        [body] = server.bodies("/api/chat")
        plain = Ollama(server.root).identity
    assert (body.get("think"), body["format"]) == (sent, "json")
    assert engine.identity.startswith(f"{plain}:{{")


def test_headers_are_sent_and_their_variables_stay_in_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TENANT_KEY", "tenant-secret")
    with MockServer() as server:
        engine = OpenAI(server.url, header={"X-Tenant": "mine", "X-Key": "$TENANT_KEY"})
        write(engine)
        assert {each.headers["X-Key"] for each in server.asked} == {"tenant-secret"}
        assert engine.identity == OpenAI(server.url).identity


@pytest.mark.parametrize("name", ["temperature", "max_tokens", "messages", "n", "stream"])
def test_a_field_that_has_a_flag_is_refused(name: str) -> None:
    with pytest.raises(UserError, match=f"--extra-body: {name} is set by"):
        OpenAI("http://host", extra_body={name: 1})


@pytest.mark.parametrize(
    "header", [{"X-A": "1\r\nX-B: 2"}, {"X A": "1"}, {"": "1"}, {"X-Ä": "1"}], ids=["lines", "space", "empty", "letter"]
)
def test_what_is_no_header_is_refused(header: dict[str, str]) -> None:
    with pytest.raises(UserError, match="no header"):
        RequestSettings(header=header)


@pytest.mark.parametrize("value", ["$NOT_SET_ANYWHERE", "Bearer ${NOT_SET_ANYWHERE}"])
def test_a_variable_that_is_not_set_is_said(value: str) -> None:
    with pytest.raises(UserError, match=r"^--header: the variable \$.*is not set"):
        RequestSettings(header={"X-Key": value})


def test_what_is_no_json_is_refused() -> None:
    with pytest.raises(UserError, match="--extra-body: NaN"):
        RequestSettings(extra_body={"a": float("nan")})


def test_a_header_of_the_user_replaces_ours(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "the-usual-key")
    with MockServer() as server:
        write(OpenAI(server.url, header={"authorization": "Basic other", "content-type": "application/json; x=1"}))
        sent = {name.lower(): value for name, value in server.asked[-1].headers.items()}
    assert (sent["authorization"], sent["content-type"]) == ("Basic other", "application/json; x=1")


def test_a_key_in_a_header_that_the_server_repeats_is_hidden(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TENANT_KEY", "tenant-secret")

    def repeat(request: web.Request, body: dict[str, Any]) -> web.Response | None:
        said = f"The key {request.headers['Authorization']} is wrong"
        return web.json_response({"error": {"message": said}}, status=400) if body else None

    with MockServer(fault=repeat) as server, pytest.raises(EngineError, match=r"key Bearer \*\*\* is wrong"):
        write(OpenAI(server.url, header={"Authorization": "Bearer $TENANT_KEY"}))


@pytest.mark.parametrize(
    ("words", "masked"),
    [
        (["--header", "X-Api-Key: abc", "--n", "4"], ["--header", "X-Api-Key: ***", "--n", "4"]),
        (["--header=Authorization: Bearer abc"], ["--header=Authorization: ***"]),
        (
            ["--header", '{"X-Token": "abc", "X-Tenant": "mine"}'],
            ["--header", '{"X-Token": "***", "X-Tenant": "mine"}'],
        ),
        (["--header", "X-Custom: Bearer abc"], ["--header", "X-Custom: ***"]),
        (["--header", "X-Api-Key: $NAME"], ["--header", "X-Api-Key: $NAME"]),
        (["--header", "X-Tenant: mine"], ["--header", "X-Tenant: mine"]),
        (["--stop", "key: abc"], ["--stop", "key: abc"]),
    ],
)
def test_keys_in_headers_of_a_command_line_are_masked(words: list[str], masked: list[str]) -> None:
    assert mask_words(words) == masked


def test_objects_are_merged_and_else_the_later_counts() -> None:
    assert merge_fields({"a": {"x": 1}, "b": 1}, None, {"a": {"y": 2}, "b": 2}) == {"a": {"x": 1, "y": 2}, "b": 2}


def test_an_object_is_json_or_a_name_with_a_value() -> None:
    assert read_object('{"a": {"b": 1}}') == {"a": {"b": 1}}
    assert read_object("X-Trace: a:b") == {"X-Trace": "a:b"}
    for wrong in ("[1]", "{", "7"):
        with pytest.raises(ValueError, match="JSON object"):
            read_object(wrong)


def test_a_model_that_is_named_is_the_same_at_every_address() -> None:
    one, other = (OpenAI(f"http://host-{n}/v1", model_name="mine", api_model="m") for n in (1, 2))
    assert one.identity == other.identity == "openai:chat:mine"
    assert one.served_name == "mine"
    assert OpenAI("http://host/v1", api_model="m").served_name == "m"
    assert Ollama("http://host", model_name="mine").identity == "ollama:mine:8192"
