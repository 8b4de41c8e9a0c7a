r"""Options that are given with their letter: `(D) 35` is `D`, and it is `35`.

Why: a gold answer and an answer may each be the letter, the value, or both.
Promises: symmetric; where both sides have a letter it must be the same, and where both have a value they are compared.
"""

import re
from typing import NamedTuple

from inference_kit.grader.finding.choice import is_choice
from inference_kit.grader.reading.parse import clean

LABELLED = re.compile(
    r"\s*(?:\\(?:text|textbf|mathrm|mathbf|mbox)\s*\{\s*)?(?:\(([A-J])\)|([A-J])[).:])\s*(?P<closed>\})?[\s\\~,]*(?=[^\s}])",
)
LONGEST = 400
FIRST = frozenset("(ABCDEFGHIJ\\$")
"""Signs that a label begins with, or what is wrapped around one."""


class Option(NamedTuple):
    """The letter of an option and its value, each None where it is not given."""

    letter: str | None
    value: str | None


def split_options(gold: str, answer: str) -> tuple[Option, Option] | None:
    """Return both answers as options where at least one has a letter and a value; None for any other two."""
    a, b = _read_labelled(gold), _read_labelled(answer)
    if a is None and b is None:
        return None
    return a or _read_alone(gold), b or _read_alone(answer)


def _read_labelled(answer: str) -> Option | None:
    if len(answer) > LONGEST or answer.lstrip()[:1] not in FIRST:
        return None
    label = LABELLED.match(answer) or (LABELLED.match(clean(answer)) if answer.lstrip()[:1] in ("\\", "$") else None)
    if label is None:
        return None
    value = label.string[label.end() :].strip()
    if "{" in label.group() and not label.group("closed"):  # the label and the value stand in one `\text{...}`
        value = value.removesuffix("}")
    return Option(label.group(1) or label.group(2), value) if value else None


def _read_alone(answer: str) -> Option:
    bare = clean(answer).strip("().[] ")
    return Option(bare, None) if is_choice(bare) else Option(None, answer)
