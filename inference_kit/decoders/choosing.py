"""Choosing: which candidate a decoder returns, and what its metadata says of the others.

Why: the caller's own score, a vote and a reward model all end in one position.
Promises: ties go to the first; a candidate whose score raised cannot win, and where all raised the error is raised.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from inference_kit.decoders.own_score import Judged, Score, judge, make_score_context
from inference_kit.records import Candidate, Problem
from inference_kit.voting import VOTES, check_votes, find_known_fields

BY_SCORE = "score"
"""Stands for a vote where the highest score wins."""


@dataclass(frozen=True, slots=True)
class Choice:
    """The winner's position, and what each candidate scored."""

    best: int
    judged: tuple[Judged, ...]

    def list_candidates(self, candidates: Sequence[Candidate]) -> list[dict[str, Any]]:
        """List each candidate with its score, None and the error where there is none."""
        return [
            {"text": candidate.text, "score": judged.score}
            if judged.error is None
            else {"text": candidate.text, "score": None, "error": str(judged.error) or repr(judged.error)}
            for candidate, judged in zip(candidates, self.judged, strict=True)
        ]


def choose(vote: str | None, own: Score | None, problem: Problem, candidates: Sequence[Candidate]) -> Choice:
    """Choose by score, by a vote, or the first one where `vote` is None.

    Args:
        vote: A vote's name, `BY_SCORE` or None.
        own: The decoder's own score, where it has one.
        problem: What was asked.
        candidates: At least one.

    Raises:
        Exception: that of `own`, where no candidate could be scored.
        UserError: where the vote weighs what is not there.
    """
    if vote == BY_SCORE:
        judged = _judge_all(own, problem, candidates)
        able = [place for place, each in enumerate(judged) if each.error is None]
        return Choice(max(able, key=lambda place: judged[place].score), judged)
    judged = tuple(map(Judged, find_default_scores(candidates)))
    if vote is None:
        return Choice(0, judged)
    check_votes((vote,), find_known_fields(candidates))
    return Choice(VOTES[vote].choose(candidates), judged)


def _judge_all(own: Score | None, problem: Problem, candidates: Sequence[Candidate]) -> tuple[Judged, ...]:
    """Score each candidate; where no score could be had, the first error is raised."""
    defaults = find_default_scores(candidates)
    if own is None:
        return tuple(map(Judged, defaults))
    texts = [candidate.text for candidate in candidates]
    judged = tuple(
        judge(own, text, make_score_context(problem, texts, index, defaults[index])) for index, text in enumerate(texts)
    )
    if all(each.error for each in judged) and judged[0].error:
        raise judged[0].error
    return judged


def find_default_scores(candidates: Sequence[Candidate]) -> list[float]:
    """Return the reward model's scores, else mean log-probabilities of a token, else shares with the same answer."""
    scores = [each.score for each in candidates if each.score is not None]
    if len(scores) == len(candidates):
        return scores
    means = [each.logprob / max(1, each.tokens) for each in candidates if each.logprob is not None]
    if len(means) == len(candidates):
        return means
    sizes = Counter(each.group for each in candidates if each.group >= 0)
    return [sizes[each.group] / len(candidates) for each in candidates]
