"""The knockout against a bracket on paper; the judge is a rule of the test's own."""

import asyncio
import re
from collections import Counter
from collections.abc import Callable
from functools import partial
from random import Random

import pytest
from fakes import Talker
from hypothesis import given
from hypothesis import strategies as st
from search.world import GRADER, PROBLEM

from inference_kit.context import Rules
from inference_kit.errors import UserError
from inference_kit.records import GenerationConfig, Solution
from inference_kit.search.tournament import tournament
from inference_kit.solver import Solver

Judge = Callable[[int, int, int], str]
SHOWN = re.compile(r"A:.*?(\d+)\nB:.*?(\d+)")


def played(judge: Judge, n: int, *, comparisons: int = 1, max_calls: int | None = None) -> tuple[Talker, Solution]:
    """Solutions are `number k`; `judge(a, b, seed)` says what a verdict ends with."""
    numbers: dict[int, int] = {}

    def reply(message: str, seed: int) -> str:
        if shown := SHOWN.search(message):
            return f"A good one or B. {judge(int(shown[1]), int(shown[2]), seed)}"
        return f"number {numbers.setdefault(seed, len(numbers))}"

    engine = Talker(reply)
    method = partial(tournament, n=n, comparisons=comparisons, judge_template="A:{a}\nB:{b}")
    solver = Solver(engine, method, GenerationConfig(), GRADER, rules=Rules(max_calls=max_calls))
    return engine, asyncio.run(solver.solve(PROBLEM))


def order(solution: Solution) -> list[int]:
    return [int(each.text.split()[1]) for each in solution.candidates]


def bracket(n: int, beats: Callable[[int, int], bool]) -> list[int]:
    """Chen et al. 2411.19477: random pairs, n - 1 matches; who is left over in a round plays first in the next."""
    standing, out = list(range(n)), list[int]()
    Random(f"0|int|{PROBLEM.index}").shuffle(standing)
    while len(standing) > 1:
        over = [standing[-1]] if len(standing) % 2 else []
        matches = [(standing[at], standing[at + 1]) for at in range(0, len(standing) - 1, 2)]
        out = [b if beats(a, b) else a for a, b in matches] + out
        standing = over + [a if beats(a, b) else b for a, b in matches]
    return standing + out


@given(st.permutations(range(9)), st.integers(1, 9))
def test_the_knockout_is_its_definition(strength: list[int], n: int) -> None:
    engine, solution = played(lambda a, b, _: "A" if strength[a] > strength[b] else "B", n)
    assert order(solution) == bracket(n, lambda a, b: strength[a] > strength[b])
    assert strength[order(solution)[0]] == max(strength[:n])
    assert len(engine.asked) == 1 + 2 * (n - 1)


@given(st.integers(2, 9))
def test_a_judge_that_always_says_a_decides_nothing(n: int) -> None:
    """Zheng et al. 2306.05685: both orders are asked, and their disagreement is a tie, which is the first's."""
    _, solution = played(lambda a, b, _: "A", n)
    assert order(solution) == bracket(n, lambda a, b: True)


@given(st.integers(2, 6), st.integers(2, 5))
def test_of_several_verdicts_on_each_order_most_decide(n: int, comparisons: int) -> None:
    said: dict[tuple[int, int], Counter[str]] = {}

    def judge(a: int, b: int, seed: int) -> str:
        verdict = Random(f"{a} {b} {seed}").choice(["A", "B", "neither"])
        said.setdefault((a, b), Counter())[verdict] += 1
        return verdict

    _, solution = played(judge, n, comparisons=comparisons)
    assert {verdicts.total() for verdicts in said.values()} == {comparisons}

    def beats(a: int, b: int) -> bool:
        there, back = said[a, b], said[b, a]
        # `neither` leaves the B of the words before it.
        return there["A"] + back["B"] + back["neither"] >= there["B"] + there["neither"] + back["A"]

    assert order(solution) == bracket(n, beats)


def test_a_single_verdict_is_greedy_and_several_are_sampled() -> None:
    for comparisons, temperature in ((1, 0.0), (3, 0.7)):
        engine, _ = played(lambda a, b, _: "A", 2, comparisons=comparisons)
        assert [config.temperature for config in engine.configs[1:]] == [temperature] * 2


def test_at_its_budget_those_still_standing_come_first() -> None:
    def judge(a: int, b: int, _: int) -> str:
        return "A" if a > b else "B"

    _, whole = played(judge, 4)
    _, cut = played(judge, 4, max_calls=4 + 4 + 1)
    assert sorted(order(cut)[:2]) == sorted(order(whole)[:2])
    assert order(cut)[2:] == order(whole)[2:]


def test_nobody_is_left_out_twice() -> None:
    """Of nine, the same one would otherwise come into the final without a match."""
    engine, _ = played(lambda a, b, _: "A" if a > b else "B", 9)
    matches = [SHOWN.search(prompt.messages[-1].content) for prompt in engine.asked[1:]]
    first_two_rounds = {number for match in matches[: 2 * 4 + 2 * 2] if match for number in match.groups()}
    assert len(first_two_rounds) == 9


def test_a_template_that_is_not_there_is_said_before_anything_is_written() -> None:
    solver = Solver(
        engine := Talker(lambda *_: ""), partial(tournament, judge_template="no"), GenerationConfig(), GRADER
    )
    with pytest.raises(UserError, match="--judge-template: unknown prompt template"):
        asyncio.run(solver.solve(PROBLEM))
    assert not engine.asked
