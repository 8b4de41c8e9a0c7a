"""Self-consistency: when each rule stops, against its definition; the samples are best_of_n's."""

from collections import Counter

import pytest
from exact_majorities import beta, dirichlet
from hypothesis import example, given, settings
from hypothesis import strategies as st
from search.paper import ROOT, Paper, answer, read
from search.world import World, solved, solver_of, texts, worlds

from inference_kit.voting import VOTES


def drawn_until(answers: list[str | None], stopping: str, certainty: float, window: int) -> int:
    """How many of the samples are drawn."""
    n = len(answers)
    if stopping == "never":
        return n
    if stopping == "esc":
        for end in range(window, n + 1, window):
            said = answers[end - window : end]
            if said[0] is not None and len(set(said)) == 1:
                return end
        return n
    sure = {"beta": beta, "dirichlet": dirichlet}[stopping]
    for end in range(2, n):
        votes = sorted(Counter(each for each in answers[:end] if each is not None).values(), reverse=True)
        if votes and sure(votes) > certainty:
            return end
    return n


@settings(max_examples=60)
@given(
    worlds,
    st.integers(1, 14),
    st.sampled_from(["beta", "dirichlet", "esc", "never"]),
    st.sampled_from([0.6, 0.8, 0.95]),
    st.integers(1, 5),
)
@example(World(answers=1, giving_up=3.0, ending=1.0), 14, "esc", 0.95, 2)
@example(World(giving_up=0.0), 3, "esc", 0.95, 1)
def test_each_rule_stops_where_its_definition_does(
    world: World, n: int, stopping: str, certainty: float, window: int
) -> None:
    """Aggarwal et al. 2305.11860 (Beta, Dirichlet), Li et al. 2401.10480 (windows)."""
    paper = Paper(world)
    pool = read([paper.end(ROOT) for _ in range(n)])
    expected = pool[: drawn_until([answer(text) for text in pool], stopping, certainty, window)]
    solver = solver_of(
        world, "self_consistency", scored=False, n=n, stopping=stopping, certainty=certainty, window=window
    )
    found = solved(solver)
    assert texts(found) == expected
    assert len(solver.engine.asked) == len(expected)
    counts = Counter(each for each in map(answer, expected) if each is not None)
    if counts:
        chosen = found.candidates[VOTES["majority_vote"].choose(found.candidates)]
        assert chosen.answer == next(each for each in map(answer, expected) if counts[each] == max(counts.values()))


@pytest.mark.parametrize(("certainty", "samples"), [(0.95, 4), (0.9, 3), (0.99, 6), (0.7, 2)])
def test_samples_that_all_agree_worked_out_by_hand(certainty: float, samples: int) -> None:
    """Beta: v of v agree with probability 1 - 1/2^(v+1); 0.95 needs v = 4, and two are drawn in any case."""
    assert 1 - 0.5 ** (samples + 1) > certainty
    found = solved(solver_of(World(answers=1, giving_up=0.0), "self_consistency", certainty=certainty))
    assert [each.answer for each in found.candidates] == ["A"] * samples


def test_stopping_early_gives_the_majority_of_all_samples_for_fewer_of_them() -> None:
    saved = agreed = 0
    for seed in range(10):
        world = World(seed, answers=3, streams=50)
        adaptive, whole = (
            solved(solver_of(world, "self_consistency", scored=False, stopping=rule)) for rule in ("beta", "never")
        )
        saved += len(whole.candidates) - len(adaptive.candidates)
        choose = VOTES["majority_vote"].choose
        agreed += (
            whole.candidates[choose(whole.candidates)].answer == adaptive.candidates[choose(adaptive.candidates)].answer
        )
    assert saved > 0
    assert agreed >= 9
