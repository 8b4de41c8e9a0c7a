"""The engine `ollama`, against a server that plays its native API."""

import asyncio
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from mock_server import Body, MockServer, three_steps
from streams import stream_and_close

from inference_kit.errors import EngineError, UserError
from inference_kit.models.http.kinds import detect_protocol
from inference_kit.models.http.ollama import Ollama
from inference_kit.models.http.openai import OpenAI
from inference_kit.records import Completion, GenerationConfig, Message, Prompt

CONFIG = GenerationConfig(max_new_tokens=64)
PROMPT = Prompt((Message("user", "What is 3 + 4?"),), seeds=(7, 8, 20))
CHAT = "/api/chat"


@pytest.fixture
def server() -> Iterator[MockServer]:
    with MockServer(ollama=True, models=("llama3:latest", "qwen3:4b")) as running:
        yield running


def write(engine: Ollama, prompt: Prompt = PROMPT, config: GenerationConfig = CONFIG) -> dict[int, Completion]:
    async def all_of_it() -> dict[int, Completion]:
        try:
            return {place: completion async for place, completion in engine.generate(prompt, config)}
        finally:
            await engine.close()

    return asyncio.run(all_of_it())


def answering(**parts: Any) -> MockServer:
    """A server whose next answer to a chat holds `parts`."""
    whole = {"message": {"content": "Seven."}, "done": True, "done_reason": "stop", "eval_count": 2} | parts

    def answer(request: web.Request, _: Body) -> web.Response | None:
        return web.json_response(whole) if request.path == CHAT else None

    return MockServer(ollama=True, models=("m",), fault=answer)


def test_each_completion_is_a_request_with_its_own_seed(server: MockServer) -> None:
    found = write(Ollama(server.root))
    assert sorted(body["options"]["seed"] for body in server.bodies(CHAT)) == [7, 8, 20]
    assert [found[place].text for place in range(3)] == ["".join(three_steps("What is 3 + 4?", s)) for s in (7, 8, 20)]
    assert (found[0].tokens, found[0].prompt_tokens, found[0].finish_reason) == (len(found[0].text.split()), 5, "stop")


def test_every_setting_is_sent_because_a_model_has_its_own(server: MockServer) -> None:
    """XF-46."""
    write(Ollama(server.root, num_ctx=2048), config=replace(CONFIG, repetition_penalty=1.2, stop=("END",)))
    body = server.bodies(CHAT)[0]
    assert body["options"] | {"seed": 7} == {
        "seed": 7,
        "num_ctx": 2048,
        "num_predict": 64,
        "temperature": 0.7,
        "top_p": 1.0,
        "top_k": 0,
        "min_p": 0.0,
        "repeat_penalty": 1.2,
        "repeat_last_n": -1,
        "presence_penalty": 0.0,
        "frequency_penalty": 0.0,
        "stop": ["END"],
    }
    assert (body["model"], body["stream"], body["truncate"]) == ("llama3:latest", False, False)


def test_a_model_may_be_named_without_its_tag(server: MockServer) -> None:
    assert ":llama3:latest:" in Ollama(server.root, api_model="llama3").identity
    assert ":qwen3:4b:" in Ollama(server.root, api_model="qwen3:4b").identity


def test_a_model_that_is_not_there_names_those_that_are(server: MockServer) -> None:
    with pytest.raises(UserError, match=r"llama3:latest, qwen3:4b; `ollama pull NAME`"):
        Ollama(server.root, api_model="mistral").check(CONFIG)


def test_an_ollama_that_is_not_there_says_how_to_start_it() -> None:
    """XF-68."""
    with pytest.raises(UserError, match=r"http://127\.0\.0\.1:9: .*cannot be reached.*`ollama serve`"):
        Ollama("http://127.0.0.1:9").check(CONFIG)


def test_another_server_is_told_from_ollama() -> None:
    with MockServer() as other, pytest.raises(UserError, match="--model openai"):
        Ollama(other.url).check(CONFIG)


def test_a_prompt_that_filled_the_context_is_an_error() -> None:
    with answering(prompt_eval_count=2048) as server, pytest.raises(EngineError, match="2048 tokens or more"):
        write(Ollama(server.root, num_ctx=2048))


def test_a_prompt_that_does_not_fit_says_how_to_make_room() -> None:
    def refuse(request: web.Request, _: Body) -> web.Response | None:
        said = {"error": "the input length exceeds the context length"}
        return web.json_response(said, status=400) if request.path == CHAT else None

    with (
        MockServer(ollama=True, models=("m",), fault=refuse) as server,
        pytest.raises(EngineError, match=r"context of 2048 tokens.*--num-ctx"),
    ):
        write(Ollama(server.root, num_ctx=2048))


def test_a_reply_that_was_cut_off_says_so() -> None:
    with answering(done_reason="length") as server:
        assert write(Ollama(server.root))[0].finish_reason == "length"


def test_thoughts_stand_before_the_reply() -> None:
    with answering(message={"content": "Seven.", "thinking": "3, 4."}) as server:
        assert write(Ollama(server.root))[0].text == "<think>3, 4.</think>Seven."


def test_logprobs_are_summed_where_it_gives_them() -> None:
    tokens = [{"token": "Seven", "logprob": -0.25}, {"token": ".", "logprob": -0.5}]
    with answering(logprobs=tokens) as server:
        assert write(Ollama(server.root))[0].logprob == -0.75
    with answering() as server:
        assert write(Ollama(server.root))[0].logprob is None


def test_images_are_put_into_the_request(server: MockServer, tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(b"image")
    write(Ollama(server.root), Prompt((Message("user", "What is this?", (str(tmp_path / "a.png"),)),)))
    assert server.bodies(CHAT)[0]["messages"][0]["images"] == ["aW1hZ2U="]


def test_a_partial_answer_is_refused(server: MockServer) -> None:
    assert not Ollama(server.root).capabilities.prefix
    with pytest.raises(EngineError, match="partial answer"):
        write(Ollama(server.root), replace(PROMPT, prefix="Well"))


def test_stream_yields_lines_as_they_come(server: MockServer) -> None:
    streamed = stream_and_close(Ollama(server.root), PROMPT, CONFIG)
    assert streamed.texts == ["".join(three_steps("What is 3 + 4?", seed)) for seed in PROMPT.seeds]
    assert all(len(pieces) > 3 for pieces in streamed.pieces)
    whole = write(Ollama(server.root))
    assert streamed.completions == [whole[place] for place in range(PROMPT.n)]


def test_a_server_is_asked_which_protocol_it_speaks(server: MockServer) -> None:
    with MockServer() as other:
        assert [detect_protocol(url) for url in (server.root, other.root, other.url)] == ["ollama", "openai", "openai"]
    assert detect_protocol("https://api.openai.com/v1") == "openai"
    with pytest.raises(EngineError, match="cannot be reached"):
        detect_protocol("http://127.0.0.1:9")


def test_its_openai_side_is_known_not_to_continue() -> None:
    with MockServer(owned_by="library") as server:
        assert not OpenAI(server.url).capabilities.prefix


def test_an_answer_that_only_tells_of_loading_is_asked_for_again() -> None:
    """It is empty, and would be graded as wrong."""
    with answering(message={"content": ""}, done_reason="load") as server:
        with pytest.raises(EngineError, match="loaded the model"):
            write(Ollama(server.root, max_retries=1, retry_seconds=0.001), replace(PROMPT, seeds=(7,)))
        assert len(server.bodies(CHAT)) == 2


def test_thoughts_are_searched_for_no_stop_text() -> None:
    with answering(message={"thinking": "A Question: what?", "content": "Seven."}) as server:
        [found] = write(Ollama(server.root), replace(PROMPT, seeds=(7,)), replace(CONFIG, stop=("Question:",))).values()
    assert found.text == "<think>A Question: what?</think>Seven."


def test_what_a_model_does_not_support_ends_the_run() -> None:
    def refuse(request: web.Request, _: Body) -> web.Response | None:
        said = {"error": '"m" does not support thinking'}
        return web.json_response(said, status=400) if request.path == CHAT else None

    with MockServer(ollama=True, models=("m",), fault=refuse) as server:
        with pytest.raises(UserError, match="does not support thinking") as refused:
            write(Ollama(server.root, think="true"))
        assert not isinstance(refused.value, EngineError)
