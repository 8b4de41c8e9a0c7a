"""Likelihood: a causal language model as process reward model; the score is the probability that it gives the steps.

Why: it needs no labels and no head. Any model that is better than the policy will do.
Source: Yuan et al. 2024, "Free process rewards without process labels", arXiv:2412.01981, with a uniform reference
model.
"""

import math
from collections.abc import Sequence
from itertools import accumulate
from typing import Annotated, Any

from inference_kit.models.local.chat_text import render_chat
from inference_kit.models.local.devices import Placement
from inference_kit.records import Problem
from inference_kit.registry import Above, flatten_settings
from inference_kit.reward_models.local.encoded_text import EncodedText
from inference_kit.reward_models.local.forward import BatchedForward
from inference_kit.reward_models.local.readout import build_logprob_forward
from inference_kit.reward_models.local.transformer import CachingSettings, TransformerRewardModel


class Likelihood(TransformerRewardModel):
    """The score after step t is exp(beta x the log-probability of steps 1 to t), in (0, 1]; it can only fall.

    Args:
        separator: Text between the steps and after the last one.
        beta: Below 1 it flattens the scores, which suits weighted votes.
    """

    kind = "likelihood"

    @flatten_settings
    def __init__(
        self,
        model_path: str,
        *,
        separator: str = "\n\n",
        beta: Annotated[float, Above(0)] = 1.0,
        placement: Placement = Placement(),
        scorer: CachingSettings = CachingSettings(max_batch_size=64),
    ) -> None:
        if beta <= 0:
            raise ValueError(f"beta must be positive, got {beta}")
        super().__init__(model_path, placement=placement, scorer=scorer)
        self.separator, self.beta = separator, beta

    @property
    def score_settings(self) -> tuple[Any, ...]:
        """Separator and beta."""
        return self.separator, self.beta

    def encode_solution(self, problem: Problem, steps: Sequence[str]) -> EncodedText:
        """Encode the whole chat as a policy would read it, then the steps; the first position ends the prompt."""
        prompt = self.encode(render_chat(self.tokenizer, problem.messages))
        return EncodedText.from_pieces([prompt, *(self.encode(step + self.separator) for step in steps)])

    def build_forward(self) -> BatchedForward:
        """Sum the log-probabilities of each step."""
        return build_logprob_forward(self.load(), self.cache_bytes)

    def compute_step_scores(self, raw_scores: Sequence[float]) -> Sequence[float]:
        """Compute exp(beta x ln p(steps 1 to t)) for each step t, in [0, 1]; the prompt's own sum is left out."""
        return [math.exp(min(0.0, self.beta * total)) for total in accumulate(raw_scores[1:])]
