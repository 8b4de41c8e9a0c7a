"""VersaPRM, Llama-PRM800K and Math-PSA: a causal language model that says + or - at a run of line breaks.

Why: they are trained as Math-Shepherd is, with another tag, and only that one token, four or five line breaks behind a
space, ends a step.
Source: Zeng et al. 2025, "VersaPRM: Multi-Domain Process Reward Model via Synthetic Reasoning Data", arXiv:2502.06737,
and the cards of UW-Madison-Lee-Lab/VersaPRM and Llama-PRM800K: question, " \\n\\n", steps, " \\n\\n\\n\\n" behind each,
P(+) of "-" and "+". Wang et al. 2024, "OpenR", arXiv:2410.09671 (Math-PSA: `prm/infer_fns.py`).
"""

import re
from collections.abc import Sequence
from functools import cached_property
from typing import Any

from inference_kit.errors import UserError
from inference_kit.models.local.devices import Placement
from inference_kit.records import Problem
from inference_kit.registry import flatten_settings
from inference_kit.reward_models.local.encoded_text import EncodedText
from inference_kit.reward_models.local.forward import BatchedForward
from inference_kit.reward_models.local.readout import compare_tokens
from inference_kit.reward_models.local.transformer import CachingSettings, TransformerRewardModel

TAG, GOOD, BAD = " \n\n\n\n", "+", "-"
LONG_GAP = re.compile(r"\n(?:[^\S\n]*\n){2,}")
"""Three line breaks or more, which in a step would read as the tag."""


class VersaPRM(TransformerRewardModel):
    """Question and steps in one text, blank lines behind each step; the score is the probability of + against -.

    Args:
        tag: What ends a step; its last token is where scores are read.
        question_separator: Text behind the question.
        separator: Text between a tag and the next step.
        spaced_verdicts: Whether + and - are the tokens behind a space.
    """

    kind = "versa_prm"

    @flatten_settings
    def __init__(
        self,
        model_path: str,
        *,
        tag: str = TAG,
        question_separator: str = " \n\n",
        separator: str = "",
        spaced_verdicts: bool = False,
        placement: Placement = Placement(),
        scorer: CachingSettings = CachingSettings(),
    ) -> None:
        super().__init__(model_path, placement=placement, scorer=scorer)
        self.tag, self.question_separator, self.separator = tag, question_separator, separator
        self.spaced_verdicts = spaced_verdicts

    @property
    def score_settings(self) -> tuple[Any, ...]:
        """Tag, separators and verdicts."""
        return self.tag, self.question_separator, self.separator, self.spaced_verdicts

    def check_tokens(self) -> None:
        """Refuse a tokenizer in which the tag or a verdict is more than one token."""
        _ = self._tag_ids, self._verdict_ids

    def escape(self, text: str) -> str:
        """Put a space into special tokens, and one blank line in the place of several, which would end a step."""
        return LONG_GAP.sub("\n\n", super().escape(text).strip())

    def encode_solution(self, problem: Problem, steps: Sequence[str]) -> EncodedText:
        """Encode question and steps, each followed by the tag, whose last token predicts the verdict.

        A tag is put in as tokens, so that a step that ends or begins with a line break does not change it.
        """
        first, *others = steps
        opening = f"{self.escape(problem.question)}{self.question_separator}{first}"
        texts = [self.tokenizer.encode(opening), *(self.encode(self.separator + step) for step in others)]
        return EncodedText.from_pieces([[*ids, *self._tag_ids] for ids in texts])

    def build_forward(self) -> BatchedForward:
        """Compare the logits of + and - only."""
        return BatchedForward(self.load(), compare_tokens(self._verdict_ids), cache_bytes=self.cache_bytes)

    @cached_property
    def _tag_ids(self) -> list[int]:
        """The tag's tokens: one, or a space and one with all line breaks."""
        ids = self.encode(self.tag)
        if ids and str(self.tokenizer.decode(ids[-1:])).strip(" ") == self.tag.strip(" ") != "":
            return ids
        raise UserError(
            f"{self.tag!r} is not one token of this model, and {self.kind} reads its scores there",
            where=self._weights.path,
            fix="Choose the format that the weights were made for.",
        )

    @cached_property
    def _verdict_ids(self) -> list[int]:
        return [self.find_token(sign, behind_space=self.spaced_verdicts) for sign in (GOOD, BAD)]
