"""Concise vote: each sample counts the more the fewer tokens it took."""

from collections.abc import Sequence

from inference_kit.records import Candidate
from inference_kit.voting import Vote, weighted_vote


def concision(candidates: Sequence[Candidate]) -> list[float]:
    """Weigh each candidate by one over its tokens."""
    return [1 / max(1, candidate.tokens) for candidate in candidates]


concise_vote = Vote(weighted_vote(concision), needs=(), summary="samples weighted by one over their tokens")
