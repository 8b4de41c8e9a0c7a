"""SVAMP: elementary word problems that vary what is asked.

Why: story and question are two fields, and answers are written as floats.
Source: Patel et al. 2021, "Are NLP models really able to solve simple math word problems?", arXiv:2103.07191.
"""

from collections.abc import Mapping
from typing import Any

from inference_kit.dataset.base import Dataset
from inference_kit.dataset.fields import read_gold, read_text, strip_zero_fraction
from inference_kit.records import Problem


class SVAMP(Dataset):
    """Elementary word problems: a story and a question about it."""

    fields = ("Body", "Question", "Answer")
    index_field = "ID"
    metadata_fields = ("Type",)

    def problem(self, row: Mapping[str, Any], number: int) -> Problem:
        """Put the question behind its story, which gets a full stop where it lacks one."""
        story, question = read_text(row, "Body").strip(), read_text(row, "Question").strip()
        return Problem(
            index=self.index_of(row, number),
            messages=self.messages(f"{story}{' ' if story[-1] in '.!?,;' else '. '}{question}"),
            answer=strip_zero_fraction(read_gold(row, "Answer")),
            answer_kind="number",
            metadata=self.metadata_of(row),
        )
