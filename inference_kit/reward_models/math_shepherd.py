"""Math-Shepherd: a causal language model that says + or - at the tag ки behind each step.

Source: Wang et al. 2023, "Math-Shepherd: Verify and Reinforce LLMs Step-by-step without Human Annotations",
arXiv:2312.08935.
"""

from collections.abc import Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Annotated

from inference_kit.errors import EngineError
from inference_kit.records import Problem
from inference_kit.reward_models.beginnings import Reading
from inference_kit.reward_models.reader import Reader
from inference_kit.reward_models.transformer import CACHE_BYTES, TransformerRewardModel
from inference_kit.reward_models.verdicts import at_places

if TYPE_CHECKING:
    from torch import Tensor

TAG, GOOD, BAD = "ки", "+", "-"


class MathShepherd(TransformerRewardModel):
    """Question and steps in one text, a tag behind each step; the score is the probability of + against -.

    Args:
        dtype: auto, bfloat16, float16 or float32.
        device: auto, cuda, mps or cpu.
        device_map: How accelerate spreads the layers over GPUs, such as auto; none keeps them on one device.
        max_batch_size: Solutions in one forward pass at the most.
        cache_bytes: Memory for beginnings of solutions, so that one that grows is not read again; 0 is none.
    """

    kind = "math_shepherd"
    separator = "\n"
    marks = (TAG,)

    def __init__(
        self,
        model_path: str,
        *,
        dtype: str = "auto",
        device: str = "auto",
        device_map: str | None = None,
        max_batch_size: int = 16,
        cache_bytes: Annotated[int, 0] = CACHE_BYTES,
    ) -> None:
        super().__init__(
            model_path,
            dtype=dtype,
            device=device,
            device_map=device_map,
            max_batch_size=max_batch_size,
            cache_bytes=cache_bytes,
        )

    def check_tokens(self) -> None:
        """The tag and both verdicts are one token each."""
        assert self._tag and self._verdicts

    def reading(self, problem: Problem, steps: Sequence[str]) -> Reading:
        """`question step ки`, one step a line; the output at the tag predicts the verdict."""
        text = self.separator.join(f"{step} {TAG}" for step in steps)
        ids = tuple(self.tokenizer.encode(f"{self.plain(problem.question)} {text}"))
        places = tuple(place for place, token in enumerate(ids) if token == self._tag)
        if len(places) != len(steps):
            raise EngineError(f"{len(places)} tags of the reward model stand in a text of {len(steps)} steps")
        return Reading(ids, places)

    def reader(self) -> Reader:
        """Compare the logits of + and - only."""
        verdicts = self._verdicts

        def probabilities(logits: "Tensor") -> "Tensor":
            return logits[:, verdicts].softmax(-1)[:, 0]

        return Reader(self.load(), at_places(probabilities, keeps_logits=True), cache_bytes=self.cache_bytes)

    @cached_property
    def _tag(self) -> int:
        return self.single_id(TAG, behind_space=True)

    @cached_property
    def _verdicts(self) -> list[int]:
        return [self.single_id(sign, behind_space=True) for sign in (GOOD, BAD)]
