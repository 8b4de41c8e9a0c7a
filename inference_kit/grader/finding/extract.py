r"""Find the answer in a response: boxes, `####`, "the answer is", a bare answer, the last formula or number.

Why: a response is prose with an answer somewhere in it; each way of marking one is looked for in order, the clearest
first.
Promises: linear in the length of the response, of which the last 50,000 characters are read; thinking blocks count only
when nothing follows them; `find_candidates` puts the strict answer last.
"""

import re
from collections.abc import Sequence

from inference_kit.grader.finding.boxes import find_boxes
from inference_kit.grader.finding.choice import find_letter, find_option
from inference_kit.grader.finding.formulas import FORMULA, NUMBER, SENTENCE_END, find_last_mathematics, take_inside
from inference_kit.grader.finding.markers import find_markers
from inference_kit.grader.reading.parse import is_bare_answer
from inference_kit.records import AnswerKind

LOOKED_AT = 50_000
LONGEST_BARE = 400
LONGEST_MARKED = 600
PROSE_ENDING = 1600
"""The last characters of a text by which it is told whether it is prose."""

CHAT_TOKEN = re.compile(r"<\|(?:im_start|im_end|endoftext|eot_id|end)\|>")
FINAL = re.compile(r"final answer (?:is|:)", re.IGNORECASE)
PROSE_WORD = re.compile(r"(?<!\S)[A-Za-z]{2,20}(?=[:,.;]?(?:\s|$))")
CODE = re.compile(
    r"__[a-z]{1,20}__|[A-Za-z_]\.[A-Za-z_]\w{0,40}\(|\(\s?['\"]|\$\([a-z]{2,20}\s|</?[a-z]{1,20}>"
    r"|^\s{0,9}(?:import|from|def|print|exec|eval|raise|lambda|while|for)\b.{0,80}[:;('\"]",
)
HEADING = " \t\n\r:：=*_>#`}"
"""Signs between a marker and the answer that belong to neither."""


def extract(response: str, kind: AnswerKind = "math", choices: Sequence[str] = ()) -> str | None:
    """Return the strict answer of a response: its last box, or what marks the answer otherwise; None without any."""
    found = find_candidates(response, kind, choices)
    return found[-1] if found else None


def find_candidates(
    response: str, kind: AnswerKind = "math", choices: Sequence[str] = (), *, wants_letter: bool = False
) -> list[str]:
    """Return every text that may count as the answer, the strict one last: all boxes, or readings of what marks it."""
    text = drop_thinking(response)
    if kind == "choice" or wants_letter:
        return _find_letters(text, choices)
    boxes = find_boxes(text)
    if boxes:
        return [*_find_final_after_boxes(text), *boxes]
    if kind == "text":
        return [_find_marked(text) or text.strip()] if text.strip() else []
    return _find_unboxed(text)


def drop_thinking(response: str) -> str:
    """Return the part of a response that counts: what follows its thinking, up to a chat template's own token."""
    text = response[-LOOKED_AT:]
    thinking, closed, rest = text.rpartition("</think>")
    if closed:
        text = rest if rest.strip() else thinking
    if "<|" in text:
        text = next((part for part in CHAT_TOKEN.split(text) if part.strip()), "")
    return text


def _find_letters(text: str, choices: Sequence[str]) -> list[str]:
    """Return the chosen letter: of a box, after a marker, at the beginning, or the last that stands alone."""
    n_choices = len(choices)
    boxes = find_boxes(text)
    if boxes:
        return [find_letter(box, n_choices, whole=True) or find_option(box, choices) or box for box in boxes]
    for marker in find_markers(text):
        after = marker.string[marker.end() : marker.end() + LONGEST_MARKED]
        letter = find_letter(after, n_choices) or find_option(after, choices)
        if letter:
            return [letter]
    whole = find_letter(text, n_choices, whole=True) or find_option(text, choices)
    letter = whole or find_letter(text, n_choices, last=True)
    return [letter] if letter else []


def _find_final_after_boxes(text: str) -> list[str]:
    """Return what "the final answer is" after the last box, as one more answer that the lenient rule looks at."""
    rest = text[text.rfind("boxed") :]
    marked = _find_marked(rest) if FINAL.search(rest) else None
    return [marked] if marked else []


def _find_unboxed(text: str) -> list[str]:
    """Return the answer of a response without a box."""
    if "####" in text:
        after = text.rpartition("####")[2].strip().partition("\n")[0].strip()
        if after:
            return [after]
    marked = _find_marked(text)
    if marked is not None:
        return [marked]
    whole = text.strip()
    if not whole:
        return []
    short = len(whole) <= LONGEST_BARE
    if not _is_prose(whole) or (short and is_bare_answer(whole)):
        return [whole]
    last = find_last_mathematics(whole)
    return ([whole] if short else []) + ([last] if last else [])


def _is_prose(text: str) -> bool:
    """Say whether a text is a sentence: it has a word, a formula or foreign letters, and is no program."""
    ending = text[-PROSE_ENDING:]
    return CODE.search(ending) is None and (
        any(word not in ("and", "or") for word in PROSE_WORD.findall(ending))
        or FORMULA.search(ending) is not None
        or any(sign.isalpha() for sign in ending if not sign.isascii())
    )


def _find_marked(text: str) -> str | None:
    """Return what follows the last "the answer is" that something follows."""
    for marker in find_markers(text):
        after = marker.string[marker.end() : marker.end() + LONGEST_MARKED].lstrip(HEADING)
        formula = FORMULA.match(after)
        if formula:
            return take_inside(formula)
        sentence = SENTENCE_END.split(after, maxsplit=1)[0].strip().rstrip(".*`")
        if sentence and is_bare_answer(sentence):
            return sentence
        number = NUMBER.match(sentence)
        if number:
            return number.group().strip()
        last = find_last_mathematics(sentence)
        if last or sentence:
            return last or sentence
    return None
