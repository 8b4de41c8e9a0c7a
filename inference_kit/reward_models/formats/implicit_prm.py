"""Implicit PRM: how much likelier a trained model finds the steps than the model it was trained from.

Why: training on right and wrong solutions alone makes the ratio of the two a Q value of every prefix, so no step was
ever labelled.
Source: Yuan et al. 2024, "Free process rewards without process labels", arXiv:2412.01981, and the card of
PRIME-RL/EurusPRM-Stage2, whose sums also take in the token on either side of a step; ours are the paper's.
"""

import math
from collections.abc import Sequence
from functools import cached_property
from itertools import accumulate
from typing import Annotated, Any

from inference_kit.errors import UserError
from inference_kit.models.local.devices import Dtype
from inference_kit.models.local.weights import Weights
from inference_kit.records import Problem
from inference_kit.reward_models.local.forward import Reader
from inference_kit.reward_models.local.prefix_cache import Reading
from inference_kit.reward_models.local.transformer import CACHE_BYTES, TransformerRewardModel
from inference_kit.reward_models.local.verdicts import logprob_reader


class ImplicitPRM(TransformerRewardModel):
    """The score after step t is the sigmoid of beta x the log-ratio of model and reference model for steps 1 to t.

    Args:
        reference_path: The model that this one was trained from: a folder or hub id with the same vocabulary.
        separator: Text behind each step; behind the last one too, so that its score stays when the solution grows.
        beta: The strength of the reward in training.
        per_step: The log-ratio of each step alone, instead of all steps so far.
        cache_bytes: Memory of each model for beginnings of solutions, so that one that grows is not read again; 0 is
            none.
    """

    kind = "implicit_prm"

    def __init__(
        self,
        model_path: str,
        *,
        reference_path: str,
        separator: str = "\n\n",
        beta: float = 0.001,
        per_step: bool = False,
        dtype: Dtype = "auto",
        device: str = "auto",
        device_map: str | None = None,
        max_batch_size: int = 16,
        cache_bytes: Annotated[int, 0] = CACHE_BYTES,
    ) -> None:
        if beta <= 0:
            raise UserError(f"beta must be positive, got {beta}", where="--reward-beta")
        super().__init__(
            model_path,
            dtype=dtype,
            device=device,
            device_map=device_map,
            max_batch_size=max_batch_size,
            cache_bytes=cache_bytes,
        )
        self.separator, self.beta, self.per_step = separator, beta, per_step
        self._reference = Weights(reference_path, flag="--reward-reference-path")

    def settings(self) -> tuple[Any, ...]:
        """The reference model, separator, beta, and what is summed."""
        return self._reference.name, self._reference.digest, self.separator, self.beta, self.per_step

    def check_head(self) -> None:
        """Both models are there, with vocabularies of one size."""
        own, other = (weights.config.get("vocab_size") for weights in (self._weights, self._reference))
        if own != other:
            raise UserError(
                f"the vocabularies of model and reference model differ ({own} and {other} entries)",
                where="--reward-reference-path",
                fix="Give the model that this one was trained from.",
            )

    def check_tokens(self) -> None:
        """There is a chat template."""
        self.chat([("user", "?")])

    def reading(self, problem: Problem, steps: Sequence[str]) -> Reading:
        """A chat of question and solution; the first place is the prompt's end."""
        prompt = self.encode(self.chat([("user", self.plain(problem.question))]))
        return Reading.of_pieces([prompt, *(self.encode(step + self.separator) for step in steps)])

    def values(self, readings: Sequence[Reading]) -> list[tuple[float, ...]]:
        """Log-ratios of what stands between the places."""
        pairs = zip(self._reader.values(readings), self._reference_reader.values(readings), strict=True)
        return [tuple(ours - theirs for ours, theirs in zip(*pair, strict=True)) for pair in pairs]

    def scores_of(self, values: Sequence[float]) -> Sequence[float]:
        """The probability that the solution is right, as the training loss defines it."""
        totals = values[1:] if self.per_step else accumulate(values[1:])
        return [0.5 * (1 + math.tanh(self.beta * total / 2)) for total in totals]

    def reader(self) -> Reader:
        """Sum the log-probabilities of each step."""
        return logprob_reader(self.load(), self.cache_bytes)

    @cached_property
    def _reference_reader(self) -> Reader:
        return logprob_reader(self.load(self._reference), self.cache_bytes)
