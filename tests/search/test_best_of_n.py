"""Best-of-N, greedy and vanilla against their definitions."""

from hypothesis import given, settings
from hypothesis import strategies as st
from search.paper import ROOT, Paper, best, read
from search.world import World, solved, solver_of, texts, worlds

from inference_kit.context import Rules
from inference_kit.voting import AGGREGATES, VOTES


@settings(max_examples=30)
@given(worlds, st.integers(1, 16), st.sampled_from(list(AGGREGATES)), st.integers(0, 3))
def test_best_of_n_is_its_definition(world: World, n: int, aggregate: str, seed: int) -> None:
    """MAIN-46: n independent solutions as they were drawn; equal ones stay apart, because a vote counts them."""
    paper = Paper(world, aggregate=aggregate, run_seed=seed)
    expected = [paper.end(ROOT) for _ in range(n)]
    found = solved(solver_of(world, "best_of_n", rules=Rules(seed=seed, aggregate=aggregate), n=n))
    assert texts(found) == read(expected)
    assert [each.step_scores for each in found.candidates] == [tuple(paper.rewards(line)) for line in expected]
    if aggregate != "prod":
        assert texts(found)[VOTES[f"best_{aggregate}"].choose(found.candidates)] == best(paper, expected)


@settings(max_examples=10)
@given(worlds, st.integers(0, 3))
def test_greedy_and_vanilla_write_one_solution(world: World, seed: int) -> None:
    """MAIN-45."""
    paper = Paper(world, run_seed=seed)
    rules = Rules(seed=seed)
    assert texts(solved(solver_of(world, "greedy", rules=rules))) == [paper.end(ROOT, greedy=True).text]
    assert texts(solved(solver_of(world, "vanilla", rules=rules))) == [Paper(world, run_seed=seed).end(ROOT).text]


@settings(max_examples=10)
@given(worlds)
def test_a_step_that_ends_where_it_began_is_the_same_solution(world: World) -> None:
    """Token-level steps change where a search may turn, not what is written: one path of steps is one solution."""
    for step_tokens in (1, 2, 5):
        rules = Rules(step_tokens=step_tokens)
        steps = solved(solver_of(world, "dvts", beam_width=1, n=1, temperature=0.0, rules=rules, max_steps=50))
        assert texts(steps) == texts(solved(solver_of(world, "greedy")))
