"""Estimates: from counts and candidates to figures for the reader, with how sure they are.

Why: one pool of n candidates tells the accuracy at every k up to n, so a curve costs no more than its last point.
Promises: exact wherever that is cheap; where subsets are drawn instead, the same seed gives the same figure.
Source: pass@k Chen et al. 2021, arXiv:2107.03374; interval Wilson 1927, doi:10.1080/01621459.1927.10502953; sure
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
    """Return the score interval of an accuracy; the whole of [0, 1] where `total` is 0."""
    if not 0 <= correct <= total:
        raise ValueError(f"correct must be between 0 and total, got {correct} of {total}")
    if total == 0:
        return 0.0, 1.0
    z = NormalDist().inv_cdf((1 + confidence) / 2)
    share, shrink = correct / total, 1 + z * z / total
    centre = (share + z * z / (2 * total)) / shrink
    half = z / shrink * math.sqrt(share * (1 - share) / total + z * z / (4 * total * total))
    low = 0.0 if correct == 0 else centre - half
    high = 1.0 if correct == total else centre + half
    return low, high


def beta_majority(counts: Sequence[int]) -> float:
    """The probability that the first answer beats the second: P(p > 1/2) under Beta(v1 + 1, v2 + 1).

    Args:
        counts: Votes of each answer, most first; at least one.
    """
    first, second = [*counts, 0][:2]
    flips = first + second + 1
    return 1 - sum(math.comb(flips, heads) for heads in range(second + 1)) / (1 << flips)


def dirichlet_majority(counts: Sequence[int]) -> float:
    """The probability that the first answer has the largest share under Dirichlet(v + 1), one more answer unseen.

    Integrates over the gamma variates whose shares are Dirichlet: the first one's density times the chance that each
    other one is smaller. In u = x^(1/3) all of it is flat at both ends, where equal steps are exact to ten digits.

    Args:
        counts: Votes of each answer, most first; at least one.
    """
    first, *others = [*counts, 0]
    alike = Counter(others)
    steps = 96
    width = math.cbrt(first + 1 + 12 * math.sqrt(first + 1) + 12) / steps

    def density(x: float) -> float:
        return math.exp(first * math.log(x) - x - math.lgamma(first + 1))

    def smaller(votes: int, x: float) -> float:
        half = math.exp(-x / 2)  # twice, because e^-x is 0 and its inverse infinite for hundreds of votes
        terms = accumulate(range(1, votes + 1), lambda term, k: term * x / k, initial=half)
        return max(0.0, 1 - half * math.fsum(terms))

    def height(u: float) -> float:
        x = u**3
        return 3 * u * u * density(x) * math.prod(smaller(votes, x) ** times for votes, times in alike.items())

    return min(1.0, width * math.fsum(height(place * width) for place in range(1, steps)))


def pass_at_k(n: int, correct: int, k: int) -> float:
    """Return the chance that k of n candidates, `correct` of them right, hold a right one."""
    _check(n, k)
    if not 0 <= correct <= n:
        raise ValueError(f"correct must be between 0 and n, got {correct} of {n}")
    return 1 - math.comb(n - correct, k) / math.comb(n, k)


def best_at_k(scores: Sequence[float], correct: Sequence[bool], k: int) -> float:
    """Return how often the highest score of k candidates belongs to a right one, exactly; the earlier wins a tie."""
    n = len(scores)
    _check(n, k)
    ranked = sorted(range(n), key=lambda position: -scores[position])
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
    """Return how often `choose` picks a right one of k candidates; with the majority vote this is maj@k.

    Args:
        choose: From some of the candidates, in their order, to the position of the winner.
        candidates: All of them.
        correct: Which of them are right.
        k: How many vote.
        max_subsets: All subsets are taken if there are no more than this, else so many are drawn.
        seed: Decides which are drawn.
    """
    _check(len(candidates), k)
    return fmean(
        correct[subset[choose([candidates[position] for position in subset])]]
        for subset in _subsets(len(candidates), k, max_subsets, seed)
    )


def _subsets(n: int, k: int, most: int, seed: int) -> Iterator[tuple[int, ...]]:
    if math.comb(n, k) <= most:
        yield from combinations(range(n), k)
        return
    random = Random(seed)
    for _ in range(most):
        yield tuple(sorted(random.sample(range(n), k)))


def _check(n: int, k: int) -> None:
    if not 1 <= k <= n:
        raise ValueError(f"k must be between 1 and the {n} candidates there are, got {k}")
