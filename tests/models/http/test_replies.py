"""Replies as servers write them, in every spelling; no server is needed to read one."""

import json
from dataclasses import replace
from typing import Any

import pytest

from inference_kit.models.http.replies import Reply, read_reply
from inference_kit.models.http.streams import EventReader, parse_answer
from inference_kit.models.http.untrusted_json import Malformed
from inference_kit.models.http.wording.endings import read_ending
from inference_kit.records import Completion, GenerationConfig

CONFIG = GenerationConfig(max_new_tokens=64)


def read(message: Any, finish_reason: Any = "stop", config: GenerationConfig = CONFIG, **more: Any) -> Completion:
    choice = {"index": 0, "message": message, "finish_reason": finish_reason}
    return read_reply({"choices": [choice | more], "usage": {"completion_tokens": 4.0}}, 1, config).completions[0]


def read_events(events: list[Any], config: GenerationConfig = CONFIG) -> tuple[str, Reply]:
    reader, shown = EventReader(1, config), ""
    lines = [f"data: {json.dumps({'choices': [each]})}" for each in events]
    for line in [*lines, "data: [DONE]"]:
        shown += "".join(piece for _, piece in reader.read(line))
    *pieces, reply = reader.end()
    assert isinstance(reply, Reply)
    return shown + "".join(each[1] for each in pieces if not isinstance(each, Reply)), reply


@pytest.mark.parametrize(
    ("content", "text"),
    [
        ([{"type": "text", "text": "It is "}, {"type": "text", "text": "7."}], "It is 7."),
        (["It is ", "7."], "It is 7."),
        ([{"type": "output_text", "text": "7"}, {"type": "image_url", "image_url": {"url": "x"}}], "7"),
        (
            [{"type": "thinking", "thinking": [{"type": "text", "text": "3 + 4"}]}, {"type": "text", "text": "7"}],
            "<think>3 + 4</think>7",
        ),
        ([{"type": "reasoning", "text": "3 + 4"}, {"type": "text", "text": "7"}], "<think>3 + 4</think>7"),
        ({"type": "text", "text": "7"}, "7"),
        ({"parts": [{"text": "7"}]}, "7"),
        ([None, {"type": "redacted_thinking", "data": "x"}, {"type": "text", "text": "7"}], "7"),
        (
            [{"type": "reasoning", "summary": [{"type": "summary_text", "text": "3 + 4"}]}, {"text": "7"}],
            "<think>3 + 4</think>7",
        ),
        ([], ""),
        (None, ""),
    ],
)
def test_a_content_in_parts_is_read(content: Any, text: str) -> None:
    assert read({"content": content}).text == text


@pytest.mark.parametrize(
    "apart",
    [
        *({name: "3 + 4"} for name in ("reasoning_content", "reasoning", "thinking")),
        {"reasoning": "3 + 4", "reasoning_content": "3 + 4"},
        {"reasoning": {"text": "3 + 4"}},
        {"reasoning_details": [{"type": "reasoning.text", "text": "3 + 4"}]},
    ],
)
def test_reasoning_is_found_wherever_a_server_puts_it(apart: dict[str, Any]) -> None:
    assert read({"content": "7", **apart}).text == "<think>3 + 4</think>7"
    assert read({"content": "<think>3 + 4</think>7", **apart}).text == "<think>3 + 4</think>7"


def test_a_content_of_other_kinds_is_malformed() -> None:
    with pytest.raises(Malformed):
        read({"content": [7]})


@pytest.mark.parametrize(
    ("usage", "tokens"),
    [
        ({"completion_tokens": "4"}, (4, 0)),
        ({"output_tokens": 4, "input_tokens": 3}, (4, 3)),
        ({"prompt_tokens": 3, "total_tokens": 7}, (4, 3)),
        ({"prompt_tokens": 3, "completion_tokens": 2, "total_tokens": 100}, (97, 3)),  # reasoning is in the total only
        ({"prompt_tokens": 3, "completion_tokens": 4, "total_tokens": 0}, (4, 3)),
        ({"prompt_tokens": -1, "completion_tokens": -1}, (1, 0)),
        ([], (1, 0)),
        (None, (1, 0)),
    ],
)
def test_tokens_are_counted_as_servers_count_them(usage: Any, tokens: tuple[int, int]) -> None:
    data = {"choices": [{"message": {"content": "7"}, "finish_reason": "stop"}], "usage": usage}
    [found] = read_reply(data, 1, CONFIG).completions
    assert (found.tokens, found.prompt_tokens) == tokens


def test_a_reply_without_an_end_that_is_as_long_as_it_may_be_is_cut() -> None:
    assert read({"content": "7"}, None, replace(CONFIG, max_new_tokens=4)).finish_reason == "length"
    assert read({"content": "7"}, None, replace(CONFIG, max_new_tokens=5)).finish_reason == "stop"
    assert read({"content": "7"}, "stop", replace(CONFIG, max_new_tokens=4)).finish_reason == "stop"


def test_a_count_may_be_a_whole_float() -> None:
    assert read({"content": "7"}).tokens == 4
    with pytest.raises(Malformed):
        read_reply({"choices": [{"message": {"content": "7"}}], "usage": {"completion_tokens": 4.5}}, 1, CONFIG)


@pytest.mark.parametrize(
    ("reason", "ending"),
    [
        *((each, "length") for each in ("length", "max_tokens", "MAX_TOKENS", "FinishReason.MAX_TOKENS", "max-tokens")),
        *((each, "withheld") for each in ("content_filter", "SAFETY", "RECITATION", "refusal", "content-filter")),
        *(
            (each, "length")
            for each in ("model_length", "token_limit_reached", "LENGTH_CAP", "truncated", "ERROR_LIMIT")
        ),
        *((each, "withheld") for each in ("IMAGE_SAFETY", "ERROR_TOXIC", "guardrail_intervened", "policy_violation")),
        *((each, "broken") for each in ("error", "abort", "insufficient_system_resource", "USER_CANCEL", "timed_out")),
        *((each, "stop") for each in ("stop", "STOP", "eos_token", "stop_sequence", "end_turn", "tool_calls", None, 7)),
        *((each, "stop") for each in ("", "eos", "COMPLETE", "pause_turn", "null", "FINISH_REASON_UNSPECIFIED")),
        ({"type": "length", "length": 7}, "length"),
    ],
)
def test_a_finish_reason_is_read_in_every_spelling(reason: Any, ending: str) -> None:
    assert read_ending(reason) == ending


def test_what_a_filter_stopped_or_the_model_refused_is_withheld() -> None:
    assert read({"content": "Half an"}, "content_filter").finish_reason == "withheld"
    assert read(None, "content_filter").finish_reason == "withheld"
    refused = read({"content": None, "refusal": "I cannot help."})
    assert (refused.text, refused.finish_reason) == ("I cannot help.", "withheld")


def test_what_filters_say_beside_a_choice_counts() -> None:
    filtered = {"hate": {"filtered": True, "severity": "high"}, "self_harm": {"filtered": False}}
    assert read({"content": ""}, content_filter_results=filtered).finish_reason == "withheld"
    assert read({"content": "7"}, content_filter_results={"hate": {"filtered": False}}).finish_reason == "stop"
    blocked = {"choices": [], "prompt_filter_results": [{"content_filter_results": filtered}]}
    assert read_reply(blocked, 1, CONFIG).completions[0].finish_reason == "withheld"
    with pytest.raises(Malformed, match="0 choices"):
        read_reply({"choices": []}, 1, CONFIG)


def test_an_error_in_the_place_of_a_choice_is_malformed() -> None:
    with pytest.raises(Malformed, match="Provider"):
        read({"content": ""}, None, error={"message": "Provider returned error"})


STOPPED = replace(CONFIG, stop=("Question:",))


def test_a_stop_text_in_a_thought_that_was_taken_apart_cuts_nothing() -> None:
    message = {"reasoning_content": "The Question: is a sum.", "content": "It is 7. Question: what else?"}
    found = read(message, config=STOPPED)
    assert (found.text, found.finish_reason) == ("<think>The Question: is a sum.</think>It is 7. ", "stop")


def test_a_stop_text_in_a_streamed_thought_cuts_nothing() -> None:
    events = [
        {"delta": {"reasoning_content": "The Question:"}},
        {"delta": {"reasoning_content": " is a sum."}},
        {"delta": {"content": "It is 7. Quest"}},
        {"delta": {"content": "ion: what else?"}, "finish_reason": "stop"},
    ]
    shown, reply = read_events(events, STOPPED)
    assert shown == reply.completions[0].text == "<think>The Question: is a sum.</think>It is 7. "


def test_an_answer_that_comes_as_events_is_read_as_a_whole() -> None:
    events = [
        ": waiting",
        'data: {"choices": [{"delta": {"reasoning_content": "3 + 4"}}]}',
        'data: {"choices": [{"delta": {"content": "7"}, "finish_reason": "length"}]}',
        'data: {"choices": [], "usage": {"completion_tokens": 5}}',
        "data: [DONE]",
    ]
    [found] = read_reply(parse_answer("\n\n".join(events).encode()), 1, CONFIG).completions
    assert (found.text, found.tokens, found.finish_reason) == ("<think>3 + 4</think>7", 5, "length")
    with pytest.raises(Malformed, match="broke off"):
        parse_answer("\n\n".join(events[:2]).encode())


def test_an_event_with_an_empty_error_is_none() -> None:
    reader = EventReader(1, CONFIG)
    assert list(reader.read('data: {"error": null, "choices": [{"delta": {"content": "7"}}]}')) == [(0, "7")]


EVENT = 'data: {"choices": [{"delta": {"content": "7"}, "finish_reason": "stop"}]}'


@pytest.mark.parametrize(
    "events",
    [
        [": waiting", EVENT, "data: [DONE]"],
        ["id: 1", EVENT],
        ["retry: 1000", EVENT, "data: [DONE]", "data: "],
        ["event: ping", 'data: {"type": "ping"}', "", EVENT],
        ["data:", "data: ping", EVENT],
        [EVENT, 'data: {"choices": [{"message": {"content": "7"}, "finish_reason": "stop"}]}', "data: [DONE]"],
    ],
)
def test_signs_of_life_and_what_is_told_twice_are_no_text(events: list[str]) -> None:
    for end in ("\n\n", "\r\n\r\n"):
        [found] = read_reply(parse_answer(end.join(events).encode()), 1, CONFIG).completions
        assert (found.text, found.finish_reason) == ("7", "stop")


@pytest.mark.parametrize(
    "error",
    [
        'data: {"error": {"message": "boom", "code": 500}}',
        'event: error\ndata: {"message": "boom"}',
        'error: {"message": "boom"}',
    ],
)
def test_an_error_among_events_is_one_whatever_follows(error: str) -> None:
    for events in ([error], [EVENT, error, "data: [DONE]"]):
        with pytest.raises(Malformed, match="boom"):
            parse_answer("\n\n".join(events).encode())


def test_ends_of_lines_in_a_text_end_no_event() -> None:
    event = json.dumps(
        {"choices": [{"delta": {"content": "a\u2028b\x85c"}, "finish_reason": "stop"}]}, ensure_ascii=False
    )
    assert read_reply(parse_answer(f"data: {event}\n\n".encode()), 1, CONFIG).completions[0].text == "a\u2028b\x85c"
