"""GSM8K: the number after `####`."""

from collections.abc import Callable

import pytest

from inference_kit.dataset.gsm8k import GSM8K
from inference_kit.errors import UserError
from inference_kit.records import Problem


def test_gsm8k_takes_the_number_at_the_end(read: Callable[..., Problem]) -> None:
    """MAIN-40."""
    problem = read(GSM8K, {"question": "How much?", "answer": "1000 + 200 = <<1000+200=1200>>1,200\n#### 1,200"})
    assert (problem.index, problem.answer, problem.answer_kind) == (0, "1200", "number")
    asked = "How much?\n\nPlease reason step by step, and put your final answer within \\boxed{}."
    assert (problem.messages[-1].content, problem.question) == (asked, "How much?")


@pytest.mark.parametrize("answer", ["1200", "so ####  "])
def test_gsm8k_refuses_a_solution_without_its_mark(read: Callable[..., Problem], answer: str) -> None:
    """MAIN-84."""
    with pytest.raises(UserError, match=r"mine\.jsonl:1: field 'answer' has no answer after '####'"):
        read(GSM8K, {"question": "?", "answer": answer})
