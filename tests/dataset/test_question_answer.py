"""Question and answer: dollars, digits and ids."""

from collections.abc import Callable
from typing import Any

import pytest

from inference_kit.dataset.question_answer import Contest, QuestionAnswer
from inference_kit.records import Problem


@pytest.mark.parametrize(
    ("answer", "gold"),
    [
        ("$\\frac{9}{2} $", "\\frac{9}{2}"),
        ("$48$, $384$", "$48$, $384$"),
        (27.0, "27"),
        ("27.0", "27"),
        ("025", "025"),
        ("", ""),
    ],
)
def test_answers_lose_their_dollars_and_no_digit(read: Callable[..., Problem], answer: Any, gold: str) -> None:
    assert read(QuestionAnswer, {"question": "?", "answer": answer}).answer == gold


def test_cmath_reads_both_published_forms(read: Callable[..., Problem]) -> None:
    for name in ("golden", "answer"):
        assert read(QuestionAnswer, {"grade": 1, "question": "?", name: "9"}).answer == "9"


def test_a_contest_problem_has_an_id(read: Callable[..., Problem]) -> None:
    problem = read(Contest, {"id": 60, "problem": "Find it.", "answer": "204"})
    assert (problem.index, problem.messages[-1].content.partition("\n")[0]) == (60, "Find it.")


def test_chinese_is_asked_in_chinese(read: Callable[..., Problem]) -> None:
    problem = read(QuestionAnswer, {"question": "还剩多少页？", "answer": "9"}, prompt_template="cot_boxed_zh")
    assert problem.messages[-1].content == "还剩多少页？\n\n请逐步推理，并把最终答案写在 \\boxed{} 中。"
