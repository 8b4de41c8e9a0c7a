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
        ([], ""),
        (None, ""),
    ],
)
def test_a_content_in_parts_is_read(content: Any, text: str) -> None:
    assert read({"content": content}).text == text


def test_a_content_of_other_kinds_is_malformed() -> None:
    with pytest.raises(Malformed):
        read({"content": [7]})


def test_a_count_may_be_a_whole_float() -> None:
    assert read({"content": "7"}).tokens == 4
    with pytest.raises(Malformed):
        read_reply({"choices": [{"message": {"content": "7"}}], "usage": {"completion_tokens": 4.5}}, 1, CONFIG)


@pytest.mark.parametrize(
    ("reason", "ending"),
    [
        *((each, "length") for each in ("length", "max_tokens", "MAX_TOKENS", "FinishReason.MAX_TOKENS", "max-tokens")),
        *((each, "withheld") for each in ("content_filter", "SAFETY", "RECITATION", "refusal", "content-filter")),
        *((each, "broken") for each in ("error", "abort", "insufficient_system_resource")),
        *((each, "stop") for each in ("stop", "STOP", "eos_token", "stop_sequence", "end_turn", "tool_calls", None, 7)),
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
