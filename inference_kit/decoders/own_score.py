"""Own score: a decoder's `score` method as an outcome reward model, so that any method can follow it.

Why: whoever writes `score` says what is better, in a scale of their own; a search over it is the same search.
Promises: a score that raises, or is no number, is kept as an error and ranks below every other; scores are neither cut
to [0, 1] nor taken from another process's log, because the code behind them may have changed.
"""

import math
import secrets
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any
from weakref import WeakMethod

from inference_kit.records import Index, Problem, StepScores
from inference_kit.reward_models.base import RewardModel

Score = Callable[[str, dict[str, Any]], float]
LOWEST = -sys.float_info.max
"""What a candidate counts that could not be scored; infinities would not survive being stored."""


@dataclass(frozen=True, slots=True)
class Judged:
    """A candidate's own score, `LOWEST` where it raised `error`."""

    score: float
    error: Exception | None = None


def judge(score: Score, candidate: str, context: dict[str, Any]) -> Judged:
    """Score a candidate and keep what goes wrong."""
    try:
        number = float(score(candidate, context))
    except Exception as error:  # noqa: BLE001 - the code is the user's; the error is shown, and raised where all fail
        return Judged(LOWEST, error)
    return Judged(LOWEST, ValueError("its score is not a number")) if math.isnan(number) else Judged(number)


def make_score_context(problem: Problem, candidates: Sequence[str], index: int, default: float) -> dict[str, Any]:
    """Make what `score` is told besides the candidate; `default_score` is what it would score if not overridden."""
    return {
        "input": problem.question,
        "prompt": problem.messages[-1].content,
        "candidates": list(candidates),
        "index": index,
        "default_score": default,
    }


class OwnScore(RewardModel):
    """Scores a solution as a whole by a decoder's method, one at a time, on a thread of its own.

    `separator` is set to the engine's once that is known.
    """

    def __init__(self, score: Score) -> None:
        self.identity = f"own_score:{secrets.token_hex(8)}"
        # The decoder holds this reward model too; a weak reference lets both go when the decoder does.
        self._score = WeakMethod(score)
        self.errors: dict[tuple[Index, tuple[str, ...]], Exception] = {}

    def score(self, problem: Problem, steps: Sequence[str]) -> list[float]:
        """Return one score for the whole."""
        candidate = self.separator.join(steps)
        score = self._score()
        assert score is not None, "a decoder outlives its calls"
        judged = judge(score, candidate, make_score_context(problem, [candidate], 0, 0.0))
        if judged.error:
            self.errors[problem.index, tuple(steps)] = judged.error
        return [judged.score]

    async def scores(self, problem: Problem, steps: Sequence[str]) -> StepScores:
        """Score like every reward model, but in the scale of its author."""
        return await self._batcher.submit((problem, tuple(steps)))
