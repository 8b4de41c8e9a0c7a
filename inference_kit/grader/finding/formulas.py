"""Find the mathematics that a text ends or begins with: one formula, number or expression, or several that are listed.

Why: a text that marks no answer mostly ends with it, and `x = -6 and x = 5` is one answer.
Promises: linear; the end of the text only.
"""

import itertools
import re
from typing import Literal

from inference_kit.grader.finding.expressions import Item, find_items
from inference_kit.grader.reading.parse import COMMAND

LOOKED_AT = 1600
"""The last characters of a text in which its last formula or number is looked for."""

MOST_LISTED = 32
SENTENCE_END = re.compile(r"(?<=[.?])\s+|(?<=!)\s+(?![a-z])|\n+|[。！？।॥۔؟።։．｡၊]")
DISPLAYED = re.compile(r"\$\$[^$]{1,2000}\$\$|\\\[(?:[^\\]|\\[^\]]){1,2000}\\\]", re.DOTALL)
AND = re.compile(
    r"\s*[,，、;]?\s*(?:\b(?:and|or|und|oder|et|ou|y|o|e|и|или|και|ve|và|و|או|또는|och|en)\b|和|与|與|或|以及|と)\s*",
    re.IGNORECASE,
)
COMMA = re.compile(r"\s*[,，、;；]\s*")
LISTED = re.compile(r"(?:\b(?:are|is|were|be|equals?|namely)|[:=：是为為])\s*$")
"""What stands before a list without `and`: `the values are 1, 2, 3`, but not `in 2020, 35 people came`."""

TAKEN_TOGETHER = re.compile(
    r"\b(?:sum|product|difference|multiples?|factors?|gcd|lcm|average|mean|ratio|quotient)\s+of\s*$"
)
"""What stands before numbers that are no list of answers: `the sum of 14 and 20`."""

RELATION = re.compile(r"[=<>≤≥≠]|\\(?:le|ge|ne|lt|gt|leq|geq|neq|in)(?![A-Za-z])")
NAME = re.compile(r"(?:\\(?:triangle|angle|odot|overline|mathbf|vec)\s?\{?)?\\?[A-Za-z]{1,7}'?\}?(?:_\{?\w\}?)?[.,]?")
DENIED = re.compile(
    r"(?:\b(?:not|never|isn['’]t|rather\sthan|instead\sof|nicht|nie|pas|не|ikke|inte)\s(?:equal(?:s|\sto)?\s|just\s|only\s)?"
    r"|不是|而非|不等于)\s*$",
    re.IGNORECASE,
)
ANSWERS = re.compile(r"\b(?:is|are|be|equals?|get|have|obtain)\s*$")
NAMED = re.compile(r"\\?[A-Za-z]+(?:_\{?\w{1,9}\}?)?\s*=")


def find_last_mathematics(text: str) -> str | None:
    """Return the last mathematics of the last sentence that has any, of a calculation its result."""
    for sentence in reversed(split_sentences(text[-LOOKED_AT:])):
        items = find_items(sentence)
        items = [item for item in items if not _is_no_answer(sentence, item)]
        if items:
            return _write(sentence, items, len(items) - 1)
    return None


def find_first_mathematics(sentence: str) -> str | None:
    """Return the mathematics that a sentence begins with."""
    items = find_items(sentence[:LOOKED_AT])
    if not items or sentence[: items[0].start].strip():
        return None
    ends = range(min(len(items), MOST_LISTED) - 1, -1, -1)
    return _write(sentence, items, next(last for last in ends if _find_beginning(sentence, items, last) == 0))


def _is_no_answer(sentence: str, item: Item) -> bool:
    """Say whether the sentence denies an item, or speaks about a letter, as in "this value of $x$"."""
    if DENIED.search(sentence, max(0, item.start - 40), item.start):
        return True
    return NAME.fullmatch(item.text) is not None and not ANSWERS.search(sentence, 0, item.start)


def split_sentences(text: str) -> list[str]:
    """Split into sentences; a displayed formula stays with the one before it."""
    joined = DISPLAYED.sub(lambda found: " ".join(found.group().split()), text)
    return [sentence for sentence in SENTENCE_END.split(joined) if sentence and sentence.strip()]


def take_right_side(formula: str) -> str:
    """Return the end of a chain of equalities, or of a calculation without variables; another equation as it is."""
    left, _, right = formula.rpartition("=")
    if "=" in left and NAME.fullmatch(right.strip()):  # 36 - 19 = 17 = x
        left, _, right = left.rpartition("=")
        return right.strip()
    is_calculation = re.search(r"[A-Za-z]", COMMAND.sub("", left)) is None
    return right.strip() if right.strip() and left and (is_calculation or "=" in left) else formula


def _write(sentence: str, items: list[Item], last: int) -> str:
    """Return an item, with those before it that stand in one list with it."""
    first = _find_beginning(sentence, items, last)
    written = take_right_side(items[first].text)
    for before, item in itertools.pairwise(items[first : last + 1]):
        joint = sentence[before.end : item.start].strip(" ,，、").lower()
        bounds = joint in ("and", "or") and _classify(item) == "bound"
        written += (f" \\text{{ {joint} }} " if bounds else ", ") + item.text
    return written


def _find_beginning(sentence: str, items: list[Item], last: int) -> int:
    """Return the place of the first item of the list that ends with an item; a single item is its own beginning."""
    first = last
    kind = _classify(items[last])
    joined = False
    while first and last - first < MOST_LISTED and _classify(items[first - 1]) == kind != "calculation":
        between = sentence[items[first - 1].end : items[first].start]
        if AND.fullmatch(between):
            joined = True
        elif not COMMA.fullmatch(between):
            break
        first -= 1
    if first and kind == "value" and _classify(items[first - 1]) == "name":  # x = -6, 5
        between = sentence[items[first - 1].end : items[first].start]
        first -= COMMA.fullmatch(between) is not None or AND.fullmatch(between) is not None
    before, after = sentence[: items[first].start], sentence[items[last].end :]
    if TAKEN_TOGETHER.search(before):
        return last
    listed = (not before.strip() or LISTED.search(before)) and not after.strip(" .!*")
    listed = listed or (_classify(items[first]) == "name" and kind == "value" and not after.strip(" .!*"))
    return first if joined or listed or kind in ("name", "brackets") else last


def _classify(item: Item) -> Literal["calculation", "name", "bound", "brackets", "value"]:
    """Say what an item is as a part of a list, whose parts are alike; results of calculations are no list."""
    if RELATION.search(item.text):
        if NAMED.match(item.text) and item.text.count("=") == 1:
            return "name"
        bounds = len(RELATION.findall(item.text)) == 1 and re.search(r"[<>≤≥]|\\(?:le|ge|lt|gt)", item.text)
        return "bound" if bounds else "calculation"
    return "brackets" if item.text[0] in "([{" or item.text.startswith("\\{") else "value"
