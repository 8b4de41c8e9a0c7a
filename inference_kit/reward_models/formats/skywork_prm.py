"""Skywork-o1-Open-PRM: a value head on a language model, read at the line break behind each step.

Why: its value head comes from TRL, and `transformers` does not know it.
Source: He et al. 2024, "Skywork-o1 Open Series", the cards of Skywork/Skywork-o1-Open-PRM-Qwen-2.5-1.5B and -7B, and
SkyworkAI/skywork-o1-prm-inference.
"""

from collections.abc import Sequence
from functools import cached_property
from typing import TYPE_CHECKING

from inference_kit.errors import UserError
from inference_kit.records import Problem
from inference_kit.reward_models.local.encoded_text import EncodedText
from inference_kit.reward_models.local.forward import BatchedForward
from inference_kit.reward_models.local.heads import ModelWithHead, count_head_outputs, load_head
from inference_kit.reward_models.local.readout import read_probabilities
from inference_kit.reward_models.local.transformer import TransformerRewardModel

if TYPE_CHECKING:
    from torch import Tensor

HEAD = r"(?:\w+\.)*v_head\.summary\.weight"


class SkyworkPRM(TransformerRewardModel):
    """Question and steps line by line; the score is the sigmoid of the value at the line break behind each step."""

    kind = "skywork_prm"
    auto_class = "AutoModel"
    heads = ("ForPrmModel", "ForRewardModel", "ForCausalLM")
    separator = "\n"

    def check_head(self) -> None:
        """Refuse weights without a value head; weights that are not here are not checked."""
        folder = self._weights.folder
        if self._weights.is_local and any(folder.glob("*.safetensors")) and count_head_outputs(folder, HEAD) != 1:
            raise UserError(
                f"these weights have no value head (v_head.summary), which {self.kind} reads",
                where=self._weights.path,
                fix="Choose the format that the weights were made for.",
            )

    def encode_solution(self, problem: Problem, steps: Sequence[str]) -> EncodedText:
        """Encode each line by itself and put the id of a line break behind it, as in the published code."""
        prefix = self.encode(f"{self.tokenizer.bos_token or ''}{self.escape(problem.question)}\n")
        pieces = [[token for line in step.split("\n") for token in self._encode_line(line)] for step in steps]
        return EncodedText.from_pieces(pieces, prefix=prefix)

    def build_forward(self) -> BatchedForward:
        """Read the sigmoid of the value."""

        def to_probabilities(values: "Tensor") -> "Tensor":
            """Turn (positions, 1) values into their sigmoids."""
            return values[:, 0].sigmoid()

        model = ModelWithHead(self.load(), load_head(self._weights.fetch_all(), HEAD))
        return BatchedForward(
            model, read_probabilities(to_probabilities, keeps_logits=False), cache_bytes=self.cache_bytes
        )

    def _encode_line(self, line: str) -> list[int]:
        return [*(self.encode(line) if line else []), self._line_break_id]

    @cached_property
    def _line_break_id(self) -> int:
        return self.encode("\n")[-1]
