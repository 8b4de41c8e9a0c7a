"""Voting: from the candidates of a problem to one of them; pure arithmetic.

Why: a vote is taken after the fact, from what is stored, so that any number of them costs no new token.
Promises: candidates without an answer do not vote unless none has one; equal answers are one group, and the winner is
the first sample of the winning group; ties go to the first sampled, in the majority vote to the highest sum of scores
before that, so the same candidates give the same winner; a score that is missing or NaN counts 0.
Source: majority Wang et al. 2022, arXiv:2203.11171; weighted Li et al. 2022, arXiv:2206.02336; best of N Cobbe et al.
2021, arXiv:2110.14168; aggregates of step scores Lightman et al. 2023, arXiv:2305.20050; Borda by self-certainty Kang
et al. 2025, arXiv:2502.18581; tail confidence Fu et al. 2025, arXiv:2508.15260; margin Wang and Zhou 2024,
arXiv:2402.10200.
"""

import math
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Literal, get_args

from inference_kit.records import Candidate

Aggregate = Callable[[Sequence[float]], float]
"""From step scores to one score; an outcome reward model's single score is every aggregate of itself."""

Choose = Callable[[Sequence[Candidate]], int]
"""From candidates, at least one, to the position of the winner."""

Need = Literal["step_scores", "logprob", "self_certainty", "tail_confidence", "answer_margin"]

Weigh = Callable[[Sequence[Candidate]], list[float]]
"""From candidates to a weight for each, none negative; only their ratios matter."""


BORDA_POWER = 0.5
KEPT_SHARE = 0.9


@dataclass(frozen=True, slots=True)
class Vote:
    """A way to choose; `needs` are the fields of a candidate that it means nothing without, which the caller checks."""

    choose: Choose
    needs: tuple[Need, ...]
    summary: str


def aggregated(aggregate: Aggregate) -> Weigh:
    """Weigh each candidate by its aggregated step scores."""
    return lambda candidates: [aggregate(_counted(each.step_scores)) for each in candidates]


def relative_product(candidates: Sequence[Candidate]) -> list[float]:
    """Weigh by the product of step scores: many small factors must not all become 0, and what is equal must tie.

    Integers and a power of two keep it exact; logarithms would not.
    """
    products = [_exact_product(_counted(each.step_scores)) for each in candidates]
    shift = max(0, min((below.bit_length() - above.bit_length() for above, below in products if above), default=0))
    return [(above << shift) / below for above, below in products]


def sequence_probability(candidates: Sequence[Candidate]) -> list[float]:
    """Weigh by the probability of the whole text."""
    return _relative(_logprobs(candidates))


def token_probability(candidates: Sequence[Candidate]) -> list[float]:
    """Weigh by the geometric mean of the tokens' probabilities, the inverse of the perplexity."""
    return _relative(_mean_logprobs(candidates))


def reward_and_confidence(candidates: Sequence[Candidate]) -> list[float]:
    """Weigh by the last step score times the geometric mean of the tokens' probabilities."""
    rewards = [math.log(reward) if reward else -math.inf for reward in aggregated(_last)(candidates)]
    return _relative([reward + sure for reward, sure in zip(rewards, _mean_logprobs(candidates), strict=True)])


def borda_by_certainty(candidates: Sequence[Candidate]) -> list[float]:
    """Weigh by rank in self-certainty: rank r of N gets (N - r + 1) to the power `BORDA_POWER` points."""
    certainties = _counted([each.self_certainty for each in candidates])
    surest_first = sorted(range(len(candidates)), key=lambda each: -certainties[each])
    rank = {place: number for number, place in enumerate(surest_first)}
    return [(len(candidates) - rank[place]) ** BORDA_POWER for place in range(len(candidates))]


def surest_tails(candidates: Sequence[Candidate]) -> list[float]:
    """Weigh by tail confidence; the least sure tenth of the candidates counts nothing."""
    confidences = _counted([each.tail_confidence for each in candidates])
    kept = sorted(range(len(candidates)), key=lambda each: -confidences[each])[
        : math.ceil(KEPT_SHARE * len(candidates))
    ]
    return [confidences[place] if place in kept else 0.0 for place in range(len(candidates))]


def margins(candidates: Sequence[Candidate]) -> list[float]:
    """Weigh by how far the tokens of the answer were ahead of the second likeliest."""
    return _counted([each.answer_margin for each in candidates])


def weighted_vote(weigh: Weigh) -> Choose:
    """The answer whose samples weigh most together."""

    def choose(candidates: Sequence[Candidate]) -> int:
        groups = _groups(candidates)
        weights = _weights(weigh, candidates, groups)
        return max(groups, key=lambda members: math.fsum(weights[each] for each in members))[0]

    return choose


def best_candidate(weigh: Weigh) -> Choose:
    """The single heaviest sample."""

    def choose(candidates: Sequence[Candidate]) -> int:
        weights = _weights(weigh, candidates, _groups(candidates))
        return max(weights, key=lambda each: weights[each])

    return choose


def majority(candidates: Sequence[Candidate]) -> int:
    """The answer that most samples have."""
    scores = [_counted((each.score,))[0] for each in candidates]
    return max(_groups(candidates), key=lambda members: (len(members), math.fsum(scores[each] for each in members)))[0]


def known_of(candidates: Iterable[Candidate]) -> frozenset[Need]:
    """What these candidates give a vote to weigh."""
    return frozenset(need for each in candidates for need in get_args(Need) if getattr(each, need) not in (None, ()))


def _groups(candidates: Sequence[Candidate]) -> list[list[int]]:
    """The positions of each answer's samples, in the order of their first; one group where none has an answer."""
    groups: dict[int, list[int]] = defaultdict(list)
    for position, candidate in enumerate(candidates):
        groups[candidate.group].append(position)
    return [members for group, members in groups.items() if group >= 0] or list(groups.values())


def _weights(weigh: Weigh, candidates: Sequence[Candidate], groups: Sequence[Sequence[int]]) -> dict[int, float]:
    """The weight of each voter by its position; who does not vote has no part in what the others weigh."""
    voters = sorted(each for members in groups for each in members)
    return dict(zip(voters, weigh([candidates[each] for each in voters]), strict=True))


def _relative(logs: Sequence[float]) -> list[float]:
    """What numbers with these logarithms are as shares of the largest, so that they do not all become 0."""
    largest = max(logs)
    return [math.exp(log - largest) if log > -math.inf else 0.0 for log in logs]


def _logprobs(candidates: Sequence[Candidate]) -> list[float]:
    known = [-math.inf if each.logprob is None else each.logprob for each in candidates]
    return [-math.inf if math.isnan(logprob) else logprob for logprob in known]


def _mean_logprobs(candidates: Sequence[Candidate]) -> list[float]:
    return [log / max(1, each.tokens) for log, each in zip(_logprobs(candidates), candidates, strict=True)]


def _counted(scores: Sequence[float | None]) -> list[float]:
    """The scores with 0 for NaN, which is stored as null, and one 0 where there are none."""
    return [0.0 if score is None or math.isnan(score) else score for score in scores] or [0.0]


def _exact_product(scores: Sequence[float]) -> tuple[int, int]:
    """Numerator and denominator of the product."""
    numerators, denominators = zip(*(score.as_integer_ratio() for score in scores), strict=True)
    return math.prod(numerators), math.prod(denominators)


def _last(scores: Sequence[float]) -> float:
    return scores[-1]


def _mean(scores: Sequence[float]) -> float:
    return math.fsum(scores) / len(scores)


AGGREGATES: dict[str, Aggregate] = {"last": _last, "min": min, "mean": _mean, "prod": math.prod}

VOTES: dict[str, Vote] = {
    "majority_vote": Vote(majority, (), "the answer most samples have; self-consistency"),
    "min_vote": Vote(weighted_vote(aggregated(min)), ("step_scores",), "samples weighted by their lowest step score"),
    "last_vote": Vote(weighted_vote(aggregated(_last)), ("step_scores",), "samples weighted by their last step score"),
    "mean_vote": Vote(weighted_vote(aggregated(_mean)), ("step_scores",), "samples weighted by their mean step score"),
    "prod_vote": Vote(
        weighted_vote(relative_product), ("step_scores",), "samples weighted by the product of their step scores"
    ),
    "best_min": Vote(
        best_candidate(aggregated(min)), ("step_scores",), "the sample with the highest lowest step score"
    ),
    "best_last": Vote(
        best_candidate(aggregated(_last)), ("step_scores",), "the sample with the highest last step score"
    ),
    "best_mean": Vote(
        best_candidate(aggregated(_mean)), ("step_scores",), "the sample with the highest mean step score"
    ),
    "best_prod": Vote(
        best_candidate(relative_product), ("step_scores",), "the sample with the highest product of step scores"
    ),
    "confidence_vote": Vote(weighted_vote(sequence_probability), ("logprob",), "samples weighted by their probability"),
    "best_confidence": Vote(best_candidate(token_probability), ("logprob",), "the sample with the lowest perplexity"),
    "mixed_vote": Vote(
        weighted_vote(reward_and_confidence),
        ("step_scores", "logprob"),
        "last step score times the mean probability of a token",
    ),
    "self_certainty_vote": Vote(
        weighted_vote(borda_by_certainty),
        ("self_certainty",),
        "samples weighted by their rank in self-certainty (Borda)",
    ),
    "tail_confidence_vote": Vote(
        weighted_vote(surest_tails),
        ("tail_confidence",),
        "the surest nine tenths, weighted by tail confidence (DeepConf)",
    ),
    "margin_vote": Vote(
        weighted_vote(margins), ("answer_margin",), "samples weighted by the margin of their answer's tokens"
    ),
}
