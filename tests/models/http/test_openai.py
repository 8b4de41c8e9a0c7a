"""The engine `openai`, against a server on a real socket."""

import asyncio
import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from loguru import logger
from mock_server import MockServer, three_steps
from streams import stream_and_close

from inference_kit.errors import EngineError, UserError
from inference_kit.models.http.openai import OpenAI
from inference_kit.records import Completion, GenerationConfig, Message, Prompt, Usage

CONFIG = GenerationConfig(max_new_tokens=64)
QUESTION = (Message("user", "What is 3 + 4?"),)


def prompt(n: int = 1, first_seed: int = 0, prefix: str = "") -> Prompt:
    return Prompt(QUESTION, prefix, tuple(range(first_seed, first_seed + n)))


def write(engine: OpenAI, asked: Prompt, config: GenerationConfig = CONFIG) -> dict[int, Completion]:
    async def all_of_it() -> dict[int, Completion]:
        try:
            return {place: completion async for place, completion in engine.generate(asked, config)}
        finally:
            await engine.close()

    return asyncio.run(all_of_it())


def test_each_completion_has_its_seed_and_what_the_server_counted() -> None:
    with MockServer() as server:
        found = write(OpenAI(server.url), prompt(3, first_seed=10))
    assert [found[place].text for place in range(3)] == [
        "".join(three_steps("What is 3 + 4?", 10 + i)) for i in range(3)
    ]
    assert [body["seed"] for body in server.bodies()] == [10, 11, 12]
    assert all(each.finish_reason == "stop" and each.tokens == len(each.text.split()) for each in found.values())
    assert found[0].logprob == pytest.approx(-0.5 * found[0].tokens)


def test_siblings_share_a_request_where_the_server_is_vllm() -> None:
    with MockServer() as alone, MockServer(owned_by="vllm") as shared:
        one_by_one = write(OpenAI(alone.url), prompt(4))
        together = write(OpenAI(shared.url), prompt(4))
    assert [body.get("n", 1) for body in alone.bodies()] == [1, 1, 1, 1]
    assert [body.get("n", 1) for body in shared.bodies()] == [4]
    assert [each.text for _, each in sorted(one_by_one.items())] == [each.text for _, each in sorted(together.items())]


def test_prompt_tokens_are_counted_as_often_as_the_prompt_was_read() -> None:
    """A prompt that sixteen requests hold is paid for sixteen times, and --max-cost has to know."""
    with MockServer() as alone, MockServer(owned_by="vllm") as shared:
        one_by_one = write(OpenAI(alone.url), prompt(4))
        together = write(OpenAI(shared.url), prompt(4))
        branches = write(OpenAI(alone.url), prompt(2), replace(CONFIG, temperature=0.0, branch_first=True))
    once = sum(each.prompt_tokens for each in together.values())
    assert sum(each.prompt_tokens for each in one_by_one.values()) == 4 * once > 0
    assert sum(each.prompt_tokens for each in branches.values()) > 2 * once


@pytest.mark.parametrize("status", [None, 400, 422])
def test_a_server_without_n_is_asked_one_by_one_and_nothing_twice(status: int | None) -> None:
    """One that writes the first of them only, or refuses; what it wrote is kept."""

    def without_n(_: web.Request, body: dict[str, Any]) -> web.Response | None:
        if status and body.get("n", 1) > 1:
            return web.json_response({"error": {"message": "Only one completion choice is allowed"}}, status=status)
        body["n"] = 1
        return None

    warned: list[str] = []
    sink = logger.add(lambda message: warned.append(str(message)), level="WARNING")
    with MockServer(owned_by="vllm", fault=without_n) as server:
        engine = OpenAI(server.url)
        found = write(engine, prompt(3, first_seed=10))
        assert sorted(found) == [0, 1, 2]
        assert [found[place].text for place in range(3)] == [
            "".join(three_steps("What is 3 + 4?", 10 + place)) for place in range(3)
        ]
        assert sorted(body["seed"] for body in server.bodies()) == ([10, 10, 11, 12] if status else [10, 11, 12])
        server.asked.clear()
        write(engine, prompt(3, first_seed=20))
        assert sorted(body["seed"] for body in server.bodies()) == [20, 21, 22]
    logger.remove(sink)
    assert len(warned) == 1
    assert "one completion" in warned[0]


def test_a_refused_request_is_not_blamed_on_n() -> None:
    def refuse(_: web.Request, body: dict[str, Any]) -> web.Response | None:
        return web.json_response({"error": {"message": "no such thing"}}, status=400) if body else None

    with (
        MockServer(owned_by="vllm", fault=refuse) as server,
        pytest.raises(EngineError, match="no such thing"),
    ):
        write(OpenAI(server.url), prompt(4))
    assert [body.get("n", 1) for body in server.bodies()] == [4, 1]


def test_seeds_that_do_not_follow_each_other_do_not_share_a_request() -> None:
    with MockServer(owned_by="vllm") as server:
        write(OpenAI(server.url), Prompt(QUESTION, seeds=(3, 4, 9)))
    assert sorted((body["seed"], body.get("n", 1)) for body in server.bodies()) == [(3, 2), (9, 1)]


def test_greedy_is_never_asked_for_with_n() -> None:
    """vLLM answers 400 to n > 1 at temperature 0."""
    with MockServer(owned_by="vllm") as server:
        write(OpenAI(server.url), prompt(2), replace(CONFIG, temperature=0.0))
    assert [body.get("n", 1) for body in server.bodies()] == [1, 1]


@pytest.mark.parametrize("knows", [("continue", "usage", "stop_reason"), ("continue", "usage")])
def test_a_step_ends_with_its_boundary_and_is_continued_exactly(knows: tuple[str, ...]) -> None:
    steps = three_steps("What is 3 + 4?", 5)
    boundary = replace(CONFIG, boundary="\n\n", logprobs=False)
    with MockServer(knows=frozenset(knows)) as server:
        [first] = write(OpenAI(server.url), prompt(first_seed=5), boundary).values()
        [last] = write(OpenAI(server.url), prompt(first_seed=5, prefix=steps[0] + steps[1]), boundary).values()
    assert (first.text, first.finish_reason) == (steps[0], "boundary")
    assert (last.text, last.finish_reason) == (steps[2], "stop")
    asked = server.bodies()[1]
    assert asked["messages"][-1] == {"role": "assistant", "content": steps[0] + steps[1]}
    assert (asked["continue_final_message"], asked["add_generation_prompt"]) == (True, False)
    assert (asked["stop"], asked["include_stop_str_in_output"]) == (["\n\n"], True)


def test_a_server_that_drops_the_end_of_a_step_is_refused_for_steps() -> None:
    """Its first step would pass for the whole solution, and nobody would know."""

    def official(_: web.Request, body: dict[str, Any]) -> None:
        body.pop("include_stop_str_in_output", None)

    boundary = replace(CONFIG, boundary="\n\n")
    with MockServer(knows=frozenset({"usage"}), fault=official) as server:
        with pytest.raises(UserError, match="cannot write steps") as refused:
            write(OpenAI(server.url), prompt(2), boundary)
        assert not isinstance(refused.value, EngineError)
        assert len(write(OpenAI(server.url), prompt(2))) == 2


def test_a_server_that_keeps_the_end_of_a_step_is_not_asked_twice() -> None:
    boundary = replace(CONFIG, boundary="\n\n")
    with MockServer(knows=frozenset({"usage"})) as server:
        engine = OpenAI(server.url)
        write(engine, prompt(2), boundary)
        assert len(server.bodies()) == 2
        write(engine, prompt(2), replace(CONFIG, boundary="---"))
        assert len(server.bodies()) == 4


def test_whether_steps_keep_their_ends_is_asked_a_few_times_only() -> None:
    with MockServer() as server:
        engine = OpenAI(server.url)
        for first_seed in range(0, 40, 2):
            write(engine, prompt(2, first_seed), replace(CONFIG, boundary="---"))
    assert 40 + 16 <= len(server.bodies()) <= 40 + 17


def test_a_stop_text_is_cut_and_ends_the_solution() -> None:
    with MockServer() as server:
        [found] = write(OpenAI(server.url), prompt(), replace(CONFIG, stop=("So",), boundary="---")).values()
    assert (found.text, found.finish_reason) == ("".join(three_steps("What is 3 + 4?", 0)[:2]), "stop")


def test_a_completion_that_is_cut_off_says_so() -> None:
    with MockServer() as server:
        [found] = write(OpenAI(server.url), prompt(), replace(CONFIG, max_new_tokens=2)).values()
    assert (found.tokens, found.finish_reason) == (2, "length")


def test_what_is_neutral_is_sent_only_where_the_server_has_settings_of_its_own() -> None:
    with MockServer() as other, MockServer(owned_by="vllm") as vllm:
        write(OpenAI(other.url), prompt())
        write(OpenAI(vllm.url), prompt())
        write(OpenAI(other.url), prompt(), replace(CONFIG, top_k=5, min_p=0.1, repetition_penalty=1.1))
    assert not {"top_k", "min_p", "repetition_penalty", "stop"} & set(other.bodies()[0])
    assert {name: vllm.bodies()[0][name] for name in ("top_k", "min_p")} == {"top_k": -1, "min_p": 0.0}
    assert {name: other.bodies()[1][name] for name in ("top_k", "min_p")} == {"top_k": 5, "min_p": 0.1}


def test_token_details_hold_margin_and_confidence() -> None:
    with MockServer() as server:
        [found] = write(OpenAI(server.url), prompt(), replace(CONFIG, token_details=True)).values()
    assert server.bodies()[0]["top_logprobs"] == 20
    first = found.details[0]
    assert len(found.details) == found.tokens
    assert (first.text, first.logprob, first.certainty) == ("Think ", -0.5, None)
    assert first.margin == pytest.approx(2.718281828**-0.5 - 2.718281828**-1.5)
    assert first.confidence == pytest.approx(sum(0.5 + rank for rank in range(20)) / 20)


def test_branches_begin_with_the_token_of_their_rank() -> None:
    config = replace(CONFIG, temperature=0.0, branch_first=True, token_details=True)
    with MockServer() as server:
        found = write(OpenAI(server.url), prompt(3), config)
    assert [found[rank].text.split()[0] for rank in range(3)] == ["Think", "1Think", "2Think"]
    assert len(server.bodies()) == 4
    assert found[1].details[0].logprob == -1.5
    assert all(each.tokens == len(each.details) for each in found.values())


STREAMED_SETTINGS = {
    "plain": CONFIG,
    "cut off": replace(CONFIG, max_new_tokens=4),
    "in steps": replace(CONFIG, boundary="\n\n"),
    "with a stop text": replace(CONFIG, boundary="\n\n", stop=("more", "about 6.\n")),
    "in detail": replace(CONFIG, token_details=True),
    "without log-probabilities": replace(CONFIG, logprobs=False),
    "greedy": replace(CONFIG, temperature=0.0),
}


@pytest.mark.parametrize("config", STREAMED_SETTINGS.values(), ids=STREAMED_SETTINGS)
@pytest.mark.parametrize("owned_by", ["somebody", "vllm"])
def test_a_stream_ends_with_the_completion_that_is_generated_without(owned_by: str, config: GenerationConfig) -> None:
    """The same text, finish reason, log-probabilities and usage; siblings share a request where they do without."""
    with MockServer(owned_by=owned_by) as server:
        streamed = stream_and_close(OpenAI(server.url), prompt(3), config)
        asked = [body.get("n", 1) for body in server.bodies() if body.get("stream")]
        whole = write(OpenAI(server.url), prompt(3), config)
    assert streamed.completions == [whole[place] for place in range(3)]
    assert asked == ([3] if owned_by == "vllm" and config.temperature else [1, 1, 1])


def test_stream_yields_the_text_in_pieces() -> None:
    with MockServer() as server:
        [found] = stream_and_close(OpenAI(server.url), prompt(), CONFIG).pieces
    assert len(found) > 3
    assert "".join(found) == "".join(three_steps("What is 3 + 4?", 0))


def test_branches_stream_as_wholes() -> None:
    config = replace(CONFIG, temperature=0.0, branch_first=True)
    with MockServer() as server:
        streamed = stream_and_close(OpenAI(server.url), prompt(2), config)
    assert [len(pieces) for pieces in streamed.pieces] == [1, 1]


def stream_over_faults(*faults: str | None) -> Completion:
    """The completion of a stream whose first requests are answered with `faults`."""
    left = list(faults)

    def stumble(_: web.Request, body: dict[str, Any]) -> web.Response | str | None:
        fault = left.pop(0) if left and body else None
        if fault == "busy":
            return web.Response(status=429)
        if fault == "no logprobs":
            return web.json_response({"error": {"message": "logprobs are not supported"}}, status=400)
        return fault

    with MockServer(fault=stumble) as server:
        [completion] = stream_and_close(OpenAI(server.url, retry_seconds=0.001), prompt(), CONFIG).completions
    return completion


@pytest.mark.parametrize("faults", [("reset", "busy"), ("no logprobs",)])
def test_a_stream_is_asked_for_again_until_something_was_shown(faults: tuple[str, ...]) -> None:
    """Like any request: a server that stumbles, or gives no log-probabilities, costs no candidate."""
    completion = stream_over_faults(*faults)
    assert completion.text == "".join(three_steps("What is 3 + 4?", 0))
    assert (completion.logprob is None) == ("no logprobs" in faults)


def test_a_stream_that_breaks_off_is_no_completion() -> None:
    """What was shown stays shown, so it is not asked for again."""
    with pytest.raises(EngineError, match=r"tried once"):
        stream_over_faults("cut")


@pytest.mark.parametrize(
    "said", ['{"object": "error", "message": "no such key", "code": 401}', '{"error": {"code": "invalid_api_key"}}']
)
def test_an_error_in_a_stream_ends_the_run_as_its_code_says(said: str) -> None:
    def answer(_: web.Request, body: dict[str, Any]) -> web.Response | None:
        sent = f"data: {said}\n\ndata: [DONE]\n\n"
        return web.Response(text=sent, content_type="text/event-stream") if body else None

    with MockServer(fault=answer) as server, pytest.raises(UserError, match="401") as told:
        stream_and_close(OpenAI(server.url), prompt(), CONFIG)
    assert not isinstance(told.value, EngineError)


def test_a_server_that_does_not_stream_is_read_as_one_piece() -> None:
    def whole(request: web.Request, body: dict[str, Any]) -> web.Response | None:
        answer = {"choices": [{"index": 0, "finish_reason": "stop", "message": {"content": "It is 7."}}]}
        return web.json_response(answer) if body.get("stream") else None

    with MockServer(fault=whole) as server:
        streamed = stream_and_close(OpenAI(server.url), prompt(), CONFIG)
    assert streamed.pieces == [["It is 7."]]
    assert streamed.completions[0].text == "It is 7."


@pytest.mark.parametrize("knows", [{"usage"}, {"logprobs"}, set[str]()])
def test_what_the_server_does_not_tell_is_none_or_estimated(knows: set[str]) -> None:
    with MockServer(knows=frozenset(knows)) as server:
        [found] = write(OpenAI(server.url), prompt()).values()
    assert (found.logprob is None) == ("logprobs" not in knows)
    assert found.tokens == (len(found.text.split()) if knows else -(-len(found.text) // 4))


def test_the_address_may_end_as_it_likes() -> None:
    with MockServer() as server:
        for address in (server.root, f"{server.root}/", server.url, f"{server.url}/"):
            assert len(write(OpenAI(address), prompt())) == 1


def test_the_first_model_served_is_taken_and_named_in_the_identity() -> None:
    with MockServer(models=("small", "large"), max_model_len=512) as server:
        engine = OpenAI(server.url)
        assert engine.identity == f"openai:{server.url}:chat:small"
        assert engine.context_length == 512
        assert OpenAI(server.url, api_model="large").identity.endswith(":large")


def test_the_identity_of_a_named_model_needs_no_server() -> None:
    assert OpenAI("http://127.0.0.1:9/v1", api_model="m").identity == "openai:http://127.0.0.1:9/v1:chat:m"


def test_a_model_that_is_not_served_names_what_is() -> None:
    """DEC-33."""
    with MockServer(models=("small", "large")) as server, pytest.raises(UserError, match=r"'small', 'large'"):
        OpenAI(server.url, api_model="huge").check(CONFIG)
    assert len(server.asked) == 1


def test_a_server_that_is_not_there_is_one_line_with_what_was_tried() -> None:
    """MAIN-89."""
    with pytest.raises(
        UserError, match=r"^http://127\.0\.0\.1:9/v1: .*cannot be reached.*; tried 3 times in .* s\..*evaluate"
    ):
        OpenAI("http://127.0.0.1:9/v1").check(CONFIG)


@pytest.mark.parametrize(
    "address",
    [
        *("ftp://host", "http://", "/a/folder", "http://host/v1?key=1"),
        *("http://[::1", "http://host:99999", "http://host:port", "http://host:0/v1", "http://me:secret@[::1"),
    ],
)
def test_what_is_no_address_is_refused(address: str) -> None:
    with pytest.raises(UserError, match="address") as refused:
        OpenAI(address)
    assert "secret" not in str(refused.value)


def test_a_password_in_the_address_is_refused_and_not_shown() -> None:
    with pytest.raises(UserError) as refused:
        OpenAI("http://me:secret@host/v1")
    assert "secret" not in str(refused.value)


@pytest.mark.parametrize(("address", "owned_by"), [("https://api.openai.com/v1", ""), ("", "llamacpp")])
def test_a_server_that_cannot_continue_says_so_before_it_is_asked(
    address: str, owned_by: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with MockServer(owned_by=owned_by) as server:
        engine = OpenAI(address or server.url, api_model="mock")
        if address:

            async def listed(self: Any, path: str, read: Any) -> Any:
                return []

            monkeypatch.setattr("inference_kit.models.http.session.HttpSession.get", listed)
        assert not engine.capabilities.prefix
        engine.check(CONFIG)
        with pytest.raises(UserError, match="cannot apply branch_first"):
            engine.check(replace(CONFIG, branch_first=True))
        if address:
            with pytest.raises(UserError, match="cannot apply top_k"):
                engine.check(replace(CONFIG, top_k=5))


@pytest.mark.parametrize(
    ("owned_by", "kept"), [("vllm", {"repetition_penalty"}), ("sglang", set[str]()), ("someone", set[str]())]
)
def test_penalties_of_which_a_partial_answer_would_be_no_part_are_refused(owned_by: str, kept: set[str]) -> None:
    """Of what is begun, vLLM counts the prompt's tokens for one of them, and SGLang for none."""
    with MockServer(owned_by=owned_by) as server:
        engine = OpenAI(server.url)
        engine.check_continuation(CONFIG, "beam_search")
        for name in ("frequency_penalty", "presence_penalty", "repetition_penalty"):
            config = replace(CONFIG, **{name: 0.5})
            engine.check(config)
            if name in kept:
                engine.check_continuation(config, "beam_search")
                continue
            with pytest.raises(UserError, match=f"beam_search goes on .* engine OpenAI would begin {name} anew"):
                engine.check_continuation(config, "beam_search")


def test_a_server_that_says_nothing_of_itself_is_taken_at_its_word() -> None:
    with MockServer() as server:
        assert OpenAI(server.url).capabilities.prefix


def test_plain_completions_continue_the_text() -> None:
    with MockServer(knows=frozenset({"usage"})) as server:
        write(OpenAI(server.url, api="completions"), prompt(prefix="Well, "))
    [asked] = server.bodies("/v1/completions")
    assert asked["prompt"] == "What is 3 + 4?Well, "


def test_the_key_goes_into_the_header_only(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MY_KEY", "sk-secret")
    with MockServer() as server:
        engine = OpenAI(server.url, api_key_env="MY_KEY")
        write(engine, prompt())
    assert {each.headers["Authorization"] for each in server.asked} == {"Bearer sk-secret"}
    assert "sk-secret" not in engine.identity


def test_a_prompt_that_is_too_long_fails_with_the_lengths() -> None:
    """MAIN-86."""
    said = "This model's maximum context length is 256 tokens. However, your prompt contains at least 257 input tokens"

    def refuse(request: web.Request, body: dict[str, Any]) -> web.Response | None:
        return web.json_response({"error": {"message": said}}, status=400) if body else None

    with MockServer(fault=refuse) as server, pytest.raises(EngineError, match=r"256 tokens.*257 input tokens"):
        write(OpenAI(server.url), prompt())
    assert len(server.bodies()) == 1


@pytest.mark.parametrize(
    "said",
    [
        "'max_tokens' is too large. This model's maximum context length is 50 tokens: it has 45 input tokens",
        "This model's maximum context length is 50 tokens. However, you requested 64 output tokens and your prompt "
        "contains at least 45 input tokens, for a total of at least 109 tokens.",
        "This model's maximum context length is 50 tokens. However, you requested 109 tokens (45 in the messages, 64 "
        "in the completion).",
        "Requested token count exceeds the model's maximum context length of 50 tokens. You requested a total of 109 "
        "tokens: 45 tokens from the input messages and 64 tokens for the completion.",
    ],
    ids=["vLLM, old", "vLLM", "OpenAI", "SGLang"],
)
def test_a_completion_is_given_the_room_that_the_prompt_leaves(said: str) -> None:
    def refuse(request: web.Request, body: dict[str, Any]) -> web.Response | None:
        return web.json_response({"error": {"message": said}}, status=400) if body.get("max_tokens", 0) > 5 else None

    with MockServer(fault=refuse) as server:
        [found] = write(OpenAI(server.url), prompt()).values()
    assert (found.tokens, found.finish_reason) == (5, "length")


def test_a_server_without_logprobs_is_asked_without_them_from_then_on() -> None:
    def refuse(request: web.Request, body: dict[str, Any]) -> web.Response | None:
        return web.json_response({"error": {"message": "logprobs: no"}}, status=400) if "logprobs" in body else None

    with MockServer(fault=refuse) as server:
        engine = OpenAI(server.url)
        assert write(engine, prompt())[0].logprob is None
        assert write(engine, prompt())[0].logprob is None
    assert ["logprobs" in body for body in server.bodies()] == [True, False, False]


def test_that_there_are_no_logprobs_is_said_once() -> None:
    def refuse(request: web.Request, body: dict[str, Any]) -> web.Response | None:
        return web.json_response({"error": {"message": "logprobs: no"}}, status=400) if "logprobs" in body else None

    warned: list[str] = []
    sink = logger.add(lambda message: warned.append(str(message)), level="WARNING")
    with MockServer(fault=refuse, latency=0.02) as server:
        write(OpenAI(server.url), prompt(8))
    logger.remove(sink)
    assert len(warned) == 1


@pytest.mark.parametrize("value", [None, math.nan])
def test_a_logprob_that_is_no_number_is_none(value: float | None) -> None:
    """A number lost in the server's arithmetic costs no completion."""
    tokens = [{"token": "Se", "logprob": -0.5}, {"token": "ven", "logprob": value}]
    choice = {"message": {"content": "Seven"}, "logprobs": {"content": tokens}, "finish_reason": "stop"}

    def answer(_: web.Request, body: dict[str, Any]) -> web.Response | None:
        return web.json_response({"choices": [choice]}) if body else None

    with MockServer(fault=answer) as server:
        [found] = write(OpenAI(server.url), prompt()).values()
        assert (found.text, found.logprob) == ("Seven", None)
        assert len(server.bodies()) == 1


@pytest.mark.parametrize(("value", "read"), [(-math.inf, -9999.0), (1e-7, 0.0), (10**400, 0.0)])
def test_a_logprob_is_between_its_bounds(value: float, read: float) -> None:
    tokens = [{"token": "Seven", "logprob": value}]
    choice = {"message": {"content": "Seven"}, "logprobs": {"content": tokens}, "finish_reason": "stop"}

    def answer(_: web.Request, body: dict[str, Any]) -> web.Response | None:
        return web.json_response({"choices": [choice]}) if body else None

    with MockServer(fault=answer) as server:
        assert write(OpenAI(server.url), prompt())[0].logprob == read


def test_a_reply_that_filled_the_context_was_cut_off() -> None:
    """Mistral's own word for it."""
    choice = {"message": {"content": "Sev"}, "finish_reason": "model_length"}

    def answer(_: web.Request, body: dict[str, Any]) -> web.Response | None:
        return web.json_response({"choices": [choice]}) if body else None

    with MockServer(fault=answer) as server:
        assert write(OpenAI(server.url), prompt())[0].finish_reason == "length"


def test_a_service_that_does_not_serve_the_model_says_what_it_does() -> None:
    """DEC-33: a service may serve more than it lists, so it is found out by asking."""
    with (
        MockServer(models=("small", "large")) as server,
        pytest.raises(UserError, match=r"404.*'huge' and serves 'small', 'large'"),
    ):
        write(OpenAI(server.url, api_model="huge", server_kind="hosted"), prompt())
    assert len(server.bodies()) == 1


@pytest.mark.parametrize(
    ("said", "helps"),
    [
        ("No endpoints found for some/model.", "was asked for model 'mock' and serves"),
        ("No endpoints found that can handle the requested parameters.", "Leave out what it names"),
        ("No endpoints found matching your data policy.", "Leave out what it names"),
    ],
)
def test_a_service_without_a_provider_for_the_model_says_what_it_lacks(said: str, helps: str) -> None:
    def refuse(_: web.Request, body: dict[str, Any]) -> web.Response | None:
        return web.json_response({"error": {"message": said, "code": 404}}, status=404) if body else None

    with MockServer(fault=refuse) as server, pytest.raises(UserError, match=helps) as told:
        write(OpenAI(server.url), prompt())
    assert not isinstance(told.value, EngineError)
    assert said.rstrip(".") in str(told.value)
    assert len(server.bodies()) == 1


def test_a_server_without_the_place_that_is_asked_is_not_said_to_lack_the_model() -> None:
    def refuse(_: web.Request, body: dict[str, Any]) -> web.Response | None:
        return web.Response(status=404, text="404 page not found") if body else None

    with MockServer(fault=refuse) as server, pytest.raises(UserError, match="look at --model-path and --api") as told:
        write(OpenAI(server.url), prompt())
    assert "/v1/chat/completions" in str(told.value)


def refuse_by_filter(_: web.Request, body: dict[str, Any]) -> web.Response | None:
    """Azure's refusal of a prompt."""
    error = {
        "message": "The response was filtered due to the prompt triggering Azure OpenAI's content management policy.",
        "param": "prompt",
        "code": "content_filter",
        "status": 400,
        "innererror": {"code": "ResponsibleAIPolicyViolation"},
    }
    return web.json_response({"error": error}, status=400) if body else None


@pytest.mark.parametrize("config", [CONFIG, replace(CONFIG, token_details=True), replace(CONFIG, branch_first=True)])
def test_a_prompt_that_a_content_filter_refuses_is_withheld(config: GenerationConfig) -> None:
    with MockServer(fault=refuse_by_filter, owned_by="vllm") as server:
        found = write(OpenAI(server.url), prompt(3), config)
    assert found == dict.fromkeys(range(3), Completion("", "withheld", 0))
    assert len(server.bodies()) == 1


def test_a_stream_of_a_prompt_that_a_content_filter_refuses_is_withheld() -> None:
    with MockServer(fault=refuse_by_filter) as server:
        streamed = stream_and_close(OpenAI(server.url), prompt(2), CONFIG)
    assert streamed.completions == [Completion("", "withheld", 0)] * 2


def test_a_partial_answer_is_never_sent_to_a_server_that_would_begin_anew() -> None:
    with MockServer(owned_by="llamacpp") as server, pytest.raises(EngineError, match="partial answer"):
        write(OpenAI(server.url), prompt(prefix="Well, "))
    assert not server.bodies()


def test_token_details_that_the_server_does_not_give_are_an_error() -> None:
    with MockServer(knows=frozenset({"usage"})) as server, pytest.raises(EngineError, match="likeliest tokens"):
        write(OpenAI(server.url), prompt(), replace(CONFIG, token_details=True))
    assert len(server.bodies()) == 1


def test_a_server_that_does_not_tell_the_first_tokens_is_not_asked_again() -> None:
    """It would say the same eleven times, and each candidate of a judge would wait for that."""
    with MockServer(knows=frozenset({"usage"})) as server, pytest.raises(EngineError, match="likeliest tokens"):
        asyncio.run(OpenAI(server.url, retry_seconds=0.001).ask_first_tokens(prompt()))
    assert len(server.bodies()) == 1


def test_thoughts_that_the_server_took_apart_stand_before_the_reply() -> None:
    message = {"role": "assistant", "reasoning_content": "3, 4.", "content": "Seven."}
    answer = {"choices": [{"message": message, "finish_reason": "stop"}], "usage": {"completion_tokens": 4}}

    def think(_: web.Request, body: dict[str, Any]) -> web.Response | None:
        return web.json_response(answer) if body else None

    with MockServer(fault=think) as server:
        [found] = write(OpenAI(server.url), prompt()).values()
    assert (found.text, found.tokens) == ("<think>3, 4.</think>Seven.", 4)


def test_images_are_put_into_the_request(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(b"image")
    asked = Message("user", "What is this?", (str(tmp_path / "a.png"), "https://example.org/b.png"))
    with MockServer() as server:
        write(OpenAI(server.url), Prompt((Message("user", "Hi"), Message("assistant", "Hi"), asked)))
    assert [part["type"] for part in server.bodies()[0]["messages"][2]["content"]] == ["image_url", "image_url", "text"]
    assert server.bodies()[0]["messages"][2]["content"][0]["image_url"]["url"] == "data:image/png;base64,aW1hZ2U="


@pytest.mark.parametrize(
    "choice",
    [
        {"message": {"content": 7}},
        {"message": None},
        {"message": {"content": "x"}, "finish_reason": "abort"},
        {"message": {"content": "x"}, "logprobs": {"content": [{"token": "x", "logprob": "high"}]}},
        "x",
    ],
)
def test_an_answer_that_is_not_what_the_protocol_says_is_not_believed(choice: Any) -> None:
    def answer(_: web.Request, body: dict[str, Any]) -> web.Response | None:
        return web.json_response({"choices": [choice]}) if body else None

    with MockServer(fault=answer) as server, pytest.raises(EngineError, match="malformed"):
        write(OpenAI(server.url, max_retries=1, retry_seconds=0.001), prompt())
    assert len(server.bodies()) == 2


def test_prices_are_for_the_run_to_use() -> None:
    engine = OpenAI("http://127.0.0.1:9", prompt_price=0.15, completion_price=0.6)
    assert engine.prices is not None
    assert engine.prices.cost(Usage(prompt_tokens=1_000_000, generated_tokens=1_000_000)) == pytest.approx(0.75)
    assert OpenAI("http://127.0.0.1:9").prices is None
