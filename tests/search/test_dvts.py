"""DVTS against its definition, written out on paper."""

from hypothesis import given, settings
from hypothesis import strategies as st
from search.paper import ROOT, Line, Paper, best, read
from search.world import World, solved, solver_of, texts, worlds

from inference_kit.context import Rules
from inference_kit.voting import VOTES


def trees(paper: Paper, width: int, n: int, rounds: int) -> list[Line]:
    """Beeching et al. 2024, round by round: a tree keeps its one best; the last round's whole ones are candidates."""
    pool: list[Line] = []
    tips = [ROOT] * width
    for _ in range(rounds):
        families = [paper.ranked(paper.steps(tip, n)) for tip in tips]
        tips = []
        for family in families:
            if family[0].finished:
                pool.extend(line for line in family if line.finished)
            else:
                tips.append(family[0])
        if not tips:
            break
    return pool + [paper.end(tip) for tip in tips]


@settings(max_examples=40)
@given(worlds, st.integers(1, 3), st.integers(1, 4), st.integers(1, 4), st.sampled_from([0, 1, 3]))
def test_dvts_is_its_definition(world: World, width: int, n: int, rounds: int, step_tokens: int) -> None:
    paper = Paper(world, step_tokens=step_tokens)
    expected = trees(paper, width, n, rounds)
    rules = Rules(step_tokens=step_tokens)
    found = solved(solver_of(world, "dvts", rules=rules, beam_width=width, n=n, max_steps=rounds))
    assert texts(found) == read(expected)
    assert texts(found)[VOTES["best_last"].choose(found.candidates)] == best(paper, expected)


@settings(max_examples=10)
@given(worlds, st.integers(1, 4))
def test_one_tree_does_not_depend_on_how_many_there_are(world: World, n: int) -> None:
    """No competition between trees: the first of three is the only one of one."""
    alone = solved(solver_of(world, "dvts", beam_width=1, n=n))
    among = solved(solver_of(world, "dvts", beam_width=3, n=n))
    assert set(texts(alone)) <= set(texts(among))
