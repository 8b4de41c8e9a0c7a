r"""MATH, MATH-500 and Minerva: problems whose worked solution ends in a box.

Why: answers are formulas, and where a set has no field for them they stand in the last box of the worked solution.
Source: Hendrycks et al. 2021, "Measuring mathematical problem solving with the MATH dataset", arXiv:2103.03874;
Lightman et al. 2023, "Let's verify step by step", arXiv:2305.20050 (the 500); Lewkowycz et al. 2022, "Solving
quantitative reasoning problems with language models", arXiv:2206.14858 (OCWCourses, called Minerva).
"""

from collections.abc import Mapping
from typing import Any, ClassVar

from inference_kit.dataset.base import Dataset
from inference_kit.dataset.fields import missing_field, read_gold, read_text
from inference_kit.errors import UserError
from inference_kit.records import Problem


class MATH(Dataset):
    """Competition mathematics; the gold answer is the field `answer`, or else the last box of the solution."""

    fields = ("problem",)
    other_names: ClassVar[Mapping[str, str]] = {"question": "problem"}
    index_field = "unique_id"
    metadata_fields = ("level", "subject", "type")

    def problem(self, row: Mapping[str, Any], number: int) -> Problem:
        """Take the field `answer` where there is one, else the solution's last box."""
        return Problem(
            index=self.index_of(row, number),
            messages=self.messages(read_text(row, "problem")),
            answer=read_gold(row, "answer") if "answer" in row else self._read_last_box(row),
            metadata=self.metadata_of(row),
        )

    def _read_last_box(self, row: Mapping[str, Any]) -> str:
        if "solution" not in row:
            raise missing_field("answer", row, (*self.fields, "answer or solution"))
        from inference_kit.grader.finding.boxes import find_boxes  # a fifth of the start of every command

        solution = read_text(row, "solution")
        # `boxes` joins boxes that stand side by side to one list, so it gets the text from the last box on.
        found = find_boxes(solution[max(solution.rfind("\\boxed"), solution.rfind("\\fbox"), 0) :])
        if not found:
            raise UserError("field 'solution' has no \\boxed{} answer", fix="Add a field answer.")
        return found[-1].strip()


class Minerva(MATH):
    """University science and mathematics; the gold answer is the last box of the solution."""

    index_field = "idx"
