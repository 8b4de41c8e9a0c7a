"""Self-improvement against conversations worked out by hand."""

import asyncio
from collections.abc import Sequence

import pytest
from fakes import Talker
from hypothesis import given
from hypothesis import strategies as st
from search.world import GRADER, PROBLEM

from inference_kit.context import Rules
from inference_kit.errors import NoRoom, UserError
from inference_kit.records import GenerationConfig, Message, Problem, Solution
from inference_kit.reward_models.base import RewardModel
from inference_kit.search.self_improve import self_improve
from inference_kit.solver import Solver


class Grows(RewardModel):
    """Scores version k by the k-th of its numbers."""

    identity = "grows"

    def __init__(self, scores: Sequence[float]) -> None:
        self.scores_of = scores

    def score(self, problem: Problem, steps: Sequence[str]) -> list[float]:
        """Look the version up."""
        return [self.scores_of[int(steps[-1].split()[1])]]


def conversation(ratings: Sequence[str], scores: Sequence[float] | None, **settings: object) -> tuple[Talker, Solution]:
    """Drafts are `version 0`, `version 1` and so on; critique k ends with rating k."""
    said = {"critique": 0, "version": 0}

    def reply(message: str, seed: int) -> str:
        kind = "critique" if "critical eye" in message else "version"
        number = said[kind]
        said[kind] += 1
        return f"critique {number}. {ratings[number]}" if kind == "critique" else f"version {number}"

    engine = Talker(reply)

    async def method(context):  # type: ignore[no-untyped-def]
        return await self_improve(context, **settings)

    rules = Rules(max_calls=settings.pop("max_calls", None))  # type: ignore[arg-type]
    reward_model = Grows(scores) if scores is not None else None
    solver = Solver(engine, method, GenerationConfig(), GRADER, reward_model, rules=rules, keep_trees=True)
    return engine, asyncio.run(solver.solve(PROBLEM))


def test_a_conversation_that_no_longer_fits_ends_with_the_versions_there_are() -> None:
    """A long reply leaves the context no room for a further turn, which must not cost the problem its draft."""

    def reply(message: str, seed: int) -> str:
        if "critical eye" in message:
            raise NoRoom("the prompt has 600 tokens and the model's context 512")
        return "version 0"

    solver = Solver(Talker(reply), self_improve, GenerationConfig(), GRADER)
    assert versions(asyncio.run(solver.solve(PROBLEM))) == [0]


def test_a_question_that_does_not_fit_fails_its_problem() -> None:
    def reply(message: str, seed: int) -> str:
        raise NoRoom("the prompt has 600 tokens and the model's context 512")

    with pytest.raises(NoRoom, match="600 tokens"):
        asyncio.run(Solver(Talker(reply), self_improve, GenerationConfig(), GRADER).solve(PROBLEM))


def versions(solution: Solution) -> list[int]:
    return [int(each.text.split()[1]) for each in solution.candidates]


def test_a_round_is_a_critique_and_a_version_with_all_that_was_said_before() -> None:
    """Madaan et al. 2303.17651: the whole conversation stays in the prompt."""
    engine, solution = conversation(["Rating: 2/10", "Rating: 9/10"], None, max_iterations=2)
    roles = [[message.role for message in prompt.messages] for prompt in engine.asked]
    assert [len(each) for each in roles] == [1, 3, 5, 7, 9]
    assert all(role == ("assistant" if place % 2 else "user") for each in roles for place, role in enumerate(each))
    assert engine.asked[4].messages[1::2] == tuple(
        Message("assistant", text)
        for text in ("version 0", "critique 0. Rating: 2/10", "version 1", "critique 1. Rating: 9/10")
    )
    assert versions(solution) == [2, 1, 0]


@pytest.mark.parametrize(
    ("ratings", "expected", "calls"),
    [
        (["5/10", "9/10", "9.2/10", "-"], [2, 1, 0], 6),  # the third version gained 0.02
        (["5/10", "4/10", "-", "-"], [0, 1], 4),  # the second one lost, and the draft is the best
        (["5/10", "9/10", "10/10", "-"], [3, 2, 1, 0], 7),  # always better: the last was not rated any more
        (["none", "none", "none", "-"], [3, 0, 1, 2], 7),  # nothing speaks against going on
        (["Rating: 3/10, no: 7/10", "8/10", "8.1/10", "-"], [2, 1, 0], 6),  # the last rating of a critique
    ],
)
def test_without_a_reward_model_the_critique_s_rating_decides(
    ratings: list[str], expected: list[int], calls: int
) -> None:
    engine, solution = conversation(ratings, None)
    assert versions(solution) == expected
    assert len(engine.asked) == calls


@pytest.mark.parametrize(
    ("scores", "expected", "calls"),
    [
        ([0.5, 0.9, 0.92, 1.0], [2, 1, 0], 5),  # stopped by the score alone: no critique is paid for what is dropped
        ([0.5, 0.4, 1.0, 1.0], [0, 1], 3),
        ([0.1, 0.2, 0.3, 0.9], [3, 2, 1, 0], 7),
        ([0.5, 0.55, 0.6, 0.65], [3, 2, 1, 0], 7),  # a gain of just the threshold is enough
    ],
)
def test_with_a_reward_model_its_score_decides(scores: list[float], expected: list[int], calls: int) -> None:
    eighths = [round(64 * score) / 64 for score in scores]
    engine, solution = conversation(["1/10"] * 4, eighths, improvement_threshold=3 / 64)
    assert versions(solution) == expected
    assert len(engine.asked) == calls


@given(st.lists(st.sampled_from([0.0, 0.25, 0.5, 1.0]), min_size=6, max_size=6), st.integers(0, 5))
def test_the_best_version_comes_first_and_the_earlier_of_equals(scores: list[float], rounds: int) -> None:
    _, solution = conversation(["-"] * 6, scores, max_iterations=rounds, improvement_threshold=-1.0)
    written = scores[: rounds + 1]
    assert versions(solution) == sorted(range(len(written)), key=lambda place: (-written[place], place))


@pytest.mark.parametrize(("max_calls", "expected"), [(1, [0]), (2, [0]), (3, [1, 0]), (4, [1, 0]), (5, [2, 1, 0])])
def test_at_its_budget_it_returns_the_best_version_so_far(max_calls: int, expected: list[int]) -> None:
    _, solution = conversation(["-"] * 5, [0.1, 0.2, 0.4, 0.8], max_calls=max_calls)
    assert versions(solution) == expected


def test_no_round_is_plain_generation() -> None:
    engine, solution = conversation([], None, max_iterations=0)
    assert (versions(solution), len(engine.asked)) == ([0], 1)


def test_a_template_that_is_not_there_is_said_before_anything_is_written() -> None:
    for setting in ("critique_template", "improve_template"):
        with pytest.raises(UserError, match=rf"--{setting.replace('_', '-')}: unknown prompt template"):
            conversation([], None, **{setting: "nowhere.txt"})
