"""RewardModel: what holds for every reward model, whatever it is made of."""

import asyncio
import math
from collections.abc import Sequence

import pytest
from loguru import logger

from inference_kit.errors import EngineError
from inference_kit.records import Message, Problem, StepScores
from inference_kit.reward_models.base import RewardModel, ScoreItem, TooLong

PROBLEM = Problem("1", (Message("user", "How many?"),))


class Scripted(RewardModel):
    """Gives what it is told to."""

    identity = "scripted"

    def __init__(self, *scores: float) -> None:
        self.given, self.shown = list(scores), []

    def score(self, problem: Problem, steps: Sequence[str]) -> list[float]:
        """Give it."""
        self.shown.append(tuple(steps))
        return self.given


def ask(model: RewardModel, *steps: str) -> tuple[float, ...]:
    return asyncio.run(model.scores(PROBLEM, steps)).scores


def test_scores_are_put_into_their_range_and_what_is_no_number_counts_nothing_and_is_reported() -> None:
    said: list[str] = []
    sink = logger.add(said.append, level="WARNING", format="{message}")
    model = Scripted(-0.5, 1.5, math.nan)
    try:
        assert ask(model, "a", "b", "c") == (0.0, 1.0, 0.0)
        model = Scripted(math.nan, math.nan, 0.5)
        assert ask(model, "a", "b", "c") == (0.0, 0.0, 0.5)
        asyncio.run(model.close())
    finally:
        logger.remove(sink)
    assert [line.strip() for line in said] == [
        "a score of the reward model is not a number and counts 0",
        "a score of the reward model is not a number and counts 0",
        "2 scores of the reward model were not numbers and counted 0",
    ]


def test_a_wrong_number_of_scores_is_an_error_never_padded() -> None:
    with pytest.raises(EngineError, match="gave 2 scores for 3 steps"):
        ask(Scripted(0.5, 0.5), "a", "b", "c")


def test_blank_steps_are_dropped_before_they_are_shown() -> None:
    model = Scripted(0.5, 0.6)
    assert ask(model, "a", " \n", "b", "") == (0.5, 0.6)
    assert model.shown == [("a", "b")]
    assert ask(model, "") == ()


class Short(RewardModel):
    """Reads solutions of one step only."""

    identity = "short"

    def score_batch(self, items: Sequence[ScoreItem]) -> list[StepScores | TooLong]:
        """Refuse the others one by one."""
        return [StepScores((0.5,)) if len(steps) == 1 else TooLong(f"{len(steps)} steps") for _, steps in items]


def test_a_solution_that_is_too_long_counts_nothing_and_is_reported() -> None:
    """The others of its problem keep their scores."""
    said: list[str] = []
    sink = logger.add(said.append, level="WARNING", format="{message}")
    model = Short()

    async def all_at_once() -> list[StepScores]:
        solutions = (("a",), ("a", "b"), ("c",), ("a", "b", "c"))
        return await asyncio.gather(*(model.scores(PROBLEM, steps) for steps in solutions))

    assert [each.scores for each in asyncio.run(all_at_once())] == [(0.5,), (0.0,), (0.5,), (0.0,)]
    asyncio.run(model.close())
    logger.remove(sink)
    assert [line.strip() for line in said] == [
        "a solution counts 0: 2 steps",
        "2 solutions were too long for the reward model and count 0",
    ]


def test_one_of_score_and_score_batch_is_enough() -> None:
    assert Short().score(PROBLEM, ("a",)) == [0.5]
    with pytest.raises(TooLong, match="2 steps"):
        Short().score(PROBLEM, ("a", "b"))
    with pytest.raises(NotImplementedError, match="writes neither score nor score_batch"):
        RewardModel().score(PROBLEM, ("a",))
