"""What process reward models have in common that read their verdict at a tag behind each step.

Why: they differ in the text they show, in the tag and in how the logits at the tag become a score, and in nothing else.
Promises: one score for each step; a step that holds the tag itself, and a text longer than the context, are refused.
"""

import threading
from abc import ABC, abstractmethod
from collections.abc import Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any, ClassVar

from inference_kit.errors import EngineError
from inference_kit.models.weights import Weights, load_model, load_tokenizer
from inference_kit.records import Problem, StepScores
from inference_kit.reward_models.base import RewardModel, ScoreItem

if TYPE_CHECKING:
    from torch import Tensor


class TaggedRewardModel(RewardModel, ABC):
    """A `transformers` model whose output at each tag says whether the step before it is good."""

    auto_class: ClassVar[str]
    kind: ClassVar[str]

    def __init__(
        self, model_path: str, *, dtype: str, device: str, max_batch_size: int, trust_remote_code: bool = False
    ) -> None:
        self.max_batch_size = max_batch_size
        self._weights = Weights(model_path, flag="--reward-model-path")
        self._dtype, self._device = dtype, device
        self._trust_remote_code = trust_remote_code
        self._lock = threading.Lock()

    @cached_property
    def identity(self) -> str:  # type: ignore[override]
        """Kind, name and digest of the weights, and number format."""
        return f"{self.kind}:{self._weights.name}:{self._weights.digest}:{self._dtype}"

    @property
    @abstractmethod
    def tag(self) -> int:
        """The id of the tag token."""

    @abstractmethod
    def ids_of(self, problem: Problem, steps: Sequence[str]) -> list[int]:
        """The ids of the whole text, with a tag behind each step."""

    @abstractmethod
    def probabilities(self, logits: "Tensor") -> "Tensor":
        """The probability that a step is good, (tags,), from what the model says at its tag, (tags, outputs)."""

    def score_batch(self, items: Sequence[ScoreItem]) -> list[StepScores]:
        """Read all solutions in one pass, padded on the right."""
        import torch

        with self._lock, torch.inference_mode():
            rows = [self._checked(self.ids_of(problem, steps), steps) for problem, steps in items]
            device, longest = self._model.device, max(map(len, rows))
            tokens = torch.tensor([[*row, *[0] * (longest - len(row))] for row in rows], device=device)
            mask = torch.tensor([[1] * len(row) + [0] * (longest - len(row)) for row in rows], device=device)
            logits = self._model(input_ids=tokens, attention_mask=mask, use_cache=False)[0]
            tags = (tokens == self.tag) & mask.bool()
            return [
                StepScores(tuple(self.probabilities(logits[row][tags[row]].float()).tolist()), tokens=len(ids))
                for row, ids in enumerate(rows)
            ]

    def _checked(self, ids: list[int], steps: Sequence[str]) -> list[int]:
        found, context = ids.count(self.tag), self._weights.context_length
        if found != len(steps):
            raise EngineError(f"{found} tags of the reward model stand in a text of {len(steps)} steps")
        if context is not None and len(ids) > context:
            raise EngineError(
                f"the reward model would read {len(ids)} tokens and its context is {context}",
                fix="Use a reward model with a longer context, or a smaller --max-new-tokens.",
            )
        return ids

    @cached_property
    def tokenizer(self) -> Any:
        """The model's tokenizer."""
        return load_tokenizer(self._weights, trust_remote_code=self._trust_remote_code)

    @cached_property
    def _model(self) -> Any:
        return load_model(
            self._weights,
            self.auto_class,
            dtype=self._dtype,
            device=self._device,
            trust_remote_code=self._trust_remote_code,
        )
