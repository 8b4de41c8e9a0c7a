"""Read what follows "the answer is": a formula, a bare answer, or the mathematics of its sentence.

Why: what follows a marker is an answer and often a reason.
Promises: linear; the last marker that something follows decides.
"""

import re

from inference_kit.grader.finding.bare import is_bare_answer
from inference_kit.grader.finding.expressions import match_formula, take_inside
from inference_kit.grader.finding.formulas import SENTENCE_END, find_first_mathematics, find_last_mathematics
from inference_kit.grader.finding.markers import find_markers

LONGEST_MARKED = 600
HEADING = " \t\n\r:：=*_>#`}】"
"""Signs between a marker and the answer that belong to neither."""

DENIED = re.compile(r"(?:not|never)\b(?!.{0,200}\bbut\b)|不是", re.IGNORECASE)
"""Behind "the answer is" this says what it is not."""

REASON = re.compile(r"[,;，；]|\s(?:because|since|as|so|which|where|when|for|by)\b")


def find_marked(text: str) -> str | None:
    """Return what follows the last "the answer is" that something follows."""
    for marker in find_markers(text):
        after = marker.string[marker.end() : marker.end() + LONGEST_MARKED].lstrip(HEADING)
        formula = match_formula(after)
        sentence = SENTENCE_END.split(after, maxsplit=1)[0].strip().rstrip(".*`")
        if DENIED.match(after):
            continue
        if formula and not sentence[formula.end() :].strip(" .*`,!"):
            return take_inside(formula)
        if sentence:
            return read_statement(sentence)
    return None


def read_statement(sentence: str) -> str:
    """Return the answer of a sentence that is known to give it; the sentence where nothing in it looks like one."""
    if is_bare_answer(sentence):
        return sentence
    first = find_first_mathematics(sentence)
    if first:
        return first
    clause = REASON.split(sentence, maxsplit=1)[0].strip()
    if clause and is_bare_answer(clause):
        return clause
    return find_last_mathematics(sentence) or sentence
