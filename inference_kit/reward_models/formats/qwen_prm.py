"""Qwen2.5-Math-PRM: a two-class head read at <extra_0> behind each step.

Why: its head has two layers, which `transformers` does not know.
Source: Zhang et al. 2025, "The Lessons of Developing Process Reward Models in Mathematical Reasoning",
arXiv:2501.07301, and the card of Qwen/Qwen2.5-Math-PRM-7B.
"""

from collections.abc import Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any

from inference_kit.errors import UserError, named
from inference_kit.models.local.devices import Placement
from inference_kit.records import Problem, Role
from inference_kit.registry import flatten_settings
from inference_kit.reward_models.local.encoded_text import EncodedText
from inference_kit.reward_models.local.forward import BatchedForward
from inference_kit.reward_models.local.heads import ModelWithHead, count_head_outputs, load_head
from inference_kit.reward_models.local.readout import read_probabilities
from inference_kit.reward_models.local.transformer import CachingSettings, TransformerRewardModel

if TYPE_CHECKING:
    from torch import Tensor

TAG = "<extra_0>"
SYSTEM = "Please reason step by step, and put your final answer within \\boxed{}."
HEAD = r"score\.(?:\d+\.)?weight"


class QwenPRM(TransformerRewardModel):
    """A chat of question and solution; the score is the probability of class 1 at the tag behind each step.

    Args:
        system: The system message; empty for a model that was trained without one, such as ReasonFlux-PRM.
    """

    kind = "qwen_prm"
    auto_class = "AutoModel"
    heads = ("ForProcessRewardModel", "ForTokenClassification")
    marks = (TAG,)

    @flatten_settings
    def __init__(
        self,
        model_path: str,
        *,
        system: str = SYSTEM,
        placement: Placement = Placement(),
        scorer: CachingSettings = CachingSettings(),
    ) -> None:
        super().__init__(model_path, placement=placement, scorer=scorer)
        self.system = system

    @property
    def score_settings(self) -> tuple[Any, ...]:
        """The system message where it is another one."""
        return () if self.system == SYSTEM else (self.system,)

    def check_head(self) -> None:
        """Refuse a head that has not two classes; weights that are not here are not checked."""
        outputs = count_head_outputs(self._weights.folder, HEAD) if self._weights.is_local else None
        if outputs not in (None, 2):
            raise UserError(
                f"the head tells {outputs} classes apart, and {self.kind} reads one of two",
                where=self._weights.path,
                fix=f"Try {named('reward_model')} token_prm." if outputs == 3 else "Choose another format.",
            )

    def check_tokens(self) -> None:
        """Refuse a tokenizer in which the tag is more than one token, or that has no chat template."""
        _ = self._tag_id, self.render_chat([("user", "?")])

    def encode_solution(self, problem: Problem, steps: Sequence[str]) -> EncodedText:
        """Encode the published chat: system message, question, and the steps, each followed by the tag."""
        solution = "".join(step + TAG for step in steps)
        turns: list[tuple[Role, str]] = [("system", self.system)] if self.system else []
        text = self.render_chat([*turns, ("user", self.escape(problem.question)), ("assistant", solution)])
        ids = self.encode(text)
        return EncodedText.from_tags(ids, self._tag_id, n_steps=len(steps))

    def build_forward(self) -> BatchedForward:
        """Read the probability of class 1, the good one of the two."""

        def to_probabilities(logits: "Tensor") -> "Tensor":
            """Turn (positions, 2) logits into P(class 1)."""
            return logits.softmax(-1)[:, 1]

        model = ModelWithHead(self.load(), load_head(self._weights.fetch_all(), HEAD))
        return BatchedForward(
            model, read_probabilities(to_probabilities, keeps_logits=False), cache_bytes=self.cache_bytes
        )

    @cached_property
    def _tag_id(self) -> int:
        return self.find_token(TAG)
