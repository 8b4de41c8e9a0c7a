"""Multiple choice: AQuA, the STEM part of MMLU, and SAT mathematics.

Why: an answer is a letter and is graded as one; `4` is right where option (C) says 4, and nowhere else.
Source: Ling et al. 2017, "Program induction by rationale generation", arXiv:1705.04146 (AQuA); Hendrycks et al. 2021,
"Measuring massive multitask language understanding", arXiv:2009.03300.
"""

import re
from abc import abstractmethod
from collections.abc import Mapping
from typing import Any, ClassVar

from inference_kit.dataset.base import Dataset, format_choices
from inference_kit.dataset.fields import read_gold, read_text, read_texts
from inference_kit.errors import UserError
from inference_kit.records import Problem

LETTERS = "ABCDEFGHIJ"
LETTER_BEFORE = re.compile(r"\s*\(?[A-J]\s*[).]\s*")


class MultipleChoice(Dataset):
    """Questions with lettered options, of which the gold answer is a letter; a family says where they stand."""

    @abstractmethod
    def read_choices(self, row: Mapping[str, Any]) -> tuple[str, ...]:
        """Return the options, without their letters."""

    @abstractmethod
    def read_letter(self, row: Mapping[str, Any]) -> str:
        """Return the letter of the right option."""

    def problem(self, row: Mapping[str, Any], number: int) -> Problem:
        """Ask for the letter; options that the prompt template leaves out are put below the question."""
        choices, letter = self.read_choices(row), self.read_letter(row).strip().upper()
        known = LETTERS[: len(choices)]
        if len(letter) != 1 or letter not in known:
            raise UserError(f"the right option is {letter!r}, and the options are {', '.join(known) or 'none'}")
        question = read_text(row, "question")
        if "{choices}" not in self.template:
            question = f"{question}\n\n{format_choices(choices)}"
        return Problem(
            index=self.index_of(row, number),
            messages=self.messages(question, choices),
            answer=letter,
            answer_kind="choice",
            metadata={"choices": list(choices), **self.metadata_of(row)},
        )


class AQuA(MultipleChoice):
    """Algebra word problems with five options, each written after its letter."""

    fields = ("question", "options", "correct")

    def read_choices(self, row: Mapping[str, Any]) -> tuple[str, ...]:
        """Return the options without the letter before each."""
        return tuple(LETTER_BEFORE.sub("", option, count=1).strip() for option in read_texts(row, "options"))

    def read_letter(self, row: Mapping[str, Any]) -> str:
        """Return the field `correct`."""
        return read_text(row, "correct")


class MMLU(MultipleChoice):
    """Exam questions with four options; the right one is given by its number, from 0, or by its letter."""

    fields = ("question", "choices", "answer")
    metadata_fields = ("type", "subject")

    def read_choices(self, row: Mapping[str, Any]) -> tuple[str, ...]:
        """Return the field `choices`."""
        return read_texts(row, "choices")

    def read_letter(self, row: Mapping[str, Any]) -> str:
        """Return the letter, or that of the number."""
        answer = read_gold(row, "answer")
        return LETTERS[int(answer)] if answer in "0123456789" and len(answer) == 1 else answer


class SATMath(MultipleChoice):
    """Problems of the SAT; all options stand in one text, after their letters."""

    fields = ("question", "options", "Answer")
    other_names: ClassVar[Mapping[str, str]] = {"Question": "question", "Possible Answers": "options"}
    index_field = "id"

    def read_choices(self, row: Mapping[str, Any]) -> tuple[str, ...]:
        """Cut the text at each next letter in the style of the first one: `B)` behind `A)`, `B.` behind `A.`."""
        options = read_text(row, "options").strip()
        mark, rest = options[1:2], options[2:]
        if options[0] != "A" or mark not in (")", "."):
            raise UserError("field 'options' does not begin with A) or A.")
        found: list[str] = []
        for letter in LETTERS[1:]:
            option, *after = re.split(rf"\s{letter}{re.escape(mark)}\s", rest, maxsplit=1)
            found.append(option.strip())
            if not after:
                break
            rest = after[0]
        return tuple(found)

    def read_letter(self, row: Mapping[str, Any]) -> str:
        """Return the field `Answer`."""
        return read_text(row, "Answer")
