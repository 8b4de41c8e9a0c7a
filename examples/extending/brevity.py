"""Brevity: a rule as a reward model; it prefers short steps."""

from collections.abc import Sequence

from inference_kit.records import Problem
from inference_kit.reward_models.base import RewardModel


class Brevity(RewardModel):
    """A step of w words scores 1 / (1 + w / `half_life`).

    Args:
        half_life: Words at which a step scores one half.
    """

    def __init__(self, model_path: str = "none", *, half_life: float = 20.0) -> None:
        self.identity, self.half_life = f"brevity:{half_life}", half_life

    def score(self, problem: Problem, steps: Sequence[str]) -> list[float]:
        """One score for each step."""
        return [1 / (1 + len(step.split()) / self.half_life) for step in steps]
