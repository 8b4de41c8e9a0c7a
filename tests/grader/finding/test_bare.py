"""An answer as it stands is told from a sentence that holds one."""

import pytest

from inference_kit.grader.finding.bare import is_bare_answer


@pytest.mark.parametrize(
    "text",
    [
        "42", r"\frac12", "(a, b)", "3 apples", "58 元", "5平方厘米", "no solution", "Emma", "x = 5", "log 5",
        "theta = pi/3",
        "x > 2", "張三", "5 kg", "Area = 72", "twenty-one", "π", "απ",
    ],
)  # fmt: skip
def test_an_answer_stands_by_itself(text: str) -> None:
    assert is_bare_answer(text)


@pytest.mark.parametrize(
    "text",
    [
        "the balance moves by -860", "So x = 5", "dus 58", "还剩58元的钱和东西", "答：84棵", "It is even",
        "There are 5",
        "ответ равен 58", "έμειναν 58 μήλα", "The curve is a hyperbola", "they pay 5 dollars, which is little",
    ],
)  # fmt: skip
def test_a_sentence_does_not(text: str) -> None:
    assert not is_bare_answer(text)
