"""Estimates: accuracies at k with unbiased estimators, intervals, and how sure a majority is.

Why: one pool of n candidates gives the accuracy at every k up to n, so a curve costs no more than its last point.
Promises: exact wherever that is cheap. Where subsets are drawn instead, the same seed gives the same figure.
Source: pass@k Chen et al. 2021, arXiv:2107.03374; interval Wilson 1927, doi:10.1080/01621459.1927.10502953;
majorities Aggarwal et al. 2023, arXiv:2305.11860.
"""

import math
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from itertools import accumulate, combinations
from random import Random
from statistics import NormalDist, fmean
from typing import TypeVar

Item = TypeVar("Item")


def wilson_interval(correct: int, total: int, confidence: float = 0.95) -> tuple[float, float]:
    """Return Wilson's score interval of an accuracy; [0, 1] where `total` is 0.

    Args:
        correct: Correct problems, 0 to `total`.
        total: Problems.
        confidence: Probability that the interval covers the accuracy, in (0, 1).
    """
    if not 0 <= correct <= total:
        raise ValueError(f"correct must be between 0 and total, got {correct} of {total}")
    if total == 0:
        return 0.0, 1.0
    z = NormalDist().inv_cdf((1 + confidence) / 2)
    share, shrink = correct / total, 1 + z * z / total
    # p + z^2/2n -+ z sqrt(p(1 - p)/n + z^2/4n^2), all over 1 + z^2/n.
    centre = (share + z * z / (2 * total)) / shrink
    half = z / shrink * math.sqrt(share * (1 - share) / total + z * z / (4 * total * total))
    low = 0.0 if correct == 0 else centre - half
    high = 1.0 if correct == total else centre + half
    return low, high


def beta_majority(counts: Sequence[int]) -> float:
    """Return the probability that the first answer beats the second: P(p > 1/2) under Beta(v1 + 1, v2 + 1).

    Args:
        counts: Votes of each answer, most first; at least one.
    """
    first, second = [*counts, 0][:2]
    # P(p <= 1/2) under Beta(a, b) is P(at least a tails in a + b - 1 flips of a fair coin) = P(at most b - 1 heads).
    flips = first + second + 1
    return 1 - sum(math.comb(flips, heads) for heads in range(second + 1)) / (1 << flips)


def dirichlet_majority(counts: Sequence[int]) -> float:
    """Return the probability that the first answer has the largest share under Dirichlet(v + 1).

    One more answer, which nobody gave yet, takes part with v = 0. Shares under a Dirichlet distribution are gamma
    variates over their sum, so the probability is the integral of the first variate's density at x times the
    probabilities that each other one is below x. With x = u^3 the integrand is flat at both ends, where the trapezoidal
    rule with equal steps is exact to ten digits.

    Args:
        counts: Votes of each answer, most first; at least one.
    """
    first, *others = [*counts, 0]
    alike = Counter(others)
    steps = 96
    # The gamma variate has mean and variance first + 1; 12 standard deviations above it nothing is left.
    width = math.cbrt(first + 1 + 12 * math.sqrt(first + 1) + 12) / steps

    def density(x: float) -> float:
        """Compute the density of Gamma(first + 1) at x: x^first e^-x / first!."""
        return math.exp(first * math.log(x) - x - math.lgamma(first + 1))

    def probability_below(votes: int, x: float) -> float:
        """Compute P(Gamma(votes + 1) < x) = 1 - e^-x (1 + x + ... + x^votes / votes!)."""
        half = math.exp(-x / 2)  # e^-x is taken in two halves, because it is 0 for hundreds of votes
        terms = accumulate(range(1, votes + 1), lambda term, k: term * x / k, initial=half)
        return max(0.0, 1 - half * math.fsum(terms))

    def integrand(u: float) -> float:
        """Density times the probabilities that all others are below, in u: dx = 3 u^2 du."""
        x = u**3
        below = (probability_below(votes, x) ** times for votes, times in alike.items())
        return 3 * u * u * density(x) * math.prod(below)

    return min(1.0, width * math.fsum(integrand(step * width) for step in range(1, steps)))


def pass_at_k(n: int, correct: int, k: int) -> float:
    """Return the probability that k of n candidates hold a right one, where `correct` of the n are right.

    Raises:
        ValueError: where k is not in 1 to n, or `correct` not in 0 to n.
    """
    _check_k(n, k)
    if not 0 <= correct <= n:
        raise ValueError(f"correct must be between 0 and n, got {correct} of {n}")
    return 1 - math.comb(n - correct, k) / math.comb(n, k)  # 1 - P(all k are wrong)


def best_at_k(scores: Sequence[float], correct: Sequence[bool], k: int) -> float:
    """Return the exact probability that the best of k candidates, by score, is right; the earlier wins a tie.

    Args:
        scores: Of all n candidates, in their order.
        correct: Which of them are right.
        k: How many are drawn, without replacement.

    Raises:
        ValueError: where k is not in 1 to n.
    """
    n = len(scores)
    _check_k(n, k)
    ranked = sorted(range(n), key=lambda position: -scores[position])
    # The candidate of rank r (from 1) is the best of k where the other k - 1 are among the n - r below it.
    right = sum(math.comb(n - rank, k - 1) for rank, position in enumerate(ranked, 1) if correct[position])
    return right / math.comb(n, k)


def vote_at_k(
    choose: Callable[[Sequence[Item]], int],
    candidates: Sequence[Item],
    correct: Sequence[bool],
    k: int,
    *,
    max_subsets: int = 1000,
    seed: int = 0,
) -> float:
    """Return the share of subsets of k candidates of which `choose` picks a right one; with majority vote, maj@k.

    Args:
        choose: Chooses the winner among some of the candidates, in their order, and returns its position.
        candidates: All n of them.
        correct: Which of them are right.
        k: How many vote.
        max_subsets: All subsets are taken if there are no more than this, else so many are drawn.
        seed: Decides which are drawn.

    Raises:
        ValueError: where k is not in 1 to n.
    """
    _check_k(len(candidates), k)
    return fmean(
        correct[subset[choose([candidates[position] for position in subset])]]
        for subset in _draw_subsets(len(candidates), k, max_subsets, seed)
    )


def _draw_subsets(n: int, k: int, most: int, seed: int) -> Iterator[tuple[int, ...]]:
    if math.comb(n, k) <= most:
        yield from combinations(range(n), k)
        return
    random = Random(seed)
    for _ in range(most):
        yield tuple(sorted(random.sample(range(n), k)))


def _check_k(n: int, k: int) -> None:
    if not 1 <= k <= n:
        raise ValueError(f"k must be between 1 and the {n} candidates there are, got {k}")
