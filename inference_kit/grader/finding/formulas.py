"""Find formulas and numbers in prose.

Why: a text that marks no answer mostly ends with it: in its last formula, or as its last number.
Promises: linear; the end of the text only.
"""

import re

from inference_kit.grader.reading.parse import COMMAND

LOOKED_AT = 1600
"""The last characters of a text in which its last formula or number is looked for."""

FORMULA = re.compile(
    r"\$\$([^$]{1,2000})\$\$|\\\[((?:[^\\]|\\[^\]]){1,2000})\\\]|\\\(((?:[^\\]|\\[^)]){1,2000})\\\)"
    r"|(?<!\\)\$((?:[^$\\\n]|\\.){1,2000})\$",
    re.DOTALL,
)
NUMBER = re.compile(
    r"(?<![\w.\\^{/])[-−–]?\s?[$€£¥]?\s?"
    r"(?:\\[dtc]?frac\s?\{[^{}]{1,40}\}\s?\{[^{}]{1,40}\}"
    r"|(?:\d{1,3}(?:,\d{3})+(?!\d)|\d+)(?:\.\d+)?(?:e[-+]?\d+)?(?:\s?/\s?\d+)?|\.\d+)"
    r"(?:\s?\\?%)?(?![A-Za-z_^{\\])"
)
SENTENCE_END = re.compile(r"(?<=[.!?])\s+|\n+|[。！？।]")


def find_last_mathematics(text: str) -> str | None:
    """Return the last formula or number, right of its last equals sign, of the last sentence that has one."""
    for sentence in reversed(_split_sentences(text[-LOOKED_AT:])):
        formulas = list(FORMULA.finditer(sentence))
        numbers = list(NUMBER.finditer(sentence, formulas[-1].end() if formulas else 0))
        if numbers:
            return numbers[-1].group().strip()
        if formulas:
            return take_right_side(take_inside(formulas[-1]))
    return None


def _split_sentences(text: str) -> list[str]:
    """Split into sentences; a displayed formula stays with the one before it."""
    joined = FORMULA.sub(lambda found: " ".join(found.group().split()), text)
    return [sentence for sentence in SENTENCE_END.split(joined) if sentence]


def take_right_side(formula: str) -> str:
    """Return the end of a chain of equalities, or of a calculation without variables; another equation as it is."""
    left, _, right = formula.rpartition("=")
    is_calculation = re.search(r"[A-Za-z]", COMMAND.sub("", left)) is None
    return right.strip() if right.strip() and left and (is_calculation or "=" in left) else formula


def take_inside(formula: re.Match[str]) -> str:
    """Return what stands between the dollars or brackets of a `FORMULA`."""
    return next(part for part in formula.groups() if part is not None).strip()
