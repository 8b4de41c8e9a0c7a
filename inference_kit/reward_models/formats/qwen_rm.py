"""Qwen2.5-Math-RM: one score for the whole solution, by a head of two layers at the last token of the chat.

Why: `transformers` does not know its head, which is that of Qwen2.5-Math-PRM with one output.
Source: Yang et al. 2024, "Qwen2.5-Math Technical Report", arXiv:2409.12122, and the card of Qwen/Qwen2.5-Math-RM-72B.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from inference_kit.errors import UserError
from inference_kit.models.local.devices import Placement
from inference_kit.records import Problem, Role
from inference_kit.registry import flatten_settings
from inference_kit.reward_models.local.encoded_text import EncodedText
from inference_kit.reward_models.local.forward import BatchedForward
from inference_kit.reward_models.local.heads import ModelWithHead, count_head_outputs, load_head
from inference_kit.reward_models.local.readout import read_probabilities, squash
from inference_kit.reward_models.local.transformer import ScorerSettings, TransformerRewardModel

if TYPE_CHECKING:
    from torch import Tensor

SYSTEM = "Please reason step by step, and put your final answer within \\boxed{}."
HEAD = r"score\.(?:\d+\.)?weight"


class QwenRM(TransformerRewardModel):
    """A chat of question and solution; one score: the sigmoid of the head's output at its last token.

    The published score is the output itself, about -10 to 10; the sigmoid keeps its order (see `squash`).

    Args:
        system: The system message; empty for none.
        separator: Text between the steps.
    """

    kind = "qwen_rm"
    auto_class = "AutoModel"
    heads = ("Qwen2ForRewardModel",)

    @flatten_settings
    def __init__(
        self,
        model_path: str,
        *,
        system: str = SYSTEM,
        separator: str = "\n\n",
        placement: Placement = Placement(),
        scorer: ScorerSettings = ScorerSettings(),
    ) -> None:
        super().__init__(model_path, placement=placement, scorer=scorer)
        self.system, self.separator = system, separator

    @property
    def score_settings(self) -> tuple[Any, ...]:
        """System message and separator."""
        return self.system, self.separator

    def check_head(self) -> None:
        """Refuse a head that has not one output; weights that are not here are not checked."""
        outputs = count_head_outputs(self._weights.folder, HEAD) if self._weights.is_local else None
        if outputs not in (None, 1):
            raise UserError(
                f"the head has {outputs} outputs, and {self.kind} reads one of a single output",
                where=self._weights.path,
                fix="Choose the format that the weights were made for.",
            )

    def check_tokens(self) -> None:
        """Refuse a tokenizer that has no chat template."""
        self.render_chat([("user", "?")])

    def encode_solution(self, problem: Problem, steps: Sequence[str]) -> EncodedText:
        """Encode the published chat: system message, question and solution."""
        turns: list[tuple[Role, str]] = [("system", self.system)] if self.system else []
        turns += [("user", self.escape(problem.question)), ("assistant", self.separator.join(steps))]
        ids = self.encode(self.render_chat(turns))
        return EncodedText(tuple(ids), (len(ids) - 1,))

    def build_forward(self) -> BatchedForward:
        """Read the head's output; with a single position, no prefix of a text could be used again."""

        def to_outputs(outputs: "Tensor") -> "Tensor":
            """Turn (positions, 1) outputs into (positions,)."""
            return outputs[:, 0]

        model = ModelWithHead(self.load(), load_head(self._weights.fetch_all(), HEAD))
        return BatchedForward(model, read_probabilities(to_outputs, keeps_logits=False))

    def compute_step_scores(self, raw_scores: Sequence[float]) -> Sequence[float]:
        """Turn the head's output into a score in [0, 1]."""
        return [squash([each]) for each in raw_scores]
