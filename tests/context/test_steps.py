"""Steps: where they are cut, and how long the next one may get."""

from dataclasses import replace

import pytest

from inference_kit.context.steps import StepLength, cut_crossing_stop, end_of_step, split_steps
from inference_kit.records import Completion, FinishReason, Node


@pytest.mark.parametrize(
    ("text", "steps"),
    [
        ("a\n\nb", ("a", "b")),
        ("a\n\n \n\nb\n\n", ("a", "b")),
        ("<think>a\n\nb</think>c", ("<think>a", "b</think>", "c")),
        ("  \n", ()),
    ],
)
def test_a_reply_is_cut_at_the_separator_and_behind_its_thoughts(text: str, steps: tuple[str, ...]) -> None:
    assert split_steps(text, "\n\n") == steps


def test_without_a_separator_a_reply_is_one_step() -> None:
    assert split_steps("a\n\nb", "") == ("a\n\nb",)


@pytest.mark.parametrize(
    ("length", "room", "tokens"),
    [
        (StepLength(), 50, 50),
        (StepLength(tokens=20), 50, 20),
        (StepLength(tokens=20), 5, 5),
        (StepLength(until_tokens=12), 50, 2),
        (StepLength(until_tokens=3), 50, 1),
    ],
)
def test_a_step_is_as_long_as_its_limits_and_the_room_allow(length: StepLength, room: int, tokens: int) -> None:
    node = Node("text", Node(), (0,), tokens=10)
    assert length.tokens_behind(node, room) == tokens


@pytest.mark.parametrize(
    ("reason", "tokens", "step_tokens", "room", "expected"),
    [
        ("stop", 5, 10, 50, "stop"),
        ("length", 10, 10, 50, "boundary"),
        ("length", 5, 10, 50, "length"),
        ("length", 10, 10, 10, "length"),
        ("boundary", 5, 10, 50, "boundary"),
        ("boundary", 10, 10, 10, "length"),
    ],
)
def test_a_step_cut_by_its_own_length_goes_on_and_one_without_room_ends(
    reason: FinishReason, tokens: int, step_tokens: int, room: int, expected: FinishReason
) -> None:
    assert end_of_step(Completion("text", reason, tokens), step_tokens, room).finish_reason == expected


@pytest.mark.parametrize(
    ("before", "text", "cut"),
    [
        ("The sum is 12.\n\n", "Question: what is left?", True),
        ("The sum is 12.\n\nQue", "stion", True),
        ("The sum is 12.", "\n\nQuestion: what", False),  # within the text, where its engine cuts it
        ("12.\n\nQuestion of before. ", "So it is 42.", False),
        ("The sum is 12.\n\n", "A Question.", False),
        ("", "Question", False),
    ],
)
def test_a_stop_text_that_begins_in_the_step_before_ends_the_reply(before: str, text: str, cut: bool) -> None:
    """Issue 13, F9: whatever the engine is, a step search ends where a whole completion would."""
    written = Completion(text, "boundary", tokens=7, token_ids=(1, 2))
    found = cut_crossing_stop(written, before, ("never said", "\n\nQuestion"))
    assert found == (replace(written, text="", finish_reason="stop", token_ids=()) if cut else written)
