"""Math-Shepherd: a causal language model that says + or - at the tag ки behind each step.

Why: its labels come from rollouts, not from people, and it needs no head: two tokens are its verdicts.
Source: Wang et al. 2023, "Math-Shepherd: Verify and Reinforce LLMs Step-by-step without Human Annotations",
arXiv:2312.08935.
"""

from collections.abc import Sequence
from functools import cached_property

from inference_kit.records import Problem
from inference_kit.reward_models.local.encoded_text import EncodedText
from inference_kit.reward_models.local.forward import BatchedForward
from inference_kit.reward_models.local.readout import compare_tokens
from inference_kit.reward_models.local.transformer import TransformerRewardModel

TAG, GOOD, BAD = "ки", "+", "-"


class MathShepherd(TransformerRewardModel):
    """Question and steps in one text, a tag behind each step; the score is the probability of + against -."""

    kind = "math_shepherd"
    separator = "\n"
    marks = (TAG,)

    def check_tokens(self) -> None:
        """Refuse a tokenizer in which the tag or a verdict is more than one token."""
        _ = self._tag_id, self._verdict_ids

    def encode_solution(self, problem: Problem, steps: Sequence[str]) -> EncodedText:
        """Encode `question step ки`, one step a line; the output at a tag predicts the verdict on its step."""
        text = self.separator.join(f"{step} {TAG}" for step in steps)
        ids = self.tokenizer.encode(f"{self.escape(problem.question)} {text}")
        return EncodedText.from_tags(ids, self._tag_id, n_steps=len(steps))

    def build_forward(self) -> BatchedForward:
        """Compare the logits of + and - only."""
        return BatchedForward(self.load(), compare_tokens(self._verdict_ids), cache_bytes=self.cache_bytes)

    @cached_property
    def _tag_id(self) -> int:
        return self.find_token(TAG, behind_space=True)

    @cached_property
    def _verdict_ids(self) -> list[int]:
        return [self.find_token(sign, behind_space=True) for sign in (GOOD, BAD)]
