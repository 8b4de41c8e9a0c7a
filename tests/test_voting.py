"""Votes: rules and ties."""

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

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


def test_products_that_add_up_to_the_same_are_a_tie() -> None:
    two, three = candidate(0, 0.8125, 0.3125, 0.5, 0.125), candidate(0, 0.8125, 0.3125, 0.5, 0.75, 0.75)
    assert choose("prod_vote", candidate(1, 0.8125, 0.3125, 0.625), two, three, three) == 0
    assert choose("prod_vote", two, three, three, candidate(1, 0.8125, 0.3125, 0.625)) == 0


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


def test_every_vote_says_what_it_is_and_what_it_needs() -> None:
    """MAIN-58."""
    needs = {name: vote.needs for name, vote in VOTES.items()}
    assert needs == {
        "majority_vote": (),
        **dict.fromkeys([*WEIGHTED, *BEST], ("step_scores",)),
        "confidence_vote": ("logprob",),
        "best_confidence": ("logprob",),
        "mixed_vote": ("step_scores", "logprob"),
        "self_certainty_vote": ("self_certainty",),
        "tail_confidence_vote": ("tail_confidence",),
        "margin_vote": ("answer_margin",),
    }
    assert all(vote.summary for vote in VOTES.values())


def sure(group: int, **known: Any) -> Candidate:
    return replace(candidate(group), **known)


eighths = st.integers(0, 8).map(lambda number: number / 8)
rarely_none = st.sampled_from([None, *range(1, 9)]).map(lambda number: number and number / 8)
surer_pools = st.lists(
    st.builds(
        sure,
        st.sampled_from([-1, 0, 0, 1, 1, 2]),
        step_scores=st.lists(eighths, min_size=1, max_size=3).map(tuple),
        logprob=st.sampled_from([None, -5001.0, -5000.0, *map(float, range(-60, 0, 4))]),
        tokens=st.sampled_from([1, 5, 10, 30]),
        self_certainty=rarely_none,
        tail_confidence=rarely_none,
        answer_margin=rarely_none,
    ),
    min_size=1,
    max_size=12,
)


def log_weights(vote: str, voters: Sequence[Candidate]) -> list[float]:
    """The logarithm of what a vote gives each voter, computed without a thought for range or speed."""

    def log(number: float | None) -> float:
        return math.log(number) if number else -math.inf

    logprobs = [-math.inf if each.logprob is None else each.logprob for each in voters]
    typical = [logprob / each.tokens for logprob, each in zip(logprobs, voters, strict=True)]
    if vote == "confidence_vote":
        return logprobs
    if vote == "mixed_vote":
        return [log(each.step_scores[-1]) + mean for each, mean in zip(voters, typical, strict=True)]
    if vote == "margin_vote":
        return [log(each.answer_margin) for each in voters]
    name = {"self_certainty_vote": "self_certainty", "tail_confidence_vote": "tail_confidence"}[vote]
    sureness = [getattr(each, name) or 0.0 for each in voters]
    places = range(len(voters))
    rank = [1 + sum((-sureness[other], other) < (-sureness[place], place) for other in places) for place in places]
    if vote == "self_certainty_vote":
        return [0.5 * math.log(len(voters) - each + 1) for each in rank]
    return [log(each) if rank[at] <= math.ceil(0.9 * len(voters)) else -math.inf for at, each in enumerate(sureness)]


@pytest.mark.parametrize(
    "vote", ["confidence_vote", "mixed_vote", "margin_vote", "self_certainty_vote", "tail_confidence_vote"]
)
@given(surer_pools)
def test_a_vote_by_confidence_takes_the_group_that_weighs_most(vote: str, pool: list[Candidate]) -> None:
    """Kang et al. 2502.18581 (Borda), Fu et al. 2508.15260 (tail), Wang, Zhou 2402.10200 (margin)."""
    voters = [each for each in pool if each.group >= 0] or pool
    weights = log_weights(vote, voters)
    groups = list(dict.fromkeys(each.group for each in voters))

    def total(group: int) -> float:
        """The logarithm of a sum, exact where it is far out of a float's range too."""
        logs = [weight for weight, each in zip(weights, voters, strict=True) if each.group == group]
        largest = max(logs)
        return (
            largest + math.log(math.fsum(math.exp(each - largest) for each in logs)) if largest > -math.inf else largest
        )

    won = pool[choose(vote, *pool)].group
    assert total(won) == pytest.approx(max(map(total, groups)), abs=1e-9)
    if total(won) == -math.inf:
        assert won == groups[0]


@given(surer_pools, st.sampled_from(list(VOTES)))
def test_a_candidate_without_an_answer_changes_nothing(pool: list[Candidate], vote: str) -> None:
    """Peers' defect 3; also not by how its weight compares with those of the others."""
    voters = [each for each in pool if each.group >= 0]
    if voters:
        assert pool[choose(vote, *pool)] == voters[choose(vote, *voters)]


@given(st.permutations(range(6)), st.sampled_from(list(VOTES)))
def test_the_order_of_candidates_only_breaks_ties(order: list[int], vote: str) -> None:
    pool = [
        sure(
            place % 3,
            step_scores=(0.1 + place / 10, 0.15 + place / 9),
            score=0.15 + place / 9,
            logprob=-10.0 - place,
            tokens=10,
            self_certainty=1.0 + place**2,
            tail_confidence=2.0 + place**2,
            answer_margin=(place + 1) ** 2 / 40,
        )
        for place in range(6)
    ]
    shuffled = [pool[place] for place in order]
    assert shuffled[choose(vote, *shuffled)].group == pool[choose(vote, *pool)].group


@pytest.mark.parametrize("vote", ["confidence_vote", "best_confidence", "mixed_vote"])
def test_probabilities_far_below_a_float_are_still_compared(vote: str) -> None:
    texts = [sure(0, logprob=-5001.0, tokens=5), sure(1, logprob=-5000.0, tokens=5), sure(-1, logprob=-1.0, tokens=5)]
    assert choose(vote, *[replace(each, step_scores=(0.5,)) for each in texts]) == 1
    assert choose("confidence_vote", *texts[:2], sure(0, logprob=-5000.2)) == 0


@pytest.mark.parametrize("vote", ["prod_vote", "best_prod"])
def test_products_far_below_a_float_are_compared_beside_one_without_an_answer(vote: str) -> None:
    assert choose(vote, candidate(0, *[0.1] * 500), candidate(1, *[0.11] * 500), candidate(-1, 0.9)) == 1


@pytest.mark.parametrize("vote", ["confidence_vote", "best_confidence", "mixed_vote"])
@pytest.mark.parametrize("broken", [None, math.nan, -math.inf])
def test_a_probability_that_is_no_number_counts_nothing(vote: str, broken: float | None) -> None:
    pool = [sure(0, logprob=broken, step_scores=(0.9,)), sure(1, logprob=-300.0, tokens=9, step_scores=(0.1,))]
    assert choose(vote, *pool) == 1
    assert choose(vote, *pool[:1], *pool[:1]) == 0


@given(surer_pools)
def test_the_lowest_perplexity_wins(pool: list[Candidate]) -> None:
    def perplexity(each: Candidate) -> float:
        return math.inf if each.logprob is None else -each.logprob / each.tokens

    voters = [each for each in pool if each.group >= 0] or pool
    assert perplexity(pool[choose("best_confidence", *pool)]) == min(map(perplexity, voters))


def test_borda_worked_out_by_hand() -> None:
    """Ranks 1 to 5 of five get 2.24, 2, 1.73, 1.41 and 1 points: two with 4.24 beat three with 4.15."""
    pool = [sure(1 if place < 3 else 0, self_certainty=float(place)) for place in range(5)]
    assert pool[choose("self_certainty_vote", *pool)].group == 0
    assert pool[choose("self_certainty_vote", *pool[:4])].group == 1  # rank 1 of four against the others, 2 to 4.15


def test_the_least_sure_tenth_has_no_vote() -> None:
    """Of three that is none; of ten it is one, whose half would have made 5.3 of 4.8 against 5."""
    three = [sure(0, tail_confidence=1.0), sure(1, tail_confidence=0.625), sure(1, tail_confidence=0.5)]
    assert choose("tail_confidence_vote", *three) == 1
    ten = [sure(0, tail_confidence=1.0)] * 5 + [sure(1, tail_confidence=1.2)] * 4 + [sure(1, tail_confidence=0.5)]
    assert choose("tail_confidence_vote", *ten) == 0
    assert choose("tail_confidence_vote", *ten[1:]) == 4
