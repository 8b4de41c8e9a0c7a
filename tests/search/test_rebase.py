"""REBASE against its definition, written out on paper."""

import math
from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from search.paper import ROOT, Line, Paper, best, read
from search.world import World, solved, solver_of, texts, worlds

from inference_kit.errors import UserError
from inference_kit.voting import VOTES


def shares(rewards: list[float], budget: int, temperature: float) -> list[int]:
    """Wu et al. 2408.00724: W_j = round(B exp(R_j / T) / sum of all exp(R_k / T)), halves up; the best gets one."""
    weights = [Fraction(math.exp((reward - max(rewards)) / temperature)) for reward in rewards]
    parts = [math.floor(budget * weight / sum(weights) + Fraction(1, 2)) for weight in weights]
    return [max(1, parts[0]), *parts[1:]]


def balanced(paper: Paper, n: int, temperature: float, rounds: int) -> list[Line]:
    """Each depth's budget is what the finished ones have left of n, dealt out by reward."""
    pool: list[Line] = []
    live, parts = [ROOT], [n]
    for _ in range(rounds):
        born = paper.ranked(
            [child for line, part in zip(live, parts, strict=True) for child in paper.steps(line, part)]
        )
        pool.extend(line for line in born if line.finished)
        live = [line for line in born if not line.finished]
        if not live or len(pool) >= n:
            return pool
        parts = shares([paper.worth(line) for line in live], n - len(pool), temperature)
        live = [line for line, part in zip(live, parts, strict=True) if part]
        parts = [part for part in parts if part]
    return pool + [paper.end(line) for line in live]


@settings(max_examples=40)
@given(worlds, st.integers(1, 10), st.sampled_from([0.01, 0.1, 0.7, 10.0]), st.integers(1, 5))
def test_rebase_is_its_definition(world: World, n: int, temperature: float, rounds: int) -> None:
    paper = Paper(world)
    expected = balanced(paper, n, temperature, rounds)
    found = solved(solver_of(world, "rebase", n=n, balance_temperature=temperature, max_steps=rounds))
    assert texts(found) == read(expected)
    assert texts(found)[VOTES["best_last"].choose(found.candidates)] == best(paper, expected)


def test_shares_worked_out_by_hand() -> None:
    """exp(0), exp(-1), exp(-1), exp(-5) of 16: 1, 0.368, 0.368, 0.007 of 1.743 are 9.18, 3.38, 3.38 and 0.06."""
    assert shares([1.0, 0.9, 0.9, 0.5], 16, 0.1) == [9, 3, 3, 0]


@pytest.mark.parametrize("temperature", [0.0, -1.0])
def test_a_balance_temperature_of_nothing_is_refused(temperature: float) -> None:
    solver = solver_of(World(), "rebase", balance_temperature=temperature)
    with pytest.raises(UserError, match="--balance-temperature: balance_temperature must be above 0"):
        solved(solver)
    assert not solver.engine.asked
