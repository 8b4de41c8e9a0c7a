"""OlympiadBench: open-ended problems of mathematical olympiads, in English and without images.

Why: an answer may have several parts, and a question a context of its own.
Source: He et al. 2024, "OlympiadBench", arXiv:2402.14008.
"""

from collections.abc import Mapping
from typing import Any

from inference_kit.dataset.base import Dataset
from inference_kit.dataset.fields import read_text, read_texts, strip_dollars
from inference_kit.errors import UserError
from inference_kit.records import Problem


class OlympiadBench(Dataset):
    """Olympiad problems; where an answer has several parts, all of them are wanted."""

    fields = ("question", "final_answer")
    index_field = "id"
    metadata_fields = ("subfield", "answer_type", "is_multiple_answer", "unit")

    def problem(self, row: Mapping[str, Any], number: int) -> Problem:
        """Join the parts of the answer with commas, and put the context before its question."""
        parts = read_texts(row, "final_answer")
        if not parts:
            raise UserError("field 'final_answer' is a list of no answers")
        question = read_text(row, "question")
        context = row.get("context")
        return Problem(
            index=self.index_of(row, number),
            messages=self.messages(
                f"{context.strip()}\n\n{question}" if isinstance(context, str) and context.strip() else question
            ),
            answer=", ".join(strip_dollars(part.strip()) for part in parts),
            metadata=self.metadata_of(row),
        )
