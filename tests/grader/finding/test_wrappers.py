"""What a wrapper holds is found, the last one of several."""

import time

import pytest

from inference_kit.grader.finding.wrappers import drop_fences, find_block, find_wrapped


@pytest.mark.parametrize(
    ("text", "content"),
    [
        ("<answer>1</answer>", "1"),
        ("<answer>1</answer><answer>2</answer>", "2"),
        ("<answer>1</answer><answer></answer>", "1"),
        ("<Final_Answer>1", "1"),
        ("[ANSWER] 1 [/ANSWER]", "1"),
        ("<|begin_of_box|>1<|end_of_box|>", "1"),
        ('{"answer": 1.5}', "1.5"),
        ('{"answer": "a \\"b\\""}', 'a "b"'),
        ('{"answer": "\\\\frac12"}', r"\frac12"),
        ('{"answer": "\\frac12"}', r"\frac12"),
        ('{"answer": "30\\u00b0"}', "30°"),
        ('{"answer": ["a", "b"]}', "a, b"),
        ('{"answer": true}', "True"),
        ('{"answer": null, "guess": 3}', ""),
        ("{'final_answer': '1'}", "1"),
    ],
)
def test_the_content_of_the_last_wrapper(text: str, content: str) -> None:
    wrapped = find_wrapped(text)
    assert wrapped is not None and wrapped.content == content


@pytest.mark.parametrize(
    "text", ["", "42", "<b>42</b>", '{"question": 5}', "answer: 5", "the <answers>", '"answer": x']
)
def test_no_wrapper(text: str) -> None:
    assert find_wrapped(text) is None


def test_a_block_of_code_at_the_end() -> None:
    assert find_block("So\n```\n42\n```\n") == "42"
    assert find_block("```python\na\n```\nso\n```text\n42\n```") == "42"
    assert find_block("```\n42\n```\nand more") is None
    assert find_block("```") is None
    assert drop_fences("```json\n1\n```").strip() == "1"


@pytest.mark.parametrize(
    "piece", ["<answer>", "[answer]", '"answer": ', '"answer": "', '"answer": [', "```\n", "'", "{"]
)
def test_the_time_grows_with_the_length_of_the_text_only(piece: str) -> None:
    started = time.process_time()
    text = piece * (50_000 // len(piece))
    find_wrapped(text)
    find_block(text)
    drop_fences(text)
    assert time.process_time() - started < 0.5
