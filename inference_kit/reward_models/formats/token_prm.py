"""Token classification as process reward model: one label for each step, read at the last token of its separator.

Why: common tools train models in the style of PRM800K this way, so most models of one's own have this head.
Source: Lightman et al. 2023, "Let's Verify Step by Step", arXiv:2305.20050 (labels -1, 0, +1); the text is that of
TRL's `PRMTrainer` (`tokenize_row`), after Uesato et al. 2022, arXiv:2211.14275.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from inference_kit.errors import UserError, named
from inference_kit.models.local.devices import Placement
from inference_kit.records import Problem
from inference_kit.registry import flatten_settings
from inference_kit.reward_models.local.encoded_text import EncodedText
from inference_kit.reward_models.local.forward import BatchedForward
from inference_kit.reward_models.local.readout import read_probabilities
from inference_kit.reward_models.local.transformer import CachingSettings, TransformerRewardModel

if TYPE_CHECKING:
    from torch import Tensor


class TokenPRM(TransformerRewardModel):
    """Question and steps; the score is the probability of the good labels at the last token behind each step.

    Args:
        separator: Text behind each step.
        question_separator: Text behind the question; none, as TRL trains.
        good_labels: Labels that count as good, by number or name; the last one where none is given.
        neutral_is_good: With three labels (-1, 0, +1), the one in the middle is good too.
    """

    kind = "token_prm"
    auto_class = "AutoModelForTokenClassification"
    heads = ("ForTokenClassification",)

    @flatten_settings
    def __init__(
        self,
        model_path: str,
        *,
        separator: str = "\n",
        question_separator: str = "",
        good_labels: tuple[str, ...] = (),
        neutral_is_good: bool = False,
        placement: Placement = Placement(),
        scorer: CachingSettings = CachingSettings(),
    ) -> None:
        super().__init__(model_path, placement=placement, scorer=scorer)
        if good_labels and neutral_is_good:
            raise UserError(
                "good labels are named, and neutral ones are to count too", where=named("reward_good_labels")
            )
        self.separator, self.question_separator = separator, question_separator
        self._good_labels, self._neutral_is_good = tuple(good_labels), neutral_is_good

    @property
    def score_settings(self) -> tuple[Any, ...]:
        """Separators and good labels; two equal separators count as one, as before there were two settings."""
        own = () if self.question_separator == self.separator else (self.question_separator,)
        return self.separator, self._good_labels, self._neutral_is_good, *own

    def check_head(self) -> None:
        """Refuse good labels that the head has not."""
        self.find_good_labels()

    def encode_solution(self, problem: Problem, steps: Sequence[str]) -> EncodedText:
        """Encode question, steps and separators each by itself, as in training."""
        bos = [] if self.tokenizer.bos_token_id is None else [self.tokenizer.bos_token_id]
        separator = self.encode(self.separator)
        prefix = [*bos, *self.encode(self.escape(problem.question)), *self.encode(self.question_separator)]
        pieces = [[*self.encode(step), *separator] for step in steps]
        return EncodedText.from_pieces(pieces, prefix=prefix)

    def build_forward(self) -> BatchedForward:
        """Read the sum of the good labels' probabilities."""
        good = self.find_good_labels()

        def to_probabilities(logits: "Tensor") -> "Tensor":
            """Turn (positions, labels) logits into the sum of P(label) over good labels."""
            return logits.softmax(-1)[:, good].sum(-1)

        return BatchedForward(
            self.load(), read_probabilities(to_probabilities, keeps_logits=False), cache_bytes=self.cache_bytes
        )

    def find_good_labels(self) -> list[int]:
        """Return the numbers of the good labels, which index the head's outputs.

        Raises:
            UserError: for a head of one label, and for names that it does not know.
        """
        labels = self.labels
        if len(labels) < 2 or (self._neutral_is_good and len(labels) != 3):
            raise UserError(
                f"the head has the labels {', '.join(labels)}, and {self.kind} needs "
                f"{'three' if self._neutral_is_good else 'two or more'}",
                where=self._weights.path,
            )
        if not self._good_labels:
            n_good = 2 if self._neutral_is_good else 1  # labels run from bad to good: the last is +1, before it 0
            return list(range(len(labels) - n_good, len(labels)))
        numbers = {name: number for number, name in enumerate(labels)}
        numbers |= {str(number): number for number in range(len(labels))}
        for name in self._good_labels:
            if name not in numbers:
                raise UserError(
                    f"the head has no label {name!r}",
                    where=named("reward_good_labels"),
                    fix=f"It has {', '.join(labels)}.",
                )
        return sorted({numbers[name] for name in self._good_labels})
