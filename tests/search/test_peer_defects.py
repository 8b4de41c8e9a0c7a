"""Defects that were found in the search code of others; a test's number is the defect's.

Elsewhere are 2, 5, 8 and 9, which concern every method (test_every_method.py), 6, pass@k for k > n (test_estimates.py),
10, a wrong number of scores (reward_models/test_base.py), and 12, a reward model's input that is too long
(reward_models/local/test_transformer.py).
"""

from dataclasses import replace

import pytest
from search.paper import answer
from search.world import SEPARATOR, World, WorldEngine, WorldRewards, solved, solver_of, texts

from inference_kit.calls import Calls
from inference_kit.context import Context, Rules
from inference_kit.records import Completion, GenerationConfig, Node, Problem, StepScores
from inference_kit.reward_models.base import ScoreItem
from inference_kit.search import METHODS
from inference_kit.voting import VOTES

SEARCHES = [name for name, method in METHODS.items() if method.needs.reward_model]
searches = pytest.mark.parametrize("method", SEARCHES)
DEEP = World(5, words=4, streams=9, ending=0.15)


class ByText(WorldRewards):
    """Scores steps by what `score_of` says of each, whatever stands before it."""

    def __init__(self, **score_of: float) -> None:
        super().__init__(DEEP)
        self.identity, self.score_of = f"by text {score_of}", score_of

    def score_batch(self, items):  # type: ignore[no-untyped-def]
        """Look each step up by its first word."""
        return [StepScores(tuple(self.score_of.get(step.split()[0], 0.0) for step in steps)) for _, steps in items]


def test_1_lookahead_ranks_by_what_it_looked_at() -> None:
    """`go` scores better than `on`, but what follows `on` is best: with one step ahead `on` survives."""

    class Fork(WorldEngine):
        def _write(self, prompt, position, config):  # type: ignore[no-untyped-def]
            first = ("go ", "on ")[prompt.seeds[position] % 2] if not prompt.prefix else None
            text = first or ("well " if prompt.prefix.startswith("on") else "badly ")
            ends = prompt.prefix.count(SEPARATOR) > 1
            return Completion(text + ("\\boxed{A}" if ends else SEPARATOR), "stop" if ends else "boundary", tokens=2)

    chosen = {}
    for method in ("beam_search", "lookahead"):
        solver = solver_of(DEEP, method, engine=Fork(DEEP), beam_width=1, n=4, max_steps=3)
        solver = replace(solver, reward_model=ByText(go=0.5, on=0.25, well=1.0, badly=0.0))
        chosen[method] = {text.split()[0] for text in texts(solved(solver))}
    assert chosen == {"beam_search": {"go"}, "lookahead": {"on"}}


@searches
def test_2_rejected_and_merged_steps_and_what_lies_ahead_are_part_of_the_cost(method: str) -> None:
    solver = solver_of(DEEP, method)
    found = solved(solver)
    assert found.usage.generated_tokens == solver.engine.tokens >= sum(node.tokens for node in found.tree) > 0
    assert found.usage.reward_tokens == sum(len(steps) for batch in solver.reward_model.batches for steps in batch) > 0


@searches
def test_3_unfinished_paths_are_no_candidates_and_no_answer_has_no_vote(method: str) -> None:
    for seed in range(5):
        found = solved(solver_of(World(seed, giving_up=6.0), method))
        assert all(each.finish_reason in ("stop", "length") for each in found.candidates)
        answered = [each for each in found.candidates if answer(each.text)]
        for vote in ("majority_vote", "min_vote", "best_last", "confidence_vote"):
            winner = found.candidates[VOTES[vote].choose(found.candidates)]
            assert winner.answer is not None or not answered


def test_4_a_trailing_separator_is_no_step() -> None:
    context = Context(Problem(1, ()), Calls(WorldEngine(DEEP), WorldRewards(DEEP)), GenerationConfig())
    steps = [f"go {SEPARATOR}", f"on {SEPARATOR}", SEPARATOR, f" \n{SEPARATOR}"]
    node = context.root
    for number, text in enumerate(steps):
        node = Node(text, node, (number,))
        assert context.steps_of(node) == ("go", "on")[: number + 1]


@pytest.mark.parametrize("aggregate", ["last", "min", "mean", "prod"])
def test_5_what_ranks_paths_is_what_was_asked_for_and_the_vote_follows_it(aggregate: str) -> None:
    found = solved(solver_of(DEEP, "beam_search", rules=Rules(aggregate=aggregate)))
    values = {"last": lambda scores: scores[-1], "min": min, "mean": lambda scores: sum(scores) / len(scores)}
    for each in found.candidates:
        if aggregate in values:
            assert each.score == pytest.approx(values[aggregate](each.step_scores))
    best = found.candidates[VOTES[f"best_{aggregate}"].choose(found.candidates)]
    voters = [each for each in found.candidates if each.answer] or found.candidates
    assert best.score == pytest.approx(max(each.score for each in voters))


@pytest.mark.parametrize(("width", "n"), [(4, 1), (4, 4), (1, 4), (3, 2)])
def test_7_the_first_round_draws_width_times_n_and_later_ones_n_for_each(width: int, n: int) -> None:
    """And `max_steps` rounds are `max_steps` rounds."""
    solver = solver_of(World(5, words=4, streams=99, ending=0.0), "beam_search", beam_width=width, n=n, max_steps=3)
    found = solved(solver)
    steps = [prefix.count(SEPARATOR) for _, prefix, _, config in solver.engine.asked if config.boundary]
    assert steps.count(0) == width * n
    live = [sum(depth == each for each in steps) / n for depth in (1, 2)]
    assert all(1 <= each <= width for each in live)
    assert max(steps) == 2
    assert len(found.candidates) == sum(not config.boundary for *_, config in solver.engine.asked) <= width


def test_7_a_finished_path_takes_no_place_and_is_not_copied() -> None:
    found = solved(solver_of(World(7, words=4, streams=99, ending=0.4), "beam_search", beam_width=4, n=4))
    paths = [node.path for node in found.tree if node.candidate >= 0]
    assert len(set(paths)) == len(paths) == len(found.candidates)


@searches
def test_10_scores_are_asked_for_together(method: str) -> None:
    """No more batches than rounds: a round's paths wait for one another, and equal ones are one."""
    solver = solver_of(DEEP, method, **({"iterations": 8} if method == "mcts" else {"max_steps": 4}))
    solved(solver)
    most = {"mcts": 1 + 8, "lookahead": 5}.get(method, 5)
    assert len(solver.reward_model.batches) <= most
    assert max(map(len, solver.reward_model.batches)) > 2


def test_10_a_wrong_number_of_scores_is_an_error_that_names_both() -> None:
    class TooMany(WorldRewards):
        def score_batch(self, items: list[ScoreItem]):  # type: ignore[no-untyped-def]
            return [StepScores((0.5,) * (len(steps) + 1)) for _, steps in items]

    solver = solver_of(DEEP, "beam_search")
    solver = replace(solver, reward_model=TooMany(DEEP))
    with pytest.raises(Exception, match="gave 2 scores for 1 steps"):
        solved(solver)


def test_11_simulations_go_deep_and_none_is_spent_on_a_leaf_that_was_seen() -> None:
    found = solved(solver_of(DEEP, "mcts", iterations=30, n=3))
    visits = {node.path: node.notes["visits"] for node in found.tree if "visits" in node.notes}
    assert max(map(len, visits)) >= 4
    finished = {node.path for node in found.tree if node.finish_reason != "boundary"}
    assert {visits[path] for path in visits.keys() & finished} <= {1}


def test_13_ties_under_min_go_to_the_newest_reward_then_to_the_earlier_path() -> None:
    """The first step has the minimum, so all scores tie; what a stable or an unstable sort does must not matter."""

    class Three(WorldEngine):
        def _write(self, prompt, position, config):  # type: ignore[no-untyped-def]
            seen = sum(not prefix for _, prefix, *_ in self.asked)
            self.asked.append((prompt.messages, prompt.prefix, prompt.seeds[position], config))
            if not prompt.prefix:
                return Completion(f"low{seen} {SEPARATOR}", "boundary", tokens=2)
            if prompt.prefix.count(SEPARATOR) == 1:
                word = ("poor", "good", "fair", "good2")[position]
                return Completion(f"{word} {SEPARATOR}", "boundary", tokens=2)
            return Completion("\\boxed{A}", "stop", tokens=1)

    solver = solver_of(
        DEEP, "beam_search", engine=Three(DEEP), rules=Rules(aggregate="min"), beam_width=1, n=4, max_steps=2
    )
    solver = replace(
        solver, reward_model=ByText(low0=0.1, low1=0.1, low2=0.1, low3=0.1, poor=0.2, good=0.8, fair=0.5, good2=0.8)
    )
    [candidate] = solved(solver).candidates
    assert [step.split()[0] for step in candidate.steps[:2]] == ["low0", "good"]
