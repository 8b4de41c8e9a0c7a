"""Outcome reward models by sequence classification: one score for the whole solution.

Why: most outcome reward models are published with this head.
Source: Cobbe et al. 2021, "Training verifiers to solve math word problems", arXiv:2110.14168 (verifiers); Liu et al.
2025, "Skywork-Reward-V2", arXiv:2507.01352 (the chat of question and solution, and a head of one label).
"""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from inference_kit.errors import UserError
from inference_kit.models.local.devices import Placement
from inference_kit.records import Problem
from inference_kit.registry import flatten_settings
from inference_kit.reward_models.local.encoded_text import EncodedText
from inference_kit.reward_models.local.forward import BatchedForward, Row
from inference_kit.reward_models.local.readout import squash
from inference_kit.reward_models.local.transformer import ScorerSettings, TransformerRewardModel

if TYPE_CHECKING:
    from torch import Tensor


class SequenceORM(TransformerRewardModel):
    """A chat of question and solution; one score: the sigmoid of a one-label head, class 1 of a two-label one.

    Scores keep the order of the logits, also where a sigmoid would be 1 (see `squash`).

    Args:
        separator: Text between the steps.
    """

    kind = "sequence_orm"
    auto_class = "AutoModelForSequenceClassification"
    heads = ("ForSequenceClassification",)

    @flatten_settings
    def __init__(
        self,
        model_path: str,
        *,
        separator: str = "\n\n",
        placement: Placement = Placement(),
        scorer: ScorerSettings = ScorerSettings(),
    ) -> None:
        super().__init__(model_path, placement=placement, scorer=scorer)
        self.separator = separator

    @property
    def score_settings(self) -> tuple[Any, ...]:
        """The separator."""
        return (self.separator,)

    def check_head(self) -> None:
        """Refuse a head of more than two labels."""
        if len(self.labels) > 2:
            raise UserError(
                f"the head has {len(self.labels)} labels, and {self.kind} reads one or two",
                where=self._weights.path,
                fix="Choose the format that the weights were made for.",
            )

    def encode_solution(self, problem: Problem, steps: Sequence[str]) -> EncodedText:
        """Encode the chat, or question and solution as a pair of texts where there is no chat template."""
        question, solution = self.escape(problem.question), self.separator.join(steps)
        if self.tokenizer.chat_template:
            ids = self.encode(self.render_chat([("user", question), ("assistant", solution)]))
        else:
            ids = self.tokenizer(question, solution)["input_ids"]
        return EncodedText(tuple(ids), (len(ids) - 1,))

    def build_forward(self) -> BatchedForward:
        """Read one score for each text; with a single position, no prefix of it could be used again."""
        return BatchedForward(self.load(), _classify)


def _classify(model: Any, inputs: Mapping[str, Any], rows: Sequence[Row]) -> list[list[float]]:
    """Read the probability that each text is good.

    A causal model's head reads the last token whose id is not `pad_token_id`, whatever the mask says. A model that has
    no padding id gets one here for the time of the pass: an id with which no text of this pass ends.
    """
    own = model.config.get_text_config().pad_token_id
    ends = {row.ids[-1] for row in rows}
    padding = own if own is not None else next(each for each in range(len(ends) + 1) if each not in ends)
    model.config.get_text_config().pad_token_id = padding
    tokens = inputs["input_ids"].masked_fill(inputs["attention_mask"] == 0, padding)
    logits: Tensor = model(input_ids=tokens, attention_mask=inputs["attention_mask"]).logits.float()
    model.config.get_text_config().pad_token_id = own
    return [[squash(row)] for row in logits.tolist()]
