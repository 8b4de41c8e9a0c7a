"""Question and answer: the sets that give just these two (AIME, AMC, Gaokao 2023 in English, CollegeMath, CMATH).

Why: these sets differ in the names of two fields and in little else.
Source: Liao et al. 2024, "MARIO", arXiv:2401.08190 (Gaokao 2023 in English); Tang et al. 2024, "MathScale",
arXiv:2403.02884 (CollegeMath); Wei et al. 2023, "CMATH", arXiv:2306.16636.
"""

from collections.abc import Mapping
from typing import Any, ClassVar

from inference_kit.dataset.base import Dataset
from inference_kit.dataset.fields import read_gold, read_text, strip_zero_fraction
from inference_kit.records import Problem


class QuestionAnswer(Dataset):
    """Questions with short answers in a field of their own."""

    fields = ("question", "answer")
    other_names: ClassVar[Mapping[str, str]] = {"problem": "question", "golden": "answer"}
    metadata_fields = ("source", "data_source", "data_topic", "grade")

    def problem(self, row: Mapping[str, Any], number: int) -> Problem:
        """Take both as they are; where the answer is an empty text, as two of Gaokao's are, no response is correct."""
        return Problem(
            index=self.index_of(row, number),
            messages=self.messages(read_text(row, "question")),
            answer=strip_zero_fraction(read_gold(row, "answer")),
            metadata=self.metadata_of(row),
        )


class Contest(QuestionAnswer):
    """Contest problems (AIME, AMC), which have an id."""

    index_field = "id"
