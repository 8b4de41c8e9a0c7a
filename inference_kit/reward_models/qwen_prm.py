"""Qwen2.5-Math-PRM: a two-class head read at <extra_0> behind each step.

Source: Zhang et al. 2025, "The Lessons of Developing Process Reward Models in Mathematical Reasoning",
arXiv:2501.07301.
"""

from collections.abc import Sequence
from functools import cached_property
from typing import TYPE_CHECKING

from inference_kit.records import Problem
from inference_kit.reward_models.tagged import TaggedRewardModel

if TYPE_CHECKING:
    from torch import Tensor

TAG = "<extra_0>"
SYSTEM = "Please reason step by step, and put your final answer within \\boxed{}."


class QwenPRM(TaggedRewardModel):
    """A chat of question and solution; the score is the probability of class 1 at the tag behind each step.

    Args:
        dtype: auto, bfloat16, float16 or float32.
        device: auto, cuda, mps or cpu.
        max_batch_size: Solutions in one forward pass at the most.
        trust_remote_code: Run the code that comes with the weights, which the published ones need.
    """

    auto_class = "AutoModel"
    kind = "qwen_prm"

    def __init__(
        self,
        model_path: str,
        *,
        dtype: str = "auto",
        device: str = "auto",
        max_batch_size: int = 16,
        trust_remote_code: bool = True,
    ) -> None:
        super().__init__(
            model_path, dtype=dtype, device=device, max_batch_size=max_batch_size, trust_remote_code=trust_remote_code
        )

    @cached_property
    def tag(self) -> int:
        """The id of the tag."""
        return int(self.tokenizer.encode(TAG, add_special_tokens=False)[0])

    def ids_of(self, problem: Problem, steps: Sequence[str]) -> list[int]:
        """The published chat: system message, question, and the steps each followed by the tag."""
        turns = [
            {"role": "system", "content": SYSTEM},
            {"role": "user", "content": problem.question},
            {"role": "assistant", "content": "".join(step + TAG for step in steps)},
        ]
        text = self.tokenizer.apply_chat_template(turns, tokenize=False, add_generation_prompt=False)
        return list(self.tokenizer.encode(text, add_special_tokens=False))

    def probabilities(self, logits: "Tensor") -> "Tensor":
        """Softmax over the two classes, of which the second is good."""
        return logits.softmax(-1)[:, 1]
