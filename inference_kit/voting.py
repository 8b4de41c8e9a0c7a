"""Voting: choose one of a problem's candidates; pure arithmetic.

Why: a vote is taken after the fact, from what is stored, so that any number of votes costs no new token.
Promises: candidates without an answer do not vote unless none has one. Equal answers are one group, and the winner is
the first candidate of the winning group. Ties go to the candidate that was sampled first; before that, the majority
vote looks at the sum of scores. So the same candidates give the same winner. A score that is missing or NaN counts 0.
Source: majority Wang et al. 2022, arXiv:2203.11171; weighted Li et al. 2022, arXiv:2206.02336; best of N Cobbe et al.
2021, arXiv:2110.14168; aggregates of step scores Lightman et al. 2023, arXiv:2305.20050; Borda by self-certainty Kang
et al. 2025, arXiv:2502.18581; tail confidence Fu et al. 2025, arXiv:2508.15260; margin Wang and Zhou 2024,
arXiv:2402.10200.
"""

import math
from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, get_args

from inference_kit.errors import UserError, named
from inference_kit.records import Candidate
from inference_kit.registry import lookup

Aggregate = Callable[[Sequence[float]], float]
"""Aggregates step scores to one score; the single score of an outcome reward model stays what it is."""

Choose = Callable[[Sequence[Candidate]], int]
"""Chooses the winner among candidates, at least one, and returns its position."""

Need = Literal["step_scores", "logprob", "self_certainty", "tail_confidence", "answer_margin"]
"""A field of a candidate that a vote may need."""

Weigh = Callable[[Sequence[Candidate]], list[float]]
"""Weighs candidates: one weight for each, none negative; only their ratios matter."""

BORDA_POWER = 0.5
"""The exponent p of Kang et al. 2025; 1 would be the classical Borda count."""

KEPT_SHARE = 0.9
"""Candidates that count in the vote by tail confidence; Fu et al. 2025 keep the surest 90 %."""


@dataclass(frozen=True, slots=True)
class Vote:
    """A way to choose; `needs` are the fields of a candidate without which it means nothing. The caller checks them."""

    choose: Choose
    needs: tuple[Need, ...]
    summary: str


def weigh_by_step_scores(aggregate: Aggregate) -> Weigh:
    """Build the weights that are each candidate's aggregated step scores."""
    return lambda candidates: [aggregate(_replace_missing(each.step_scores)) for each in candidates]


def weigh_by_product(candidates: Sequence[Candidate]) -> list[float]:
    """Weigh by the product of step scores, times one power of 2 for all candidates.

    The power keeps products of many small scores from becoming 0. Products are exact fractions until then, so that
    equal ones tie, which sums of logarithms would not.
    """
    products = [_multiply_exactly(_replace_missing(each.step_scores)) for each in candidates]
    # bit_length(d) - bit_length(n) is about -log2(n / d); shifting by the least of them brings the largest to about 1.
    shift = max(0, min((below.bit_length() - above.bit_length() for above, below in products if above), default=0))
    return [(above << shift) / below for above, below in products]


def weigh_by_probability(candidates: Sequence[Candidate]) -> list[float]:
    """Weigh by the probability of the whole text."""
    return _exp_relative(_known_logprobs(candidates))


def weigh_by_token_probability(candidates: Sequence[Candidate]) -> list[float]:
    """Weigh by the geometric mean of the tokens' probabilities, which is the inverse of the perplexity."""
    return _exp_relative(_mean_logprobs(candidates))


def weigh_by_reward_and_probability(candidates: Sequence[Candidate]) -> list[float]:
    """Weigh by the last step score times the geometric mean of the tokens' probabilities."""
    rewards = [math.log(reward) if reward else -math.inf for reward in weigh_by_step_scores(_last)(candidates)]
    return _exp_relative([reward + mean for reward, mean in zip(rewards, _mean_logprobs(candidates), strict=True)])


def weigh_by_certainty_rank(candidates: Sequence[Candidate]) -> list[float]:
    """Weigh by rank in self-certainty: rank r of N gets (N - r + 1) ** `BORDA_POWER` points."""
    certainties = _replace_missing([each.self_certainty for each in candidates])
    surest_first = sorted(range(len(candidates)), key=lambda position: -certainties[position])
    rank = {position: number for number, position in enumerate(surest_first)}  # from 0
    return [(len(candidates) - rank[position]) ** BORDA_POWER for position in range(len(candidates))]


def weigh_by_tail_confidence(candidates: Sequence[Candidate]) -> list[float]:
    """Weigh by tail confidence; the least sure tenth of the candidates gets 0."""
    confidences = _replace_missing([each.tail_confidence for each in candidates])
    surest_first = sorted(range(len(candidates)), key=lambda position: -confidences[position])
    kept = surest_first[: math.ceil(KEPT_SHARE * len(candidates))]
    return [confidences[position] if position in kept else 0.0 for position in range(len(candidates))]


def weigh_by_margin(candidates: Sequence[Candidate]) -> list[float]:
    """Weigh by the mean margin of the answer's tokens: p(likeliest) - p(second)."""
    return _replace_missing([each.answer_margin for each in candidates])


def weighted_vote(weigh: Weigh) -> Choose:
    """Build the vote that chooses the answer with the largest sum of weights."""

    def choose(candidates: Sequence[Candidate]) -> int:
        """Choose the first candidate of the heaviest group."""
        groups = _group(candidates)
        weights = _weigh_voters(weigh, candidates, groups)
        return max(groups, key=lambda members: math.fsum(weights[each] for each in members))[0]

    return choose


def best_candidate(weigh: Weigh) -> Choose:
    """Build the vote that chooses the single candidate with the largest weight."""

    def choose(candidates: Sequence[Candidate]) -> int:
        """Choose the heaviest candidate."""
        weights = _weigh_voters(weigh, candidates, _group(candidates))
        return max(weights, key=lambda each: weights[each])

    return choose


def majority(candidates: Sequence[Candidate]) -> int:
    """Choose the answer of most candidates; of equally many, the one with the highest sum of scores."""
    scores = [_replace_missing((each.score,))[0] for each in candidates]
    return max(_group(candidates), key=lambda members: (len(members), math.fsum(scores[each] for each in members)))[0]


def find_known_fields(candidates: Iterable[Candidate]) -> frozenset[Need]:
    """Return which fields that votes need have a value in any of the candidates."""
    return frozenset(need for each in candidates for need in get_args(Need) if getattr(each, need) not in (None, ()))


def _group(candidates: Sequence[Candidate]) -> list[list[int]]:
    """Group the positions of candidates by answer, in order of first appearance; those without an answer are left out.

    Where no candidate has an answer, all are one group.
    """
    groups: dict[int, list[int]] = defaultdict(list)
    for position, candidate in enumerate(candidates):
        groups[candidate.group].append(position)
    return [members for group, members in groups.items() if group >= 0] or list(groups.values())


def _weigh_voters(weigh: Weigh, candidates: Sequence[Candidate], groups: Sequence[Sequence[int]]) -> dict[int, float]:
    """Weigh the candidates of all groups, by position; the others do not change ranks and shares among these."""
    voters = sorted(each for members in groups for each in members)
    return dict(zip(voters, weigh([candidates[each] for each in voters]), strict=True))


def _exp_relative(logs: Sequence[float]) -> list[float]:
    """Return exp(log - largest) for each log, so that long texts do not all become 0."""
    largest = max(logs)
    return [math.exp(log - largest) if log > -math.inf else 0.0 for log in logs]


def _known_logprobs(candidates: Sequence[Candidate]) -> list[float]:
    """Return the log-probability of each candidate; one that is missing or NaN is that of probability 0."""
    known = [-math.inf if each.logprob is None else each.logprob for each in candidates]
    return [-math.inf if math.isnan(logprob) else logprob for logprob in known]


def _mean_logprobs(candidates: Sequence[Candidate]) -> list[float]:
    return [log / max(1, each.tokens) for log, each in zip(_known_logprobs(candidates), candidates, strict=True)]


def _replace_missing(scores: Sequence[float | None]) -> list[float]:
    """Replace None and NaN by 0, and no scores at all by one 0."""
    return [0.0 if score is None or math.isnan(score) else score for score in scores] or [0.0]


def _multiply_exactly(scores: Sequence[float]) -> tuple[int, int]:
    """Return numerator and denominator of the product, not reduced."""
    numerators, denominators = zip(*(score.as_integer_ratio() for score in scores), strict=True)
    return math.prod(numerators), math.prod(denominators)


def _last(scores: Sequence[float]) -> float:
    return scores[-1]


def _mean(scores: Sequence[float]) -> float:
    return math.fsum(scores) / len(scores)


AGGREGATES: dict[str, Aggregate] = {"last": _last, "min": min, "mean": _mean, "prod": math.prod}

ALL = "all"
"""Asks for every vote that can be taken."""

FALLBACK = "majority_vote"
"""It can always be taken."""

VOTES: dict[str, Vote] = {
    "majority_vote": Vote(majority, (), "the answer most samples have; self-consistency"),
    "min_vote": Vote(
        weighted_vote(weigh_by_step_scores(min)), ("step_scores",), "samples weighted by their lowest step score"
    ),
    "last_vote": Vote(
        weighted_vote(weigh_by_step_scores(_last)), ("step_scores",), "samples weighted by their last step score"
    ),
    "mean_vote": Vote(
        weighted_vote(weigh_by_step_scores(_mean)), ("step_scores",), "samples weighted by their mean step score"
    ),
    "prod_vote": Vote(
        weighted_vote(weigh_by_product), ("step_scores",), "samples weighted by the product of their step scores"
    ),
    "best_min": Vote(
        best_candidate(weigh_by_step_scores(min)), ("step_scores",), "the sample with the highest lowest step score"
    ),
    "best_last": Vote(
        best_candidate(weigh_by_step_scores(_last)), ("step_scores",), "the sample with the highest last step score"
    ),
    "best_mean": Vote(
        best_candidate(weigh_by_step_scores(_mean)), ("step_scores",), "the sample with the highest mean step score"
    ),
    "best_prod": Vote(
        best_candidate(weigh_by_product), ("step_scores",), "the sample with the highest product of step scores"
    ),
    "confidence_vote": Vote(weighted_vote(weigh_by_probability), ("logprob",), "samples weighted by their probability"),
    "best_confidence": Vote(
        best_candidate(weigh_by_token_probability), ("logprob",), "the sample with the lowest perplexity"
    ),
    "mixed_vote": Vote(
        weighted_vote(weigh_by_reward_and_probability),
        ("step_scores", "logprob"),
        "last step score times the mean probability of a token",
    ),
    "self_certainty_vote": Vote(
        weighted_vote(weigh_by_certainty_rank),
        ("self_certainty",),
        "samples weighted by their rank in self-certainty (Borda)",
    ),
    "tail_confidence_vote": Vote(
        weighted_vote(weigh_by_tail_confidence),
        ("tail_confidence",),
        "the surest nine tenths, weighted by tail confidence (DeepConf)",
    ),
    "margin_vote": Vote(
        weighted_vote(weigh_by_margin), ("answer_margin",), "samples weighted by the margin of their answer's tokens"
    ),
}


_DETAILS = f"Run with {named('token_details')} on an engine that gives log-probabilities, or take majority_vote."
_LACKING: Mapping[Need, tuple[str, str]] = {
    "step_scores": ("step scores, and there are none", f"Run with {named('reward_model')}, or take majority_vote."),
    "logprob": ("log-probabilities, and this engine gives none", "Use another engine, or take majority_vote."),
    "self_certainty": (
        "the self-certainty of tokens, which was not recorded",
        f"Run with {named('token_details')} on an engine that sees the whole vocabulary (huggingface), or take "
        "majority_vote.",
    ),
    "tail_confidence": ("the confidence of tokens, which was not recorded", _DETAILS),
    "answer_margin": ("the margin of the answer's tokens, which was not recorded", _DETAILS),
}
"""What is said where a vote cannot be taken, and what to do."""


def find_lack(name: str | None, known: Collection[Need]) -> Need | None:
    """Return the first of what a vote weighs that is not among `known`; None where it lacks nothing."""
    needs = VOTES[name].needs if name is not None else ()
    return next((need for need in needs if need not in known), None)


def explain_lacks(lacks: Mapping[str, Need]) -> str:
    """Say in one line what the votes weigh that is not there; `lacks` is by vote."""
    names: defaultdict[Need, list[str]] = defaultdict(list)
    for name, need in lacks.items():
        names[need].append(name)
    return "; ".join(f"{', '.join(each)} ({_LACKING[need][0]})" for need, each in names.items())


def check_votes(votes: Sequence[str | None], known: Collection[Need]) -> None:
    """Refuse an unknown vote, and one that weighs what is not among `known`."""
    for name in votes:
        if name is not None:
            lookup(VOTES, name, "vote", where=named("vote"))
        if need := find_lack(name, known):
            raise UserError(f"{name} weighs {_LACKING[need][0]}", where=named("vote"), fix=_LACKING[need][1])
