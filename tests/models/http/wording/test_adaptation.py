"""What a server refuses of a request is left out, said once, and the answers are those of a willing server."""

import asyncio
import json
import re
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import pytest
from aiohttp import web
from loguru import logger
from mock_server import Body, MockServer, three_steps
from streams import stream_and_close

from inference_kit.errors import EngineError, NoRoom, UserError
from inference_kit.models.http.openai import OpenAI
from inference_kit.records import Completion, GenerationConfig, Message, Prompt

CONFIG = GenerationConfig(max_new_tokens=64)
PROMPT = Prompt((Message("user", "What is 3 + 4?"),))
Refuse = Callable[[Body], str | None]


@pytest.fixture
def warned() -> Iterator[list[str]]:
    lines: list[str] = []
    sink = logger.add(lambda message: lines.append(str(message)), level="WARNING")
    yield lines
    logger.remove(sink)


def refusing(refuse: Refuse, status: int = 400, **more: Any) -> MockServer:
    """A server that refuses what `refuse` has something to say of."""

    def fault(_: web.Request, body: Body) -> web.Response | None:
        said = refuse(body) if body else None
        return web.json_response({"error": {"message": said, **more}}, status=status) if said else None

    return MockServer(fault=fault)


def write(engine: OpenAI, config: GenerationConfig = CONFIG, asked: Prompt = PROMPT) -> list[Completion]:
    async def all_of_it() -> list[Completion]:
        try:
            return [completion async for _, completion in engine.generate(asked, config)]
        finally:
            await engine.close()

    return asyncio.run(all_of_it())


def refuse_as_reasoning_model(body: Body) -> str | None:
    if "max_tokens" in body:
        return "Unsupported parameter: 'max_tokens' is not supported. Use 'max_completion_tokens' instead."
    if body.get("temperature", 1) != 1:
        return "Unsupported value: 'temperature' does not support 0.7. Only the default (1) value is supported."
    refused = next((name for name in ("top_p", "logprobs", "seed", "stop", "stream_options") if name in body), None)
    return f"Unsupported parameter: '{refused}' is not supported with this model." if refused else None


@pytest.mark.parametrize("streamed", [False, True])
def test_a_reasoning_model_of_a_service_runs(streamed: bool, warned: list[str]) -> None:
    config = replace(CONFIG, top_p=0.9, stop=("END",))
    with refusing(refuse_as_reasoning_model) as server:
        engine = OpenAI(server.url)
        [found] = stream_and_close(engine, PROMPT, config).completions if streamed else write(engine, config)
        n_asked = len(server.bodies())
        write(engine, config)
        assert len(server.bodies()) == n_asked + 1
    assert found.text == "".join(three_steps("What is 3 + 4?", 0))
    assert sum("temperature" in line for line in warned) == 1
    assert len(warned) == 5 + streamed


@pytest.mark.parametrize("name", ["temperature", "seed", "logprobs"])
@pytest.mark.parametrize(
    "said",
    [
        {"error": {"message": "property '{name}' is unsupported", "param": "{name}"}},
        {"detail": [{"type": "extra_forbidden", "loc": ["body", "{name}"], "msg": "Extra inputs are not permitted"}]},
        {"message": "Unrecognized request argument supplied: {name}"},
        {"error": "unknown field `{name}`"},
    ],
)
def test_a_field_is_told_by_name_place_or_words(name: str, said: dict[str, Any], warned: list[str]) -> None:
    def fault(_: web.Request, body: Body) -> web.Response | None:
        filled = json.loads(json.dumps(said).replace("{name}", name))
        return web.json_response(filled, status=422) if name in body else None

    with MockServer(fault=fault) as server:
        assert len(write(OpenAI(server.url), asked=replace(PROMPT, seeds=(0, 1, 2)))) == 3
        assert len(server.bodies()) == 6
    assert len(warned) == 1
    assert re.search(name.removesuffix("s").replace("logprob", "log-probabilities"), warned[0])


@pytest.mark.parametrize(("temperature", "top_p", "kept"), [(0.7, 0.9, "temperature"), (1.0, 0.9, "top_p")])
def test_of_two_that_exclude_each_other_one_is_left_out(temperature: float, top_p: float, kept: str) -> None:
    def refuse(body: Body) -> str | None:
        both = {"temperature", "top_p"} <= body.keys()
        return "`temperature` and `top_p` cannot both be specified. Please use only one." if both else None

    with refusing(refuse) as server:
        write(OpenAI(server.url), replace(CONFIG, temperature=temperature, top_p=top_p))
        assert {"temperature", "top_p"} & server.bodies()[-1].keys() == {kept}
        server.asked.clear()
        write(OpenAI(server.url))
        assert len(server.bodies()) == 1


def test_a_setting_that_was_asked_for_and_is_not_known_ends_the_run() -> None:
    with refusing(lambda body: "unknown field 'top_k'" if "top_k" in body else None) as server:
        with pytest.raises(UserError, match="does not take top_k") as refused:
            write(OpenAI(server.url), replace(CONFIG, top_k=5))
        assert not isinstance(refused.value, EngineError)


def test_a_value_out_of_range_is_not_left_out() -> None:
    with (
        refusing(lambda body: "temperature must be in [0, 1]", param="temperature") as server,
        pytest.raises(EngineError, match="must be in"),
    ):
        write(OpenAI(server.url), replace(CONFIG, temperature=1.5))
    assert len(server.bodies()) == 1


@pytest.mark.parametrize("status", [400, 403, 404, 410])
def test_a_model_that_is_gone_ends_the_run(status: int) -> None:
    said = "The model `mock` has been decommissioned and is no longer supported."
    with refusing(lambda _: said, status) as server, pytest.raises(UserError, match="decommissioned") as refused:
        write(OpenAI(server.url))
    assert not isinstance(refused.value, EngineError)
    assert len(server.bodies()) == 1


def lower_bound_server(prompt_tokens: int, *, counts: bool) -> MockServer:
    """vLLM 0.16: the prompt is counted up to what the reply leaves, and one more."""

    def fault(_: web.Request, body: Body) -> web.Response | None:
        most = body.get("max_tokens", 0)
        if not body or prompt_tokens + most <= 4096:
            choice = {"message": {"content": "7"}, "finish_reason": "stop"}
            usage = {"usage": {"prompt_tokens": prompt_tokens, "completion_tokens": 1}} if counts else {}
            return web.json_response({"choices": [choice], **usage}) if body else None
        seen = min(prompt_tokens, 4096 - most + 1)
        said = f"maximum context length is 4096 tokens. However, you requested {most} output tokens and your prompt "
        said += f"contains at least {seen} input tokens, for a total of at least {seen + most} tokens."
        return web.json_response({"error": {"message": said}}, status=400)

    return MockServer(fault=fault)


@pytest.mark.parametrize("counts", [True, False])
def test_a_lower_bound_of_the_prompt_takes_a_handful_of_asks(counts: bool) -> None:
    with lower_bound_server(600, counts=counts) as server:
        [found] = write(OpenAI(server.url), replace(CONFIG, max_new_tokens=4000))
    asked = [body["max_tokens"] for body in server.bodies()]
    assert len(asked) <= 4
    assert asked[-1] == (3496 if counts else 2000)
    assert found.prompt_tokens == (1200 if counts else 0)


def test_a_prompt_that_leaves_no_room_is_said_after_a_handful_of_asks() -> None:
    with lower_bound_server(5000, counts=True) as server, pytest.raises(NoRoom, match="too long"):
        write(OpenAI(server.url), replace(CONFIG, max_new_tokens=4000))
    assert len(server.bodies()) <= 8


def test_probes_of_step_ends_are_bounded_under_concurrency_and_counted() -> None:
    """Three hundred replies that come at once are no reason for three hundred probes."""

    async def all_at_once(engine: OpenAI) -> list[Completion]:
        config = replace(CONFIG, boundary="---")
        prompts = [replace(PROMPT, seeds=(seed,)) for seed in range(40)]

        async def one(asked: Prompt) -> list[Completion]:
            return [completion async for _, completion in engine.generate(asked, config)]

        found = await asyncio.gather(*(one(asked) for asked in prompts))
        await engine.close()
        return [completion for each in found for completion in each]

    with MockServer(latency=0.05) as server:
        found = asyncio.run(all_at_once(OpenAI(server.url)))
    assert len(server.bodies()) == 40 + 16
    least = min(each.prompt_tokens for each in found)
    assert sum(each.prompt_tokens > least for each in found) == 16
