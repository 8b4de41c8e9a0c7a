"""Oracle: the gold answer as reward model."""

import pytest

from inference_kit.errors import EngineError
from inference_kit.records import Message, Problem
from inference_kit.registry import summarize_entry
from inference_kit.reward_models.rules.oracle import Oracle

PROBLEM = Problem("1", (Message("user", "How many?"),), answer="1/2")


def test_right_is_one_and_wrong_is_none() -> None:
    oracle = Oracle()
    assert oracle.score(PROBLEM, ("So", "it is \\boxed{0.5}.")) == [1.0]
    assert oracle.score(PROBLEM, ("So", "it is \\boxed{0.6}.")) == [0.0]
    assert oracle.score(PROBLEM, ("So",)) == [0.0]


def test_strict_takes_the_last_box() -> None:
    steps = ("\\boxed{0.5}", "\\boxed{2}")
    assert (Oracle().score(PROBLEM, steps), Oracle(strict=True).score(PROBLEM, steps)) == ([1.0], [0.0])
    assert Oracle().identity != Oracle(strict=True).identity


def test_it_says_that_it_is_no_result() -> None:
    assert "upper bound" in summarize_entry(Oracle)


def test_a_problem_without_a_gold_answer_is_refused() -> None:
    with pytest.raises(EngineError, match="problem 1 has no gold answer"):
        Oracle().score(Problem("1", PROBLEM.messages), ("a",))
