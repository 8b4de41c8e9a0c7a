"""OlympiadBench: answers of several parts."""

from collections.abc import Callable

from inference_kit.dataset.olympiadbench import OlympiadBench
from inference_kit.records import Problem


def test_an_olympiad_answer_of_several_parts_stays_one_answer(read: Callable[..., Problem]) -> None:
    """A tuple would mean that any of them is right."""
    row = {
        "id": 5,
        "context": " Let $p$ be prime. ",
        "question": "Find $p$.",
        "final_answer": ["$2$", "$3$"],
        "unit": "km",
    }
    problem = read(OlympiadBench, row)
    assert (problem.index, problem.answer, problem.metadata) == (5, "2, 3", {"unit": "km"})
    assert problem.messages[-1].content.startswith("Let $p$ be prime.\n\nFind $p$.")
    assert read(OlympiadBench, {**row, "context": None}).messages[-1].content.startswith("Find $p$.")
