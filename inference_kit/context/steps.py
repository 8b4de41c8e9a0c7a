"""Steps: how a reply is cut into them, and how long the next one may get.

Why: a step ends at a separator or after so many tokens, and both have to agree about what is a step and what is an end.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from inference_kit.records import Completion, FinishReason, Node

END_OF_THINKING = "</think>"


def split_steps(text: str, separator: str) -> tuple[str, ...]:
    """Cut a reply at the separator and behind its thoughts; blank pieces are no steps."""
    *thoughts, rest = text.split(END_OF_THINKING)
    regions = [*(thought + END_OF_THINKING for thought in thoughts), rest]
    pieces = [piece for region in regions for piece in (region.split(separator) if separator else [region])]
    return tuple(piece.strip() for piece in pieces if piece.strip())


@dataclass(frozen=True, slots=True)
class StepLength:
    """How long a step may get: so many tokens, or until the reply has so many; 0 and None are no limit."""

    tokens: int = 0
    until_tokens: int | None = None

    def tokens_behind(self, node: Node, room: int) -> int:
        """Return the most tokens of the next step behind `node`, at least 1; `room` is what the solution has left."""
        until = room if self.until_tokens is None else self.until_tokens - node.whole_tokens
        return max(1, min(self.tokens or room, until, room))


def cut_crossing_stop(completion: Completion, before: str, stops: Sequence[str]) -> Completion:
    """End a completion where a stop text has begun in the reply `before` it, which its engine may not have looked at.

    Nothing of its text is left then: the stop text began before it.
    """
    for stop in stops:
        seen = before[max(0, len(before) - len(stop) + 1) :]
        if 0 <= (seen + completion.text).find(stop) < len(seen):
            return replace(completion, text="", finish_reason="stop", token_ids=(), details=())
    return completion


def end_of_step(completion: Completion, step_tokens: int, room: int) -> Completion:
    """Return the completion with the reason why it ended, where it was asked for `step_tokens`.

    A step that was cut by its own length is at a boundary, and one that used up the solution's room at its end.
    """
    if completion.finish_reason not in ("length", "boundary"):
        return completion
    goes_on = completion.tokens < room and (completion.finish_reason == "boundary" or completion.tokens >= step_tokens)
    reason: FinishReason = "boundary" if goes_on else "length"
    return completion if completion.finish_reason == reason else replace(completion, finish_reason=reason)
