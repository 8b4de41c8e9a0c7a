"""MATH and Minerva: the answer, or the last box of the solution."""

from collections.abc import Callable
from typing import Any

import pytest

from inference_kit.dataset.competition_math import MATH, Minerva
from inference_kit.errors import UserError
from inference_kit.records import Problem


def test_math_takes_the_answer_or_the_last_box(read: Callable[..., Problem]) -> None:
    """MAIN-40."""
    row = {
        "problem": "?",
        "solution": r"$\boxed{1}$, so $\boxed{\frac{1}{\sqrt{2}}}$.",
        "level": "Level 5",
        "type": "Algebra",
    }
    boxed, given = read(MATH, row), read(MATH, {**row, "answer": "p - q", "unique_id": "test/1.json"})
    assert (boxed.index, boxed.answer) == (0, r"\frac{1}{\sqrt{2}}")
    assert (given.index, given.answer) == ("test/1.json", "p - q")
    assert boxed.metadata == {"level": "Level 5", "type": "Algebra"}


def test_minerva_reads_both_published_forms(read: Callable[..., Problem]) -> None:
    ours = read(Minerva, {"problem": "?", "solution": r"\boxed{1.6} \mathrm{~cm}", "idx": 3})
    hub = read(Minerva, {"question": "?", "answer": "1.6"})
    assert (ours.index, ours.answer, hub.answer) == (3, "1.6", "1.6")


@pytest.mark.parametrize(
    ("row", "said"),
    [
        (
            {"problem": "?"},
            "field 'answer' is missing. This data set needs problem, answer or solution; yours has problem",
        ),
        ({"problem": "?", "solution": "It is 3."}, r"field 'solution' has no \boxed{} answer"),
        (
            {"prompt": "?", "answer": "3"},
            "field 'problem' is missing. This data set needs problem; yours has prompt, answer",
        ),
    ],
)
def test_math_says_what_it_lacks(read: Callable[..., Problem], row: Any, said: str) -> None:
    """MAIN-84."""
    with pytest.raises(UserError) as caught:
        read(MATH, row)
    assert said in str(caught.value)


def test_only_the_last_box_is_the_answer(read: Callable[..., Problem]) -> None:
    r"""MATH gives a value twice at times: `\boxed{15\frac{39}{40}}` or `\boxed{\frac{639}{40}}`."""
    solution = r"It is $\boxed{15\tfrac{39}{40}}$ or $\boxed{\frac{639}{40}}$."
    assert read(MATH, {"problem": "?", "solution": solution}).answer == r"\frac{639}{40}"
