"""LocalJudge: the judge whose weights are here, so that its probabilities can be read.

Source: see judge.py, whose face it is not: settings and prompt come from there.
"""

from collections.abc import Sequence
from functools import cached_property
from typing import Any

from inference_kit.models.local.devices import Dtype
from inference_kit.records import Problem
from inference_kit.reward_models.local.forward import Reader
from inference_kit.reward_models.local.prefix_cache import Reading
from inference_kit.reward_models.local.transformer import TransformerRewardModel
from inference_kit.reward_models.local.verdicts import first_of
from inference_kit.templates import fill

YES, NO = "Yes", "No"


class LocalJudge(TransformerRewardModel):
    """Asks what `template` says; the score is P(Yes) / (P(Yes) + P(No)) of the first token of the answer."""

    kind = "judge"

    def __init__(
        self, model_path: str, *, template: str, separator: str, dtype: Dtype, device: str, max_batch_size: int
    ) -> None:
        super().__init__(model_path, dtype=dtype, device=device, max_batch_size=max_batch_size)
        self.template, self.separator = template, separator

    def settings(self) -> tuple[Any, ...]:
        """What is asked."""
        return self.template, self.separator

    def check_tokens(self) -> None:
        """The verdicts differ in their first token, and there is a chat template."""
        assert self._verdicts and self.chat([("user", "?")])

    def reading(self, problem: Problem, steps: Sequence[str]) -> Reading:
        """The chat up to where the answer begins."""
        values = {"question": self.plain(problem.question), "solution": self.separator.join(steps)}
        ids = self.encode(self.chat([("user", fill(self.template, values))]))
        return Reading(tuple(ids), (len(ids) - 1,))

    def reader(self) -> Reader:
        """Compare the logits of the verdicts only."""
        return Reader(self.load(), first_of(self._verdicts))

    async def close(self) -> None:
        """Nothing is held but the weights."""

    @cached_property
    def _verdicts(self) -> list[int]:
        return [self.single_id(word) for word in (YES, NO)]
