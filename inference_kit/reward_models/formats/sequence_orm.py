"""Outcome reward models by sequence classification: one score for the whole solution.

Source: Cobbe et al. 2021, "Training verifiers to solve math word problems", arXiv:2110.14168 (verifiers); Liu et al.
2025, "Skywork-Reward-V2", arXiv:2507.01352 (the chat of question and solution, and a head of one label).
"""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from inference_kit.errors import UserError
from inference_kit.models.local.devices import Dtype
from inference_kit.records import Problem
from inference_kit.reward_models.local.forward import Reader, Row
from inference_kit.reward_models.local.prefix_cache import Reading
from inference_kit.reward_models.local.transformer import TransformerRewardModel

if TYPE_CHECKING:
    from torch import Tensor


class SequenceORM(TransformerRewardModel):
    """A chat of question and solution; one score: the sigmoid of a one-label head, class 1 of a two-label one.

    Args:
        separator: Text between the steps.
    """

    kind = "sequence_orm"
    auto_class = "AutoModelForSequenceClassification"
    heads = ("ForSequenceClassification",)

    def __init__(
        self,
        model_path: str,
        *,
        separator: str = "\n\n",
        dtype: Dtype = "auto",
        device: str = "auto",
        device_map: str | None = None,
        max_batch_size: int = 16,
    ) -> None:
        super().__init__(
            model_path,
            dtype=dtype,
            device=device,
            device_map=device_map,
            max_batch_size=max_batch_size,
        )
        self.separator = separator

    def settings(self) -> tuple[Any, ...]:
        """The separator."""
        return (self.separator,)

    def check_head(self) -> None:
        """The head has one label or two."""
        if len(self._weights.labels) > 2:
            raise UserError(
                f"the head has {len(self._weights.labels)} labels, and {self.kind} reads one or two",
                where=self._weights.path,
                fix="Choose the format that the weights were made for.",
            )

    def reading(self, problem: Problem, steps: Sequence[str]) -> Reading:
        """The chat, or question and solution as a pair of texts where there is no chat template."""
        question, solution = self.plain(problem.question), self.separator.join(steps)
        if self.tokenizer.chat_template:
            ids = self.encode(self.chat([("user", question), ("assistant", solution)]))
        else:
            ids = self.tokenizer(question, solution)["input_ids"]
        return Reading(tuple(ids), (len(ids) - 1,))

    def reader(self) -> Reader:
        """The head finds the end of a text by its padding."""
        return Reader(self.load(), _of_whole_texts)


def _of_whole_texts(model: Any, inputs: Mapping[str, Any], rows: Sequence[Row]) -> list[list[float]]:
    """Verdicts: the probability that each text is good.

    Heads of causal models read the last token that is not padding, by its id, whatever the mask says; so the padding is
    an id that no text of this pass ends with, but for a model that was made with a padding id, which then decides.
    """
    own = model.config.get_text_config().pad_token_id
    ends = {row.ids[-1] for row in rows}
    padding = own if own is not None else next(each for each in range(len(ends) + 1) if each not in ends)
    model.config.get_text_config().pad_token_id = padding
    tokens = inputs["input_ids"].masked_fill(inputs["attention_mask"] == 0, padding)
    logits: Tensor = model(input_ids=tokens, attention_mask=inputs["attention_mask"]).logits.float()
    model.config.get_text_config().pad_token_id = own
    good = logits[:, 0].sigmoid() if logits.shape[1] == 1 else logits.softmax(-1)[:, 1]
    return [[score] for score in good.tolist()]
