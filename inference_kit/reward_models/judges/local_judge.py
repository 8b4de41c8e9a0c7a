"""LocalJudge: a judge whose weights are here, so that its probabilities are read from its logits.

Why: one forward pass over the question is all it costs; nothing is generated.
Source: Zhang et al. 2024, arXiv:2408.15240, as in judge.py, which gives it settings and template.
"""

from collections.abc import Sequence
from functools import cached_property
from typing import Any

from inference_kit.models.local.devices import Placement
from inference_kit.records import Problem
from inference_kit.reward_models.local.encoded_text import EncodedText
from inference_kit.reward_models.local.forward import BatchedForward
from inference_kit.reward_models.local.readout import compare_tokens
from inference_kit.reward_models.local.transformer import TransformerRewardModel
from inference_kit.templates import fill

YES, NO = "Yes", "No"


class LocalJudge(TransformerRewardModel):
    """Asks what `template` says; the score is P(Yes) / (P(Yes) + P(No)) at the first token of the answer."""

    kind = "judge"

    def __init__(
        self, model_path: str, *, template: str, separator: str, placement: Placement, max_batch_size: int
    ) -> None:
        super().__init__(model_path, placement=placement, max_batch_size=max_batch_size)
        self.template, self.separator = template, separator

    @property
    def score_settings(self) -> tuple[Any, ...]:
        """Template and separator."""
        return self.template, self.separator

    def check_tokens(self) -> None:
        """Refuse a tokenizer in which Yes or No is more than one token, or that has no chat template."""
        _ = self._verdict_ids, self.render_chat([("user", "?")])

    def encode_solution(self, problem: Problem, steps: Sequence[str]) -> EncodedText:
        """Encode the chat up to where the answer begins; the output at the last token predicts its first."""
        filled = {"question": self.escape(problem.question), "solution": self.separator.join(steps)}
        ids = self.encode(self.render_chat([("user", fill(self.template, filled))]))
        return EncodedText(tuple(ids), (len(ids) - 1,))

    def build_forward(self) -> BatchedForward:
        """Compare the logits of Yes and No only."""
        return BatchedForward(self.load(), compare_tokens(self._verdict_ids))

    async def close(self) -> None:
        """Close nothing: only weights are held."""

    @cached_property
    def _verdict_ids(self) -> list[int]:
        return [self.find_token(word) for word in (YES, NO)]
