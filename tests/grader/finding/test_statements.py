"""What a box holds is read: behind its label, or out of its sentence."""

import time

import pytest

from inference_kit.grader.finding.statements import read_content


@pytest.mark.parametrize(
    ("content", "answer"),
    [
        (r"\text{Area}: 72", "72"),
        (r"\text{Cost: \$72}", "$72"),
        (r"\text{The final value is 385}", "385"),
        (r"\text{The train takes } 72 \text{ minutes.}", "72"),
        (r"\text{Vertex: } (3, -2)", "(3, -2)"),
        (r"\text{Emma is the tallest}", "Emma"),
        ("答案：72", "72"),
    ],
)
def test_a_sentence_or_a_label(content: str, answer: str) -> None:
    assert read_content(content) == answer


@pytest.mark.parametrize(
    "content",
    ["42", r"\frac{1}{2}", r"72 \text{ cm}", r"f(x) = 3x \text{ whenever } x > 0", r"\text{no solution}", "3:2",
     "np.arcsin(10/13)", r"\text{Emma}", "sin 30", "x" * 5000],
)  # fmt: skip
def test_what_is_neither_stays(content: str) -> None:
    assert read_content(content) == content


@pytest.mark.parametrize("piece", [r"\text{a", "a b ", "Area: ", "is 5 ", r"\text{}", "}"])
def test_the_time_grows_with_the_length_of_the_text_only(piece: str) -> None:
    started = time.process_time()
    read_content("The " + piece * (590 // len(piece)))
    assert time.process_time() - started < 0.2
