"""Math-Shepherd: a causal language model that says + or - at the tag ки behind each step.

Source: Wang et al. 2023, "Math-Shepherd: Verify and Reinforce LLMs Step-by-step without Human Annotations",
arXiv:2312.08935.
"""

from collections.abc import Sequence
from functools import cached_property

from inference_kit.records import Problem
from inference_kit.reward_models.local.forward import Reader
from inference_kit.reward_models.local.prefix_cache import Reading
from inference_kit.reward_models.local.transformer import TransformerRewardModel
from inference_kit.reward_models.local.verdicts import first_of

TAG, GOOD, BAD = "ки", "+", "-"


class MathShepherd(TransformerRewardModel):
    """Question and steps in one text, a tag behind each step; the score is the probability of + against -."""

    kind = "math_shepherd"
    separator = "\n"
    marks = (TAG,)

    def check_tokens(self) -> None:
        """The tag and both verdicts are one token each."""
        assert self._tag and self._verdicts

    def reading(self, problem: Problem, steps: Sequence[str]) -> Reading:
        """`question step ки`, one step a line; the output at the tag predicts the verdict."""
        text = self.separator.join(f"{step} {TAG}" for step in steps)
        ids = self.tokenizer.encode(f"{self.plain(problem.question)} {text}")
        return Reading.of_tags(ids, self._tag, n_steps=len(steps))

    def reader(self) -> Reader:
        """Compare the logits of + and - only."""
        return Reader(self.load(), first_of(self._verdicts), cache_bytes=self.cache_bytes)

    @cached_property
    def _tag(self) -> int:
        return self.single_id(TAG, behind_space=True)

    @cached_property
    def _verdicts(self) -> list[int]:
        return [self.single_id(sign, behind_space=True) for sign in (GOOD, BAD)]
