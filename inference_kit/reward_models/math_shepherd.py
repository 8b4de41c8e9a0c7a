"""Math-Shepherd: a causal language model that says + or - at the tag ки behind each step.

Source: Wang et al. 2023, "Math-Shepherd: Verify and Reinforce LLMs Step-by-step without Human Annotations",
arXiv:2312.08935.
"""

from collections.abc import Sequence
from functools import cached_property
from typing import TYPE_CHECKING

from inference_kit.records import Problem
from inference_kit.reward_models.tagged import TaggedRewardModel

if TYPE_CHECKING:
    from torch import Tensor

TAG, GOOD, BAD = "ки", "+", "-"


class MathShepherd(TaggedRewardModel):
    """Question and steps in one text, a tag behind each step; the score is the probability of + against -.

    Args:
        dtype: auto, bfloat16, float16 or float32.
        device: auto, cuda, mps or cpu.
        max_batch_size: Solutions in one forward pass at the most.
    """

    auto_class = "AutoModelForCausalLM"
    kind = "math_shepherd"
    separator = "\n"

    def __init__(self, model_path: str, *, dtype: str = "auto", device: str = "auto", max_batch_size: int = 16) -> None:
        super().__init__(model_path, dtype=dtype, device=device, max_batch_size=max_batch_size)

    @cached_property
    def tag(self) -> int:
        """The id of the tag."""
        return self._last_id(TAG)

    def ids_of(self, problem: Problem, steps: Sequence[str]) -> list[int]:
        """`question step ки`, one step a line."""
        text = self.separator.join(f"{step} {TAG}" for step in steps)
        return list(self.tokenizer.encode(f"{problem.question} {text}"))

    def probabilities(self, logits: "Tensor") -> "Tensor":
        """Softmax over the two verdicts; the position of the tag predicts the verdict."""
        return logits[:, [self._last_id(GOOD), self._last_id(BAD)]].softmax(-1)[:, 0]

    def _last_id(self, text: str) -> int:
        return int(self.tokenizer.encode(f" {text}", add_special_tokens=False)[-1])
