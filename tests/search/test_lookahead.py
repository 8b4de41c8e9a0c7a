"""Look-ahead search against its definition, written out on paper."""

from hypothesis import given, settings
from hypothesis import strategies as st
from search.paper import ROOT, Line, Paper, read
from search.world import World, solved, solver_of, texts, worlds


def looked_ahead(paper: Paper, width: int, n: int, ahead: int, rounds: int) -> list[Line]:
    """Snell et al. 2408.03314: a step is ranked by the reward of the text that k greedy steps make of it."""
    pool: list[Line] = []
    live = [ROOT]
    for number in range(rounds):
        born = [child for line in live for child in paper.steps(line, n if number else width * n)]
        ends = list(born)
        for _ in range(ahead):
            ends = [end if end.finished else paper.steps(end, 1, greedy=True)[0] for end in ends]
        order = sorted(range(len(born)), key=lambda at: (-paper.worth(ends[at]), at))
        pool.extend(born[at] for at in order if born[at].finished)
        live = [born[at] for at in order if not born[at].finished][:width]
        if not live:
            break
    return pool + [paper.end(line) for line in live]


@settings(max_examples=40)
@given(worlds, st.integers(1, 3), st.integers(1, 3), st.integers(0, 3), st.integers(1, 4))
def test_lookahead_is_its_definition(world: World, width: int, n: int, ahead: int, rounds: int) -> None:
    expected = looked_ahead(Paper(world), width, n, ahead, rounds)
    found = solved(solver_of(world, "lookahead", beam_width=width, n=n, lookahead_steps=ahead, max_steps=rounds))
    assert texts(found) == read(expected)


@settings(max_examples=10)
@given(worlds)
def test_without_steps_ahead_it_is_beam_search(world: World) -> None:
    sizes = {"beam_width": 3, "n": 2, "max_steps": 4}
    assert texts(solved(solver_of(world, "lookahead", lookahead_steps=0, **sizes))) == texts(
        solved(solver_of(world, "beam_search", **sizes))
    )


def test_what_lies_ahead_is_generated_but_is_no_candidate() -> None:
    """Peers' defect 1 is a look-ahead that is paid for and ignored; here it changes what survives."""
    changed = 0
    for seed in range(20):
        world = World(seed, words=4, streams=7, ending=0.2)
        sizes = {"beam_width": 2, "n": 3, "max_steps": 4}
        beam, ahead = (solved(solver_of(world, name, **sizes)) for name in ("beam_search", "lookahead"))
        assert ahead.usage.generated_tokens > 0
        changed += texts(beam) != texts(ahead)
    assert changed > 10
