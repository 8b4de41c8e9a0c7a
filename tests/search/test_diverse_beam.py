"""Diverse beam search against its definition, written out on paper."""

from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from search.paper import ROOT, Line, Paper, read
from search.world import World, solved, solver_of, texts, worlds


def groups_of(width: int, groups: int) -> list[int]:
    """The width dealt out to the groups one by one."""
    return [len(range(number, width, groups)) for number in range(groups)]


def shared_words(a: str, b: str) -> Fraction:
    ours, theirs = set(a.split()), set(b.split())
    return Fraction(len(ours & theirs), len(ours | theirs)) if ours | theirs else Fraction(1)


def diverse(paper: Paper, width: int, n: int, groups: int, strength: Fraction, rounds: int) -> list[Line]:
    """Vijayakumar et al. 1610.02424: group g chooses by worth - strength x likeness to what groups before it chose."""
    pool: list[Line] = []
    live = [ROOT]
    for number in range(rounds):
        born = paper.ranked([child for line in live for child in paper.steps(line, n if number else width * n)])
        pool.extend(line for line in born if line.finished)
        left = [line for line in born if not line.finished]
        live = []
        for size in groups_of(width, groups):
            before = list(live)
            bids = {
                at: Fraction(paper.worth(line))
                - strength * max((shared_words(line.newest, other.newest) for other in before), default=Fraction(0))
                for at, line in enumerate(left)
            }
            taken = sorted(bids, key=lambda at: (-bids[at], at))[:size]
            live += [left[at] for at in taken]
            left = [line for at, line in enumerate(left) if at not in taken]
        if not live:
            break
    return pool + [paper.end(line) for line in live]


@settings(max_examples=40)
@given(
    worlds, st.integers(1, 4), st.integers(1, 3), st.integers(1, 4), st.sampled_from([0.0, 0.5, 2.0]), st.integers(1, 3)
)
def test_diverse_beam_is_its_definition(
    world: World, width: int, n: int, groups: int, diversity: float, rounds: int
) -> None:
    expected = diverse(Paper(world), width, n, groups, Fraction(diversity), rounds)
    found = solved(
        solver_of(world, "diverse_beam", beam_width=width, n=n, groups=groups, diversity=diversity, max_steps=rounds)
    )
    assert texts(found) == read(expected)


@pytest.mark.parametrize("seed", [1, 2, 7])
def test_ties_within_a_group_go_by_rank_and_not_by_what_an_earlier_group_bid(seed: int) -> None:
    world = World(seed, words=4, streams=7, ending=0.1, levels=2)
    found = solved(solver_of(world, "diverse_beam", beam_width=4, n=4, groups=4, diversity=0.5, max_steps=3))
    assert texts(found) == read(diverse(Paper(world), 4, 4, 4, Fraction(1, 2), 3))


@settings(max_examples=20)
@given(worlds, st.sampled_from([{"groups": 1}, {"diversity": 0.0}]))
def test_with_one_group_or_no_penalty_it_is_beam_search(world: World, off: dict[str, float]) -> None:
    sizes = {"beam_width": 3, "n": 2, "max_steps": 4}
    assert texts(solved(solver_of(world, "diverse_beam", **sizes, **off))) == texts(
        solved(solver_of(world, "beam_search", **sizes))
    )


def test_every_group_gets_its_share_of_the_beam() -> None:
    """Four places in three groups are 2, 1 and 1, not 2 and 2."""
    assert groups_of(4, 3) == [2, 1, 1]
    differs = 0
    for seed in range(20):
        world = World(seed, words=4, streams=7, ending=0.1)
        sizes = {"beam_width": 4, "n": 4, "max_steps": 3, "diversity": 2.0}
        two, three = (solved(solver_of(world, "diverse_beam", groups=groups, **sizes)) for groups in (2, 3))
        differs += texts(two) != texts(three)
    assert differs
