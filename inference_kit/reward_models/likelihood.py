"""Likelihood: a causal language model as process reward model; a step is good where that model could have written it.

Why: it needs no labels and no head, and any model that is better than the policy will do.
Source: Yuan et al. 2024, "Free process rewards without process labels", arXiv:2412.01981, with a uniform reference
model.
"""

import threading
from collections.abc import Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any

from inference_kit.errors import EngineError
from inference_kit.models.huggingface import chat_text
from inference_kit.models.weights import Weights, load_model, load_tokenizer
from inference_kit.records import Problem, StepScores
from inference_kit.reward_models.base import RewardModel, ScoreItem

if TYPE_CHECKING:
    from torch import Tensor

LOGITS_AT_ONCE = 1 << 24


class Likelihood(RewardModel):
    """The score after step t is exp(beta x the log-probability of steps 1 to t), in (0, 1]; it can only fall.

    Args:
        separator: Text between the steps and after the last one.
        beta: Below 1 it flattens the scores, which suits weighted votes.
        dtype: auto, bfloat16, float16 or float32.
        device: auto, cuda, mps or cpu.
        max_batch_size: Solutions in one forward pass at the most.
    """

    def __init__(
        self,
        model_path: str,
        *,
        separator: str = "\n\n",
        beta: float = 1.0,
        dtype: str = "auto",
        device: str = "auto",
        max_batch_size: int = 64,
    ) -> None:
        if beta <= 0:
            raise ValueError(f"beta must be positive, got {beta}")
        self.separator, self.beta, self.max_batch_size = separator, beta, max_batch_size
        self._weights = Weights(model_path, flag="--reward-model-path")
        self._dtype, self._device = dtype, device
        self._lock = threading.Lock()

    @cached_property
    def identity(self) -> str:  # type: ignore[override]
        """Name and digest of the weights, number format and settings."""
        settings = f"{self._dtype}:{self.separator!r}:{self.beta}"
        return f"likelihood:{self._weights.name}:{self._weights.digest}:{settings}"

    def score_batch(self, items: Sequence[ScoreItem]) -> list[StepScores]:
        """Read all solutions in one pass, padded on the right."""
        import torch

        with self._lock, torch.inference_mode():
            read = [self._ids(problem, steps) for problem, steps in items]
            logprobs = self._logprobs([ids for ids, _ in read])
        return [
            StepScores(tuple(self._scores(row, ends)), tokens=len(ids))
            for row, (ids, ends) in zip(logprobs, read, strict=True)
        ]

    def _scores(self, logprobs: "Tensor", ends: Sequence[int]) -> list[float]:
        """`logprobs[i]` is of token i + 1 given those before it; `ends` are where prompt and steps end."""
        sums = logprobs.double().cumsum(0)
        start = sums[ends[0] - 2]
        scores: list[float] = (self.beta * (sums[[end - 2 for end in ends[1:]]] - start)).exp().tolist()
        return scores

    def _ids(self, problem: Problem, steps: Sequence[str]) -> tuple[list[int], list[int]]:
        """The ids of prompt and steps, and the places where the prompt and each step end."""
        ids = list(self._tokenizer.encode(chat_text(self._tokenizer, problem.messages), add_special_tokens=False))
        ends = [len(ids)]
        for step in steps:
            ids += self._tokenizer.encode(step + self.separator, add_special_tokens=False)
            ends.append(len(ids))
        context = self._weights.context_length
        if context is not None and len(ids) > context:
            raise EngineError(
                f"the reward model would read {len(ids)} tokens and its context is {context}",
                fix="Use a reward model with a longer context, or a smaller --max-new-tokens.",
            )
        return ids, ends

    def _logprobs(self, rows: Sequence[Sequence[int]]) -> "list[Tensor]":
        """The log-probability of each token but the first, given those before it."""
        import torch

        device, longest = self._model.device, max(map(len, rows))
        tokens = torch.tensor([[*row, *[0] * (longest - len(row))] for row in rows], device=device)
        mask = torch.tensor([[1] * len(row) + [0] * (longest - len(row)) for row in rows], device=device)
        found: list[Tensor] = []
        at_once = max(1, LOGITS_AT_ONCE // (longest * self._model.config.get_text_config().vocab_size))
        for start in range(0, len(rows), at_once):
            part = slice(start, start + at_once)
            logits = self._model(input_ids=tokens[part], attention_mask=mask[part], use_cache=False).logits[:, :-1]
            following = tokens[part, 1:, None]
            chosen = logits.gather(2, following)[..., 0].float() - logits.float().logsumexp(-1)
            found += list(chosen.cpu())
        return found

    @cached_property
    def _tokenizer(self) -> Any:
        return load_tokenizer(self._weights)

    @cached_property
    def _model(self) -> Any:
        return load_model(self._weights, "AutoModelForCausalLM", dtype=self._dtype, device=self._device)
