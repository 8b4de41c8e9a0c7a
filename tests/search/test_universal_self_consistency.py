"""Universal self-consistency: what is shown, and which response is taken."""

import asyncio
import re
from functools import partial
from random import Random

import pytest
from fakes import Talker
from search.world import GRADER, PROBLEM

from inference_kit.errors import UserError
from inference_kit.records import GenerationConfig, Solution
from inference_kit.search.universal_self_consistency import universal_self_consistency
from inference_kit.solver import Solver


def asked(reply_of_judge: str, n: int = 5) -> tuple[Talker, Solution]:
    numbers: dict[int, int] = {}

    def reply(message: str, seed: int) -> str:
        return reply_of_judge if "Response 1" in message else f"number {numbers.setdefault(seed, len(numbers))}"

    engine = Talker(reply)
    solver = Solver(engine, partial(universal_self_consistency, n=n), GenerationConfig(), GRADER)
    return engine, asyncio.run(solver.solve(PROBLEM))


def order(solution: Solution) -> list[int]:
    return [int(each.text.split()[1]) for each in solution.candidates]


def shown(n: int) -> list[int]:
    """Chen et al. 2311.17311 show all responses once; here in an order that the seed draws."""
    places = list(range(n))
    Random(f"0|int|{PROBLEM.index}").shuffle(places)
    return places


@pytest.mark.parametrize(
    ("reply", "place"),
    [
        ("Most say so. Response 3", 3),
        ("response #2 is it", 2),
        ("Response 1 and Response 4 agree; Response 4", 4),
        ("**Response 5**.", 5),
    ],
)
def test_the_response_named_last_comes_first(reply: str, place: int) -> None:
    _, solution = asked(reply)
    winner = shown(5)[place - 1]
    assert order(solution) == [winner, *(each for each in range(5) if each != winner)]


@pytest.mark.parametrize("reply", ["None of them.", "Response 9", "Response 0", "", "Response 99999999999"])
def test_where_none_is_named_the_first_stays(reply: str) -> None:
    assert order(asked(reply)[1]) == [0, 1, 2, 3, 4]


def test_it_is_one_greedy_call_that_shows_every_response_with_its_number() -> None:
    engine, _ = asked("Response 1")
    question = engine.asked[-1].messages[-1].content
    found = re.findall(r"Response (\d): number (\d)", question)
    assert found == [(str(at + 1), str(place)) for at, place in enumerate(shown(5))]
    assert "What is it?" in question
    assert len(engine.asked) == 2
    assert engine.configs[-1].temperature == 0


def test_a_template_that_is_not_there_is_said_before_anything_is_written() -> None:
    method = partial(universal_self_consistency, consistency_template="no")
    engine = Talker(lambda *_: "")
    with pytest.raises(UserError, match="--consistency-template: unknown prompt template"):
        asyncio.run(Solver(engine, method, GenerationConfig(), GRADER).solve(PROBLEM))
    assert not engine.asked
