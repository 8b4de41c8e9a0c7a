"""SVAMP: a story and a question."""

from collections.abc import Callable

from inference_kit.dataset.svamp import SVAMP
from inference_kit.records import Problem


def test_svamp_joins_story_and_question(read: Callable[..., Problem]) -> None:
    problem = read(
        SVAMP, {"ID": "chal-1", "Body": "There are 2 groups", "Question": "How big?", "Answer": 145.0, "Type": "X"}
    )
    assert (problem.index, problem.answer, problem.metadata) == ("chal-1", "145", {"Type": "X"})
    assert problem.messages[-1].content.startswith("There are 2 groups. How big?")
