"""A thought that was cut off gives no answer; what a response says behind its thoughts does."""

import time

import pytest

from inference_kit.grader import extract, grade
from inference_kit.grader.finding.thoughts import drop_thinking


@pytest.mark.parametrize(
    ("response", "kept"),
    [
        ("<think>a</think>b", "b"),
        ("<thinking>a</thinking>b", "b"),
        ("<thought>a</thought> b", " b"),
        ("<reasoning>\na\n</reasoning>\nb", "\nb"),
        ("◁think▷a◁/think▷b", "b"),
        ("[THINK]a[/THINK]b", "b"),
        ("<|begin_of_thought|>a<|end_of_thought|>b", "b"),
        ("a</think>b", "b"),
        ("<think>a</think>b<think>c</think>d", "d"),
        ("b<reasoning>a</reasoning>", "b"),
        ("<think>a</think>", "a"),
        ("<think>a", ""),
        ("<think>a</think><think>b", ""),
        ("<think>a</think>b<think>c", "b"),
        ("<THINK>a", ""),
        ("<think>a <answer>b</answer>", "<think>a <answer>b</answer>"),
        ("b<|im_end|>\n<|im_start|>user\nc", "b"),
        ("b<end_of_turn>c", "b"),
        ("b</s>c", "b"),
        ("<|channel|>analysis<|message|>a<|end|><|start|>assistant<|channel|>final<|message|>b<|return|>", "b"),
        ("<|channel|>analysis<|message|>a", ""),
        ("analysisWe count.assistantfinalb", "b"),
        ("analysisWe count", ""),
        ("analysis of it", "analysis of it"),
    ],
)
def test_what_counts_of_a_response(response: str, kept: str) -> None:
    assert drop_thinking(response) == kept


@pytest.mark.parametrize(
    "response",
    [
        r"<think>So it is \boxed{42}. Let me check that",
        "<think>The answer is 42. But wait",
        "<think>\n42",
        "<think>first</think><think>So the answer is 42",
        "<|channel|>analysis<|message|>The answer is 42",
    ],
)
def test_an_answer_inside_a_thought_that_was_never_closed_is_none(response: str) -> None:
    """Issue 13: neither for votes nor for grades."""
    assert extract(response) is None
    assert not grade("42", response).correct


def test_a_thought_that_the_limit_cut_is_no_answer_where_the_server_closed_it() -> None:
    assert extract("<think>The answer is 42.</think>") == "42"
    assert extract("<think>The answer is 42.</think>", cut_off=True) is None
    assert extract("<think>The answer is 41.</think>It is 42", cut_off=True) == "42"
    assert extract("So the answer is 42. Now", cut_off=True) == "42"


@pytest.mark.parametrize("piece", ["<think>", "</think>", "<think>a</think>", "<|channel|>", "[THINK]", "◁think▷", "<"])
def test_the_time_grows_with_the_length_of_the_text_only(piece: str) -> None:
    started = time.process_time()
    drop_thinking("think" + piece * (500_000 // len(piece)))
    assert time.process_time() - started < 1.0
