"""Qwen2.5-Math-PRM: a two-class head read at <extra_0> behind each step.

Source: Zhang et al. 2025, "The Lessons of Developing Process Reward Models in Mathematical Reasoning",
arXiv:2501.07301, and the card of Qwen/Qwen2.5-Math-PRM-7B.
"""

from collections.abc import Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Annotated

from inference_kit.errors import EngineError, UserError
from inference_kit.records import Problem
from inference_kit.reward_models.beginnings import Reading
from inference_kit.reward_models.heads import Headed, head_outputs, load_head
from inference_kit.reward_models.reader import Reader
from inference_kit.reward_models.transformer import CACHE_BYTES, TransformerRewardModel
from inference_kit.reward_models.verdicts import at_places

if TYPE_CHECKING:
    from torch import Tensor

TAG = "<extra_0>"
SYSTEM = "Please reason step by step, and put your final answer within \\boxed{}."
HEAD = r"score\.(?:\d+\.)?weight"


class QwenPRM(TransformerRewardModel):
    """A chat of question and solution; the score is the probability of class 1 at the tag behind each step.

    Args:
        dtype: auto, bfloat16, float16 or float32.
        device: auto, cuda, mps or cpu.
        device_map: How accelerate spreads the layers over GPUs, such as auto; none keeps them on one device.
        max_batch_size: Solutions in one forward pass at the most.
        cache_bytes: Memory for beginnings of solutions, so that one that grows is not read again; 0 is none.
    """

    kind = "qwen_prm"
    auto_class = "AutoModel"
    heads = ("ForProcessRewardModel", "ForTokenClassification")
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

    def check_head(self) -> None:
        """The head, where its files are here, has two classes."""
        outputs = head_outputs(self._weights.folder, HEAD) if self._weights.is_local else None
        if outputs not in (None, 2):
            raise UserError(
                f"the head tells {outputs} classes apart, and {self.kind} reads one of two",
                where=self._weights.path,
                fix="Try --reward-model token_prm." if outputs == 3 else "Choose another format.",
            )

    def check_tokens(self) -> None:
        """The tag is one token, and there is a chat template."""
        assert self._tag and self.chat([("user", "?")])

    def reading(self, problem: Problem, steps: Sequence[str]) -> Reading:
        """The published chat: system message, question, and the steps each followed by the tag."""
        solution = "".join(step + TAG for step in steps)
        text = self.chat([("system", SYSTEM), ("user", self.plain(problem.question)), ("assistant", solution)])
        ids = tuple(self.encode(text))
        places = tuple(place for place, token in enumerate(ids) if token == self._tag)
        if len(places) != len(steps):
            raise EngineError(f"{len(places)} tags of the reward model stand in a text of {len(steps)} steps")
        return Reading(ids, places)

    def reader(self) -> Reader:
        """Softmax over the two classes, of which the second is good."""

        def probabilities(logits: "Tensor") -> "Tensor":
            return logits.softmax(-1)[:, 1]

        model = Headed(self.load(), load_head(self._weights.whole_folder(), HEAD))
        return Reader(model, at_places(probabilities, keeps_logits=False), cache_bytes=self.cache_bytes)

    @cached_property
    def _tag(self) -> int:
        return self.single_id(TAG)
