"""What follows "the answer is" is read without its reason."""

import pytest

from inference_kit.grader.finding.marked import find_marked


@pytest.mark.parametrize(
    ("text", "answer"),
    [
        ("The answer is 42 because geometry proves it.", "42"),
        ("The answer is $42$!", "42"),
        ("The answer is $x$ and $y$.", "$x$ and $y$"),
        ("The answer is yes, because 4 is even.", "yes"),
        ("Answer: the solution set is the open interval (2, 9)", "(2, 9)"),
        ("The answer is x = 3 and y = 4, as we saw.", "x = 3, y = 4"),
        ("The answer is 41. No: the answer is 42.", "42"),
        ("Answer:\n\nAnswer: 42", "42"),
        ("Vậy đáp án là 58.", "58"),
        ("Nothing", None),
    ],
)
def test_the_answer_and_no_more(text: str, answer: str | None) -> None:
    assert find_marked(text) == answer
