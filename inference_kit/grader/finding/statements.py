r"""Read what a box or a wrapper holds where that is a sentence or has a label: `\boxed{\text{Area: } 72 \text{ cm}}`.

Why: models put the sentence of the answer into its box.
Promises: linear; what begins with mathematics stays as it is.
"""

import re

from inference_kit.grader.finding.bare import is_bare_answer
from inference_kit.grader.finding.formulas import find_last_mathematics
from inference_kit.grader.finding.marked import find_marked, read_statement
from inference_kit.grader.finding.scripts import write_plainly
from inference_kit.grader.finding.words import find_said

LONGEST = 600
STYLED = re.compile(r"\\(?:text|textbf|textit|textrm|textnormal|mathrm|mathbf|mbox|rm|bf)(?![A-Za-z])\s*\{([^{}]*)\}")
SPACING = re.compile(r"\\[ ,;:!]|\\q?quad|~|\*\*")
LABEL = re.compile(r"\s*(?:[^\W\d_]{2,}|[\u3040-\u30ff\u4e00-\u9fff])[\w' ./()-]{0,40}?\s*[:：]\s*")
FIRST_WORD = re.compile(r"[\s\"'“(]*(?:[^\W\d_]{2,}(?=[\s:：,]|$)|[^\W\d_a-zA-Z\u0370-\u03ff]|(?:A|I)\s[a-z])")
WORD = re.compile(r"[^\W\d_]{2}|[^\x00-\x7f]")


def read_content(content: str) -> str:
    """Return the answer of what a box holds: what follows its label, what its sentence says, or all of it."""
    if len(content) > LONGEST or not WORD.search(content):
        return content
    plain = " ".join(SPACING.sub(" ", STYLED.sub(r" \1 ", content)).replace("\\$", "$").split())
    if not FIRST_WORD.match(plain):
        return content
    plain = write_plainly(plain)
    label = LABEL.match(plain)
    if label and plain[label.end() :].strip():
        rest = plain[label.end() :].strip()
        return rest if is_bare_answer(rest) else read_statement(rest.rstrip("."))
    if is_bare_answer(plain):
        return content
    said = find_marked(plain) or find_last_mathematics(plain)
    return said or next(reversed(find_said(plain)), content)
