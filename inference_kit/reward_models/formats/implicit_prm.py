"""Implicit PRM: the log-ratio of the steps' probabilities under a trained model and under the model it began from.

Why: after training on right and wrong whole solutions, this log-ratio is a Q value of every prefix; no step needs a
label.
Source: Yuan et al. 2024, "Free process rewards without process labels", arXiv:2412.01981, and the card of
PRIME-RL/EurusPRM-Stage2. The card's sums also take in the token on either side of a step; ours are the paper's.
"""

import math
from collections.abc import Sequence
from functools import cached_property
from itertools import accumulate
from typing import Annotated, Any

from inference_kit.errors import UserError, named
from inference_kit.models.local.devices import Placement
from inference_kit.models.local.weights import Weights
from inference_kit.records import Problem
from inference_kit.registry import Above, flatten_settings
from inference_kit.reward_models.local.encoded_text import EncodedText
from inference_kit.reward_models.local.forward import BatchedForward
from inference_kit.reward_models.local.readout import build_logprob_forward
from inference_kit.reward_models.local.transformer import CachingSettings, TransformerRewardModel


class ImplicitPRM(TransformerRewardModel):
    """The score after step t is the sigmoid of beta x the log-ratio of model and reference model for steps 1 to t.

    Args:
        reference_path: The model that this one was trained from: a folder or hub id with the same vocabulary.
        separator: Text behind each step; behind the last one too, so that its score stays when the solution grows.
        beta: The strength of the reward in training.
        per_step: The log-ratio of each step alone, instead of all steps so far.
        cache_bytes: Memory of each model for cached prefixes, so that a solution that grows is not read again; 0 is
            none.
    """

    kind = "implicit_prm"

    @flatten_settings
    def __init__(
        self,
        model_path: str,
        *,
        reference_path: str,
        separator: str = "\n\n",
        beta: Annotated[float, Above(0)] = 0.001,
        per_step: bool = False,
        placement: Placement = Placement(),
        scorer: CachingSettings = CachingSettings(),
    ) -> None:
        if beta <= 0:
            raise UserError(f"beta must be positive, got {beta}", where=named("reward_beta"))
        super().__init__(model_path, placement=placement, scorer=scorer)
        self.separator, self.beta, self.per_step = separator, beta, per_step
        self._reference = Weights(reference_path, setting="reward_reference_path")

    @property
    def score_settings(self) -> tuple[Any, ...]:
        """The reference model, separator, beta, and what is summed."""
        return self._reference.name, self._reference.digest, self.separator, self.beta, self.per_step

    def check_head(self) -> None:
        """Refuse a reference model whose vocabulary has another size."""
        own, other = (weights.config.get("vocab_size") for weights in (self._weights, self._reference))
        if own != other:
            raise UserError(
                f"the vocabularies of model and reference model differ ({own} and {other} entries)",
                where=named("reward_reference_path"),
                fix="Give the model that this one was trained from.",
            )

    def check_tokens(self) -> None:
        """Refuse a tokenizer without a chat template."""
        self.render_chat([("user", "?")])

    def encode_solution(self, problem: Problem, steps: Sequence[str]) -> EncodedText:
        """Encode a chat of question and solution; the first position is the prompt's last token."""
        prompt = self.encode(self.render_chat([("user", self.escape(problem.question))]))
        return EncodedText.from_pieces([prompt, *(self.encode(step + self.separator) for step in steps)])

    def compute_raw_scores(self, texts: Sequence[EncodedText]) -> list[tuple[float, ...]]:
        """Compute the log-ratio ln p(step) - ln p_reference(step) of each step; the first is the prompt's."""
        model = self._forward.compute_raw_scores(texts)
        reference = self._reference_forward.compute_raw_scores(texts)
        return [
            tuple(ours - theirs for ours, theirs in zip(*pair, strict=True))
            for pair in zip(model, reference, strict=True)
        ]

    def compute_step_scores(self, raw_scores: Sequence[float]) -> Sequence[float]:
        """Compute sigmoid(beta x log-ratio), the probability that the solution is right in the training loss."""
        log_ratios = raw_scores[1:] if self.per_step else accumulate(raw_scores[1:])
        # sigmoid(x) = (1 + tanh(x / 2)) / 2, which overflows for no x.
        return [0.5 * (1 + math.tanh(self.beta * log_ratio / 2)) for log_ratio in log_ratios]

    def build_forward(self) -> BatchedForward:
        """Sum the log-probabilities of each step under the trained model."""
        return build_logprob_forward(self.load(), self.cache_bytes)

    @cached_property
    def _reference_forward(self) -> BatchedForward:
        return build_logprob_forward(self.load(self._reference), self.cache_bytes)
