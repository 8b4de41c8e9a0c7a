"""Capitals: rows of a country and its capital."""

from collections.abc import Mapping
from typing import Any

from inference_kit.dataset.base import Dataset
from inference_kit.records import Problem


class Capitals(Dataset):
    """Asks for the capital of a country; the answer is a word."""

    fields = ("country", "capital")

    def problem(self, row: Mapping[str, Any], number: int) -> Problem:
        """Ask about the country of one row."""
        question = f"What is the capital of {row['country']}?"
        return Problem(self.index_of(row, number), self.messages(question), row["capital"], "text")
