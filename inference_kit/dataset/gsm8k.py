"""GSM8K: grade school word problems, and every set in the same line format, such as the bundled benchmark.

Why: solution and answer share a field, which many sets of word problems copy.
Source: Cobbe et al. 2021, "Training verifiers to solve math word problems", arXiv:2110.14168.
"""

from collections.abc import Mapping
from typing import Any

from inference_kit.dataset.base import Dataset
from inference_kit.dataset.fields import read_text
from inference_kit.errors import UserError, named
from inference_kit.records import Problem


class GSM8K(Dataset):
    """Grade school word problems; the gold answer is what follows `####`, without thousands separators."""

    fields = ("question", "answer")

    def problem(self, row: Mapping[str, Any], number: int) -> Problem:
        """Take the number behind `####` at the end of the solution, without thousands separators."""
        _, mark, final = read_text(row, "answer").rpartition("####")
        if not mark or not final.strip():
            raise UserError(
                "field 'answer' has no answer after '####'", fix=f"Is {named('dataset')} the right one for this file?"
            )
        gold = final.strip().replace(",", "")
        return Problem(self.index_of(row, number), self.messages(read_text(row, "question")), gold, "number")
