"""Beam search against its definition, written out on paper."""

from hypothesis import given, settings
from hypothesis import strategies as st
from search.paper import ROOT, Line, Paper, best, read
from search.world import World, solved, solver_of, texts, worlds

from inference_kit.context import Rules
from inference_kit.voting import AGGREGATES, VOTES


def beam(paper: Paper, width: int, n: int, rounds: int) -> list[Line]:
    """Snell et al. 2408.03314 with a pool: width x n first steps; width live lines stay; n children each."""
    pool: list[Line] = []
    live = [ROOT]
    for number in range(rounds):
        born = [child for line in live for child in paper.steps(line, n if number else width * n)]
        born = paper.ranked(born)
        pool.extend(line for line in born if line.finished)
        live = [line for line in born if not line.finished][:width]
        if not live:
            break
    return pool + [paper.end(line) for line in live]


@settings(max_examples=40)
@given(
    worlds,
    st.integers(1, 3),
    st.integers(1, 3),
    st.integers(1, 4),
    st.sampled_from(list(AGGREGATES)),
    st.sampled_from([0, 1, 3]),
)
def test_beam_search_is_its_definition(
    world: World, width: int, n: int, rounds: int, aggregate: str, step_tokens: int
) -> None:
    """MAIN-47, MAIN-49: steps of text, of one token and of three."""
    paper = Paper(world, step_tokens=step_tokens, aggregate=aggregate)
    expected = beam(paper, width, n, rounds)
    rules = Rules(aggregate=aggregate, step_tokens=step_tokens)
    found = solved(solver_of(world, "beam_search", rules=rules, beam_width=width, n=n, max_steps=rounds))
    assert texts(found) == read(expected)
    assert [each.score for each in found.candidates] == [paper.worth(line) for line in expected]
    chosen = VOTES[f"best_{aggregate}"].choose(found.candidates)
    if aggregate != "prod":  # the vote multiplies exactly, and the paper does not
        assert texts(found)[chosen] == best(paper, expected)


def test_a_round_is_one_batch_of_scores() -> None:
    """Every path of a round is scored together, so that the reward model is never asked one by one."""
    solver = solver_of(World(4, ending=0.1), "beam_search", beam_width=3, n=3, max_steps=3)
    solved(solver)
    batches = solver.reward_model.batches
    assert len(batches) == 4
    assert [{len(steps) for steps in batch} for batch in batches[:3]] == [{1}, {2}, {3}]


@settings(max_examples=20)
@given(st.integers(0, 1000), st.integers(1, 11), st.sampled_from(["last", "min"]))
def test_where_the_budget_ends_before_anything_is_whole_the_best_path_is_written_to_its_end(
    seed: int, calls: int, aggregate: str
) -> None:
    """The highest score of all that was written, be it in the middle of a round; the longest of equals."""
    world = World(seed, words=4, streams=99, ending=0.0, levels=2)
    rules = Rules(max_calls=calls, aggregate=aggregate)
    found = solved(solver_of(world, "beam_search", rules=rules, beam_width=2, n=2))
    paths = {node.path: node for node in found.tree if node.finish_reason == "boundary"}
    paper = Paper(world, aggregate=aggregate)
    lines = [Line(path, "".join(paths[path[: at + 1]].text for at in range(len(path)))) for path in paths]
    best_line = max(lines, key=lambda line: (paper.worth(line), line.depth))
    [candidate] = found.candidates
    [end] = [node for node in found.tree if node.candidate == 0]
    assert end.path[:-1] == best_line.place
    assert candidate.text.startswith(best_line.text)
