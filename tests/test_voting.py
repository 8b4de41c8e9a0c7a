"""Votes: rules and ties."""

import math
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from inference_kit.records import Candidate
from inference_kit.voting import AGGREGATES, VOTES

WEIGHTED = {"min_vote": "min", "last_vote": "last", "mean_vote": "mean", "prod_vote": "prod"}
BEST = {"best_min": "min", "best_last": "last", "best_mean": "mean", "best_prod": "prod"}


def candidate(group: int, *scores: float) -> Candidate:
    answer = None if group < 0 else str(group)
    return Candidate(f"text {group}", answer, step_scores=scores, score=scores[-1] if scores else None, group=group)


step_scores = st.lists(st.floats(0, 1), max_size=4)
pools = st.lists(
    st.builds(lambda group, scores: candidate(group, *scores), st.integers(-1, 3), step_scores), min_size=1
)


def choose(vote: str, *candidates: Candidate) -> int:
    return VOTES[vote].choose(candidates)


def first_of(candidates: Sequence[Candidate], group: int) -> int:
    return next(place for place, each in enumerate(candidates) if each.group == group)


def test_the_majority_wins_with_its_first_sample() -> None:
    """MAIN-55."""
    assert choose("majority_vote", candidate(0), candidate(1), candidate(2), candidate(1)) == 1


def test_a_majority_tie_goes_to_the_highest_score_sum_then_to_the_first_sampled() -> None:
    """MAIN-55."""
    assert choose("majority_vote", candidate(0, 0.9, 0.1), candidate(1, 0.1, 0.3)) == 1
    assert choose("majority_vote", candidate(1, 0.75), candidate(0, 0.25), candidate(0, 0.5), candidate(1, 0.0)) == 0
    assert choose("majority_vote", candidate(1), candidate(0), candidate(0), candidate(1)) == 0


def test_sums_that_differ_only_by_rounding_are_ties() -> None:
    one, two = (
        [candidate(0, 0.1), candidate(0, 0.2), candidate(0, 0.3)],
        [candidate(1, 0.3), candidate(1, 0.2), candidate(1, 0.1)],
    )
    assert choose("majority_vote", *one, *two) == choose("last_vote", *one, *two) == 0
    assert choose("majority_vote", *two, *one) == choose("last_vote", *two, *one) == 0
    assert choose("best_prod", candidate(0, 0.1, 0.2, 0.3), candidate(1, 0.3, 0.2, 0.1)) == 0
    assert choose("best_prod", candidate(1, 0.3, 0.2, 0.1), candidate(0, 0.1, 0.2, 0.3)) == 0


def test_weighted_votes_sum_their_own_aggregate() -> None:
    """MAIN-56, MAIN-57."""
    pool = [candidate(0, 0.9, 0.2), candidate(1, 0.5, 0.6), candidate(0, 0.8, 0.3), candidate(2, 0.1, 0.95)]
    found = {vote: pool[choose(vote, *pool)].group for vote in WEIGHTED}
    assert found == {"min_vote": 0, "last_vote": 2, "mean_vote": 0, "prod_vote": 0}
    best = {vote: choose(vote, *pool) for vote in BEST}
    assert best == {"best_min": 1, "best_last": 3, "best_mean": 0, "best_prod": 1}


@pytest.mark.parametrize("vote", VOTES)
def test_a_candidate_without_an_answer_does_not_vote(vote: str) -> None:
    pool = [candidate(-1, 1.0, 1.0), candidate(0, 0.1, 0.1), candidate(-1, 1.0, 1.0)]
    assert choose(vote, *pool) == 1


def test_where_none_has_an_answer_all_of_them_vote() -> None:
    pool = [candidate(-1, 0.1), candidate(-1, 0.9)]
    assert choose("majority_vote", *pool) == choose("last_vote", *pool) == 0
    assert choose("best_last", *pool) == 1


@pytest.mark.parametrize("vote", [*WEIGHTED, *BEST])
def test_a_missing_score_or_none_at_all_counts_nothing(vote: str) -> None:
    assert choose(vote, candidate(0, math.nan), candidate(1), candidate(2, 0.01)) == 2
    assert choose(vote, candidate(0, math.nan), candidate(1)) == 0
    null = Candidate("null", "0", step_scores=(None,), group=0)  # type: ignore[arg-type]  # NaN as it comes from a file
    assert choose(vote, null, candidate(2, 0.01)) == 1


def test_a_majority_tie_survives_a_score_that_is_no_number() -> None:
    assert choose("majority_vote", candidate(0, math.nan), candidate(1, 0.1)) == 1


@pytest.mark.parametrize("vote", ["prod_vote", "best_prod"])
def test_many_small_factors_are_still_compared(vote: str) -> None:
    assert choose(vote, candidate(0, *[0.1] * 1000), candidate(1, *[0.11] * 1000), candidate(2, 0.5, 0.0)) == 1
    assert choose(vote, candidate(0, *[0.0] * 10), candidate(1, 0.0)) == 0


@given(st.floats(0, 1))
def test_every_aggregate_of_one_score_is_that_score(score: float) -> None:
    """An outcome reward model scores the whole."""
    assert {name: aggregate([score]) for name, aggregate in AGGREGATES.items()} == dict.fromkeys(AGGREGATES, score)


@given(st.lists(st.floats(0, 1), min_size=1))
def test_aggregates_stay_in_range(scores: list[float]) -> None:
    found = {name: aggregate(scores) for name, aggregate in AGGREGATES.items()}
    assert all(0 <= value <= 1 for value in found.values())
    assert found["prod"] <= found["min"] <= found["last"]
    assert found["min"] <= found["mean"] * (1 + 1e-12)


@given(pools)
def test_votes_are_deterministic_and_name_a_candidate_that_may_win(pool: list[Candidate]) -> None:
    answered = any(each.group >= 0 for each in pool)
    for vote in VOTES.values():
        winner = vote.choose(pool)
        assert winner == vote.choose(tuple(pool))
        assert pool[winner].group >= 0 or not answered


@given(pools)
def test_group_votes_return_the_first_sample_of_the_group(pool: list[Candidate]) -> None:
    for vote in ("majority_vote", *WEIGHTED):
        winner = choose(vote, *pool)
        assert winner == first_of(pool, pool[winner].group)


@given(st.lists(st.integers(-1, 4), min_size=1))
def test_equal_weights_make_every_weighted_vote_the_majority(groups: list[int]) -> None:
    pool = [candidate(group, 0.5) for group in groups]
    assert {choose(vote, *pool) for vote in WEIGHTED} == {choose("majority_vote", *pool)}


def test_every_vote_says_what_it_is_and_whether_it_needs_scores() -> None:
    """MAIN-58."""
    assert [name for name, vote in VOTES.items() if not vote.needs] == ["majority_vote"]
    assert all(vote.summary for vote in VOTES.values())
    assert set(VOTES) == {"majority_vote", *WEIGHTED, *BEST}
