"""Qwen2.5-Math-PRM: a two-class head read at <extra_0> behind each step.

Source: Zhang et al. 2025, "The Lessons of Developing Process Reward Models in Mathematical Reasoning",
arXiv:2501.07301, and the card of Qwen/Qwen2.5-Math-PRM-7B.
"""

from collections.abc import Sequence
from functools import cached_property
from typing import TYPE_CHECKING

from inference_kit.errors import UserError
from inference_kit.records import Problem
from inference_kit.reward_models.local.forward import Reader
from inference_kit.reward_models.local.heads import Headed, head_outputs, load_head
from inference_kit.reward_models.local.prefix_cache import Reading
from inference_kit.reward_models.local.transformer import TransformerRewardModel
from inference_kit.reward_models.local.verdicts import at_places

if TYPE_CHECKING:
    from torch import Tensor

TAG = "<extra_0>"
SYSTEM = "Please reason step by step, and put your final answer within \\boxed{}."
HEAD = r"score\.(?:\d+\.)?weight"


class QwenPRM(TransformerRewardModel):
    """A chat of question and solution; the score is the probability of class 1 at the tag behind each step."""

    kind = "qwen_prm"
    auto_class = "AutoModel"
    heads = ("ForProcessRewardModel", "ForTokenClassification")
    marks = (TAG,)

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
        ids = self.encode(text)
        return Reading.of_tags(ids, self._tag, n_steps=len(steps))

    def reader(self) -> Reader:
        """Softmax over the two classes, of which the second is good."""

        def probabilities(logits: "Tensor") -> "Tensor":
            return logits.softmax(-1)[:, 1]

        model = Headed(self.load(), load_head(self._weights.whole_folder(), HEAD))
        return Reader(model, at_places(probabilities, keeps_logits=False), cache_bytes=self.cache_bytes)

    @cached_property
    def _tag(self) -> int:
        return self.single_id(TAG)
