"""Multiple choice: letters among options, however a set writes them."""

from collections.abc import Callable
from typing import Any

import pytest

from inference_kit.dataset.base import Dataset
from inference_kit.dataset.multiple_choice import MMLU, AQuA, SATMath
from inference_kit.errors import UserError
from inference_kit.records import Problem

OPTIONS = "(A) 5(√3 + 1)\n(B) $x$"


@pytest.mark.parametrize(
    ("family", "row"),
    [
        (AQuA, {"question": "Which?", "options": ["A)5(√3 + 1)", "B) $x$"], "correct": "B"}),
        (MMLU, {"question": "Which?", "choices": ["5(√3 + 1)", "$x$"], "answer": 1}),
        (MMLU, {"question": "Which?", "choices": ["5(√3 + 1)", "$x$"], "answer": "b"}),
        (SATMath, {"question": "Which?", "options": "A) 5(√3 + 1) B) $x$", "Answer": "B"}),
        (SATMath, {"Question": "Which?", "Possible Answers": "A) 5(√3 + 1) B) $x$", "Answer": "B"}),
        (SATMath, {"question": "Which?", "options": "A. 5(√3 + 1)\nB. $x$", "Answer": "B "}),
    ],
)
def test_a_choice_is_a_letter_among_options(read: Callable[..., Problem], family: type[Dataset], row: Any) -> None:
    problem = read(family, row, prompt_template="choice_boxed")
    assert (problem.answer, problem.answer_kind) == ("B", "choice")
    assert problem.metadata["choices"] == ["5(√3 + 1)", "$x$"]
    asked = f"Which?\n\n{OPTIONS}\n\nPlease reason step by step, and put the letter"
    assert problem.messages[-1].content.startswith(asked)
    assert problem.question == f"Which?\n\n{OPTIONS}"


def test_options_are_asked_under_any_template(read: Callable[..., Problem]) -> None:
    row = {"question": "Which?", "choices": ["5(√3 + 1)", "$x$"], "answer": 1}
    assert read(MMLU, row, prompt_template="plain").messages[-1].content == f"Which?\n\n{OPTIONS}"


@pytest.mark.parametrize(
    ("family", "row", "said"),
    [
        (
            AQuA,
            {"question": "?", "options": ["A)1", "B)2"], "correct": "C"},
            "the right option is 'C', and the options are A, B",
        ),
        (MMLU, {"question": "?", "choices": ["1", "2"], "answer": 2}, "the right option is 'C'"),
        (MMLU, {"question": "?", "choices": [], "answer": 0}, "the options are none"),
        (SATMath, {"question": "?", "options": "1, 2", "Answer": "A"}, "field 'options' does not begin with A) or A."),
        (
            AQuA,
            {"question": "?", "options": "A)1", "correct": "A"},
            "field 'options' must be a list of texts, found a text",
        ),
    ],
)
def test_a_letter_without_an_option_is_refused(
    read: Callable[..., Problem], family: type[Dataset], row: Any, said: str
) -> None:
    with pytest.raises(UserError) as caught:
        read(family, row)
    assert said in str(caught.value)
