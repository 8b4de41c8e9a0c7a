r"""Find boxes in a text: `\boxed{...}` and its kin, nested, side by side, never closed, or without braces.

Why: a box is the clearest mark of an answer, and models write it in every way that LaTeX forgives.
Promises: one pass with a stack, linear in the text.
"""

import re
from collections.abc import Iterator
from typing import NamedTuple

LONGEST_UNCLOSED = 400
MOST_JOINED = 32
NAME = re.compile(r"ox(?:ed|(?<=fbox)|(?<=framebox))")
"""What the command of each box has in it, and prose about boxes has not."""

BEFORE_NAME = 16
"""How far before it a command may begin."""

LONGEST_BETWEEN = 80
BOX_TOKEN = re.compile(
    r"\\{1,4}(?:[a-z]{0,9}[bB]oxed|fbox|framebox)\s{0,9}\{?|(?:\x08o|(?<![A-Za-z\\])bo)xed\{|\\[{}\\]|[{}]"
)  # a program that took `\b` for a backspace left the rest of the command
PLACEHOLDER = re.compile(
    r"(?:\\(?:text|mathrm|textbf)\{)?(?:[.…?,;:_*\s-]|\\[lcd]?dots|\\square"
    r"|(?:(?:your|the|final|correct)[ _])*answer(?: here)?)+\}?",
    re.IGNORECASE,
)
LONGEST_PLACEHOLDER = 40
UNBRACED = re.compile(r"\s{0,9}([^\s{}$\\]{1,99})")
BETWEEN_BOXES = re.compile(
    r"(?:[\s$,;、，&.]|\\[()\[\],;]|\\q?quad|\\(?:text|mbox|textnormal)\s?\{\s?(?:and|or|,)\s?\}|and|or|和|或|以及)*"
)


class Box(NamedTuple):
    """A box: where it starts and ends in the text, and what it holds."""

    start: int
    end: int
    content: str


def find_boxes(text: str) -> list[str]:
    r"""Return the contents of all outermost boxes in order, without repetition; boxes side by side make one list, last.

    A box that is never closed reaches to the next `$` or the end of its line; `\boxed 3` holds the next word, and
    `\boxed{...}` nothing.
    """
    name = NAME.search(text)
    if name is None:
        return []
    scanned = _scan(text, max(0, name.start() - BEFORE_NAME))
    boxes = [box for box in scanned if box.content.strip() and not _is_placeholder(box.content.strip())]
    found = list(dict.fromkeys(box.content for box in boxes))
    if len(boxes) > 1:
        joined = _join_last(text, boxes)
        if len(joined) > 1:
            found.append(", ".join(joined))
        else:  # the last box is the strict answer, also where an earlier one holds the same
            found.remove(joined[0])
            found.append(joined[0])
    return found


def _scan(text: str, start: int) -> Iterator[Box]:
    """Yield each outermost box behind `start`; the stack holds a box for each brace that opens one, else None."""
    opened: list[tuple[int, int] | None] = []
    closed: list[Box] = []
    for token in BOX_TOKEN.finditer(text, start):
        shown = token.group()
        if shown == "{":
            opened.append(None)
        elif shown == "}":
            box = opened.pop() if opened else None
            if box is not None:
                while closed and closed[-1].start > box[0]:  # these lie inside of it
                    closed.pop()
                closed.append(Box(box[0], token.end(), text[box[1] : token.start()]))
        elif shown.endswith("{") and len(shown) > 2:
            opened.append((token.start(), token.end()))
        elif len(shown) > 2 and (word := UNBRACED.match(text, token.end())):
            closed.append(Box(token.start(), word.end(), word.group(1)))
    yield from closed
    unclosed = next((box for box in reversed(opened) if box is not None), None)
    if unclosed is not None and (not closed or unclosed[0] > closed[-1].start):
        rest = re.split(r"[$\n]", text[unclosed[1] : unclosed[1] + LONGEST_UNCLOSED], maxsplit=1)[0]
        yield Box(unclosed[0], unclosed[1] + len(rest), rest)


def _is_placeholder(content: str) -> bool:
    """Say whether a box shows where an answer would stand, as in "answer in \\boxed{...} format"."""
    return len(content) <= LONGEST_PLACEHOLDER and PLACEHOLDER.fullmatch(content) is not None


def _join_last(text: str, boxes: list[Box]) -> list[str]:
    """Return the last box, and those right before it with nothing but `and`, commas and space between."""
    joined = [boxes[-1].content]
    for box, following in zip(boxes[-2::-1], boxes[:0:-1], strict=False):
        if following.start - box.end > LONGEST_BETWEEN or len(joined) == MOST_JOINED:
            break
        if not BETWEEN_BOXES.fullmatch(text, box.end, following.start):
            break
        joined.insert(0, box.content)
    return joined
