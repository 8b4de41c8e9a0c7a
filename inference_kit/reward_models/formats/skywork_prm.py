"""Skywork-o1-Open-PRM: a value head on a language model, read at the line break behind each step.

Source: He et al. 2024, "Skywork-o1 Open Series", the cards of Skywork/Skywork-o1-Open-PRM-Qwen-2.5-1.5B and -7B, and
SkyworkAI/skywork-o1-prm-inference.
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

HEAD = r"(?:\w+\.)*v_head\.summary\.weight"


class SkyworkPRM(TransformerRewardModel):
    """Question and steps line by line; the score is the sigmoid of the value at the line break behind each step."""

    kind = "skywork_prm"
    auto_class = "AutoModel"
    heads = ("ForPrmModel", "ForRewardModel", "ForCausalLM")
    separator = "\n"

    def check_head(self) -> None:
        """There is a value head, where its files are here."""
        folder = self._weights.folder
        if self._weights.is_local and any(folder.glob("*.safetensors")) and head_outputs(folder, HEAD) != 1:
            raise UserError(
                f"these weights have no value head (v_head.summary), which {self.kind} reads",
                where=self._weights.path,
                fix="Choose the format that the weights were made for.",
            )

    def reading(self, problem: Problem, steps: Sequence[str]) -> Reading:
        """The published ids: each line by itself, the id of a line break behind it."""
        begin = self.encode(f"{self.tokenizer.bos_token or ''}{self.plain(problem.question)}\n")
        pieces = [[token for line in step.split("\n") for token in self._line(line)] for step in steps]
        return Reading.of_pieces(pieces, begin=begin)

    def reader(self) -> Reader:
        """The sigmoid of the value."""

        def probabilities(values: "Tensor") -> "Tensor":
            return values[:, 0].sigmoid()

        model = Headed(self.load(), load_head(self._weights.whole_folder(), HEAD))
        return Reader(model, at_places(probabilities, keeps_logits=False), cache_bytes=self.cache_bytes)

    def _line(self, line: str) -> list[int]:
        return [*(self.encode(line) if line else []), self._line_break]

    @cached_property
    def _line_break(self) -> int:
        return self.encode("\n")[-1]
