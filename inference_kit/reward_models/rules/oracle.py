"""Oracle: the gold answer itself as reward model.

Why: it shows what a search would reach with a reward model that is never wrong; best-of-n with it is pass@n.
"""

from collections.abc import Sequence
from functools import cached_property
from typing import TYPE_CHECKING

from inference_kit.errors import EngineError
from inference_kit.records import Problem
from inference_kit.reward_models.base import RewardModel

if TYPE_CHECKING:
    from inference_kit.grader import GraderPool


class Oracle(RewardModel):
    """An upper bound, no result: 1 where the solution's answer is the gold answer, else 0.

    Args:
        strict: Only the last box of a solution counts, not any.
    """

    def __init__(self, model_path: str = "gold", *, strict: bool = False) -> None:
        self.strict = strict
        self.identity = f"oracle:{'strict' if strict else 'lenient'}"

    def score(self, problem: Problem, steps: Sequence[str]) -> list[float]:
        """Return [1.0] where the solution's answer is right, else [0.0].

        Raises:
            EngineError: where the problem has no gold answer.
        """
        if problem.answer is None:
            raise EngineError(
                f"problem {problem.index} has no gold answer, which the oracle compares with",
                fix="Use another reward model.",
            )
        grade = self._grader.grade(
            problem.answer,
            self.separator.join(steps),
            kind=problem.answer_kind,
            choices=tuple(problem.metadata.get("choices", ())),
            strict=self.strict,
        )
        return [float(grade.correct)]

    @cached_property
    def _grader(self) -> "GraderPool":
        from inference_kit.grader import GraderPool  # a fifth of the start of every command

        return GraderPool(workers=1)
