"""Estimates against their definitions."""

import random
from itertools import combinations
from statistics import fmean

import pytest
from exact_majorities import beta, dirichlet
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from inference_kit.estimates import best_at_k, beta_majority, dirichlet_majority, pass_at_k, vote_at_k, wilson_interval
from inference_kit.records import Candidate
from inference_kit.voting import VOTES

pools = st.lists(
    st.tuples(st.integers(-1, 2), st.sampled_from([0.1, 0.5, 0.5, 0.9]), st.booleans()), min_size=1, max_size=8
)
Pool = list[tuple[int, float, bool]]


def split(pool: Pool) -> tuple[list[Candidate], list[float], list[bool]]:
    found = [
        Candidate(str(group), str(group), step_scores=(score,), score=score, group=abs(group))
        for group, score, _ in pool
    ]
    return found, [score for _, score, _ in pool], [correct for _, _, correct in pool]


@pytest.mark.parametrize(
    ("correct", "total", "low", "high"),
    [
        (0, 0, 0, 1),
        (0, 10, 0, 0.277533),
        (10, 10, 0.722467, 1),
        (122, 200, 0.540937, 0.674917),
        (5, 10, 0.236593, 0.763407),
    ],
)
def test_known_intervals(correct: int, total: int, low: float, high: float) -> None:
    assert wilson_interval(correct, total) == pytest.approx((low, high), abs=1e-6)


@given(st.integers(0, 500), st.integers(1, 500))
def test_an_interval_holds_the_accuracy_and_grows_with_the_confidence(correct: int, total: int) -> None:
    assume(correct <= total)
    low, high = wilson_interval(correct, total)
    assert 0 <= low <= correct / total <= high <= 1
    wider = wilson_interval(correct, total, 0.99)
    assert wider[0] <= low
    assert wider[1] >= high
    assert wilson_interval(total - correct, total) == pytest.approx((1 - high, 1 - low))


@given(st.integers(1, 12), st.integers(0, 12))
def test_pass_at_k_is_the_share_of_subsets_with_a_right_one(n: int, correct: int) -> None:
    """BEY-06."""
    assume(correct <= n)
    right = [place < correct for place in range(n)]
    curve = [pass_at_k(n, correct, k) for k in range(1, n + 1)]
    assert curve == pytest.approx([fmean(any(subset) for subset in combinations(right, k)) for k in range(1, n + 1)])
    assert curve[0] == pytest.approx(correct / n)
    assert curve == sorted(curve)
    assert curve[-1] == (correct > 0)


def test_large_pools_are_exact() -> None:
    assert pass_at_k(10_000, 1, 5_000) == 0.5


@pytest.mark.parametrize(("n", "correct", "k"), [(4, 0, 5), (4, 4, 0), (4, 5, 2), (0, 0, 1), (4, -1, 2)])
def test_what_is_undefined_is_an_error(n: int, correct: int, k: int) -> None:
    """A peer says 1.0 for k > n with nothing right."""
    with pytest.raises(ValueError, match="must be between"):
        pass_at_k(n, correct, k)


def test_more_right_than_there_are_is_an_error() -> None:
    with pytest.raises(ValueError, match="3 of 2"):
        wilson_interval(3, 2)


@given(pools)
def test_best_at_k_is_the_mean_of_the_vote_over_all_subsets(pool: Pool) -> None:
    """BEY-06."""
    candidates, scores, correct = split(pool)
    best = VOTES["best_last"].choose
    for k in range(1, len(pool) + 1):
        assert best_at_k(scores, correct, k) == pytest.approx(vote_at_k(best, candidates, correct, k))


@given(pools)
def test_one_vote_is_the_mean_and_all_votes_are_the_vote(pool: Pool) -> None:
    """BEY-06."""
    candidates, _, correct = split(pool)
    for vote in VOTES.values():
        assert vote_at_k(vote.choose, candidates, correct, 1) == pytest.approx(fmean(correct))
        assert vote_at_k(vote.choose, candidates, correct, len(pool)) == correct[vote.choose(candidates)]


def test_drawn_subsets_come_near_the_exact_figure_and_repeat() -> None:
    pool = [(place % 3, 0.5, place % 3 == 0) for place in range(14)]
    random.Random(1).shuffle(pool)
    candidates, _, correct = split(pool)
    majority = VOTES["majority_vote"].choose
    exact = vote_at_k(majority, candidates, correct, 5, max_subsets=10_000)
    drawn = vote_at_k(majority, candidates, correct, 5, max_subsets=1000, seed=3)
    assert drawn == pytest.approx(exact, abs=0.06)
    assert drawn == vote_at_k(majority, candidates, correct, 5, max_subsets=1000, seed=3)
    assert drawn != vote_at_k(majority, candidates, correct, 5, max_subsets=1000, seed=4)


@given(st.integers(1, 60), st.integers(0, 60))
def test_beta_majority_is_the_exact_integral(first: int, second: int) -> None:
    """Aggarwal et al. 2305.11860: P(p > 1/2) under Beta(v1 + 1, v2 + 1)."""
    votes = sorted((first, second), reverse=True)
    assert beta_majority(votes) == pytest.approx(float(beta(votes)), abs=1e-12)


def test_beta_majority_worked_out_by_hand() -> None:
    """Two flips: P of at least .. heads; a lone answer of v votes is sure to 1 - 1 / 2^(v + 1)."""
    assert beta_majority([1, 1]) == 0.5
    assert [beta_majority([votes]) for votes in (1, 2, 3, 4)] == [0.75, 0.875, 0.9375, 0.96875]
    assert beta_majority([2, 1]) == 11 / 16
    assert beta_majority([5, 2, 2, 1]) == beta_majority([5, 2])


def test_majorities_of_thousands_are_computed_too() -> None:
    assert beta_majority([600, 590]) == pytest.approx(0.6139, abs=1e-3)
    assert beta_majority([3000, 100]) == pytest.approx(1.0)
    assert dirichlet_majority([900, 880]) == pytest.approx(beta_majority([900, 880]), abs=1e-3)


@settings(max_examples=40)
@given(st.lists(st.integers(1, 12), min_size=1, max_size=4))
def test_dirichlet_majority_is_the_exact_integral(votes: list[int]) -> None:
    """P(p1 is the largest) under Dirichlet(v + 1), with one answer that was not seen."""
    votes = sorted(votes, reverse=True)
    assert dirichlet_majority(votes) == pytest.approx(float(dirichlet(votes)), abs=1e-9)


@pytest.mark.parametrize("votes", [[40], [39, 1], [25, 15], [20, 20], [12, 4, 4, 4, 4, 4, 4, 4], [1] * 40])
def test_dirichlet_majority_agrees_with_a_drawn_one(votes: list[int]) -> None:
    """Forty samples are the default's most; a share is a gamma variate over their sum."""
    dice = random.Random(7)
    won = 0
    for _ in range(4000):
        first, *others = [dice.gammavariate(each + 1, 1) for each in [*votes, 0]]
        won += first > max(others)
    assert dirichlet_majority(votes) == pytest.approx(won / 4000, abs=0.025)


@given(st.lists(st.integers(1, 30), min_size=1, max_size=5))
def test_one_more_vote_for_the_first_makes_it_surer(votes: list[int]) -> None:
    votes = sorted(votes, reverse=True)
    more = [votes[0] + 1, *votes[1:]]
    for sure in (beta_majority, dirichlet_majority):
        assert 0 <= sure(votes) <= 1
        assert sure(more) > sure(votes) - 1e-9
