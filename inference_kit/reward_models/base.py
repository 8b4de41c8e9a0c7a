"""RewardModel: scores solutions. The least to write is `score(problem, steps) -> list[float]`.

Why: process reward models, outcome reward models and rules differ in how they read a text, not in what they are asked.
Promises: scores are in [0, 1], one for each step or one for the whole. Blank steps are dropped before they are shown.
NaN counts 0 and is reported, and so is a solution that is too long. A wrong number of scores is an error, never padded.
`identity` is known without weights, which load at the first call.
"""

import math
from collections.abc import Sequence
from functools import cached_property
from typing import Any

from loguru import logger

from inference_kit.errors import EngineError
from inference_kit.models.batching import Batcher
from inference_kit.records import Problem, StepScores

ScoreItem = tuple[Problem, tuple[str, ...]]


class TooLong(EngineError):
    """A solution does not fit the reward model's context: it counts 0, and its problem goes on."""


class RewardModel:
    """Scores solutions of a problem, step by step or as a whole.

    `identity` names everything that scores depend on. `separator` is what stands between steps in the text that this
    reward model reads. `max_batch_size` is how many solutions one `score_batch` gets at the most. `n_nan` counts the
    scores that were not numbers, `n_too_long` the solutions that did not fit.
    """

    identity: str = ""
    separator: str = "\n\n"
    max_batch_size: int = 64
    n_nan: int = 0
    n_too_long: int = 0

    def score(self, problem: Problem, steps: Sequence[str]) -> list[float]:
        """Score one solution; blocking. By default a `score_batch` of one.

        Args:
            problem: What is solved.
            steps: The solution's steps without separators; never empty, no step is blank.

        Returns:
            One number in [0, 1] for each step, or one number for the whole.

        Raises:
            TooLong: where the solution does not fit.
        """
        if type(self).score_batch is RewardModel.score_batch:
            raise NotImplementedError(f"{type(self).__name__} writes neither score nor score_batch")
        [found] = self.score_batch([(problem, tuple(steps))])
        if isinstance(found, TooLong):
            raise found
        return list(found.scores)

    def score_batch(self, items: Sequence[ScoreItem]) -> Sequence[StepScores | TooLong]:
        """Score many solutions; blocking. By default `score` is called for each, and no tokens are counted.

        Returns:
            One entry for each item, in their order; `TooLong` for a solution that does not fit.
        """
        return [StepScores(tuple(self.score(problem, steps))) for problem, steps in items]

    async def scores(self, problem: Problem, steps: Sequence[str]) -> StepScores:
        """Score one solution, in a batch with all that wait at the same time.

        Raises:
            EngineError: where it cannot be scored, or the number of scores is wrong.
        """
        shown = tuple(step for step in steps if step.strip())
        if not shown:
            return StepScores(())
        try:
            found = await self._batcher.submit((problem, shown))
        except TooLong as error:
            return self._score_too_long(error)
        if len(found.scores) not in (1, len(shown)):
            raise EngineError(
                f"reward model {self.identity} gave {len(found.scores)} scores for {len(shown)} steps",
                fix="It must give one for each step, or one for the whole.",
            )
        return StepScores(tuple(self._clip(score) for score in found.scores), found.tokens)

    def check(self) -> None:
        """Refuse settings and weights that cannot work, without loading weights; by default nothing is refused.

        Raises:
            UserError: such as for weights with another kind of head.
        """

    async def close(self) -> None:
        """Report how many scores were not numbers and how many solutions were too long, where it was more than one."""
        if self.n_nan > 1:
            logger.warning("{} scores of the reward model were not numbers and counted 0", self.n_nan)
        if self.n_too_long > 1:
            logger.warning("{} solutions were too long for the reward model and count 0", self.n_too_long)

    @cached_property
    def _batcher(self) -> Batcher[ScoreItem, StepScores]:
        def score_group(items: Sequence[ScoreItem], _group: Any) -> Sequence[StepScores | TooLong]:
            """Score a batch; all items are of one group."""
            return self.score_batch(items)

        return Batcher(score_group, self.max_batch_size)

    def _score_too_long(self, error: TooLong) -> StepScores:
        """Count and report a solution that does not fit; its score is 0."""
        if not self.n_too_long:
            logger.warning("a solution counts 0: {}", error)
        self.n_too_long += 1
        return StepScores((0.0,))

    def _clip(self, score: float) -> float:
        """Clip a score to [0, 1]; count and report one that is not a number, which becomes 0."""
        if not math.isnan(score):
            return min(1.0, max(0.0, float(score)))
        if not self.n_nan:
            logger.warning("a score of the reward model is not a number and counts 0")
        self.n_nan += 1
        return 0.0
