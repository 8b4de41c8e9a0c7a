r"""Find the answer in a response: wrappers, boxes, `####`, "the answer is", a bare answer, the last mathematics.

Why: a response is prose with an answer somewhere in it; each way of marking one is looked for in order, the clearest
first.
Promises: linear in the length of the response, of which the last 50,000 characters are read; thinking blocks count only
when nothing follows them, and not where they were cut off; `find_candidates` puts the strict answer last.
"""

import re
from collections.abc import Sequence
from typing import Literal

from inference_kit.grader.finding.bare import is_bare_answer
from inference_kit.grader.finding.boxes import find_boxes
from inference_kit.grader.finding.choice import find_chosen, find_letter, find_option, is_choice
from inference_kit.grader.finding.expressions import find_formula
from inference_kit.grader.finding.formulas import SENTENCE_END, find_last_mathematics
from inference_kit.grader.finding.marked import LONGEST_MARKED, find_marked, read_statement
from inference_kit.grader.finding.markers import find_markers
from inference_kit.grader.finding.scripts import write_plainly
from inference_kit.grader.finding.statements import read_content
from inference_kit.grader.finding.thoughts import drop_thinking
from inference_kit.grader.finding.words import find_nothing, find_said, wants_words
from inference_kit.grader.finding.wrappers import drop_fences, find_block, find_wrapped
from inference_kit.records import AnswerKind

LONGEST_BARE = 400
PROSE_ENDING = 1600
"""The last characters of a text by which it is told whether it is prose."""

FINAL = re.compile(r"final answer (?:is|:)", re.IGNORECASE)
PROSE_WORD = re.compile(r"(?<!\S)[A-Za-z]{2,20}(?=[:,.;]?(?:\s|$))")
CODE = re.compile(
    r"__[a-z]{1,20}__|[A-Za-z_]\.[A-Za-z_]\w{0,40}\(|\(\s?['\"]|\$\([a-z]{2,20}\s|</?[a-z]{1,20}>"
    r"|^\s{0,9}(?:import|from|def|print|exec|eval|raise|lambda|while|for)\b.{0,80}[:;('\"]",
)
HEADING = re.compile(r"#(?<![^\n]#)#{0,2}[ \t]")  # a sign is found faster than the beginning of a line
EMPHASIS = re.compile(r"(?<![A-Za-z0-9)*])\*\*(?=[^\s*])([^*\n]{1,400})(?<=\S)\*\*(?![A-Za-z0-9(*])")

LETTER = re.compile(r"[A-Za-z]")

Wanted = Literal["any", "letter", "words"]
"""What the gold answer is: the letter of a choice, words, or anything."""


def extract(
    response: str, kind: AnswerKind = "math", choices: Sequence[str] = (), *, cut_off: bool = False
) -> str | None:
    """Return the strict answer of a response: its last box, or what marks the answer otherwise; None without any.

    Args:
        response: The whole text.
        kind: What answers of this problem are.
        choices: The options of a choice, in the order of their letters.
        cut_off: Whether the token limit ended the response; then a thought that nothing follows gives no answer.
    """
    found = find_candidates(response, kind, choices, cut_off=cut_off)
    return found[-1] if found else None


def read_wanted(golds: Sequence[str], kind: AnswerKind) -> Wanted:
    """Return what gold answers ask for."""
    if kind != "choice" and not any(map(LETTER.search, golds)):
        return "any"
    if kind == "choice" or (kind == "math" and any(map(is_choice, golds))):
        return "letter"
    return "words" if kind in ("math", "text") and wants_words(golds) else "any"


def find_candidates(
    response: str,
    kind: AnswerKind = "math",
    choices: Sequence[str] = (),
    *,
    wanted: Wanted = "any",
    cut_off: bool = False,
) -> list[str]:
    """Return every text that may count as the answer, the strict one last: all boxes, or readings of what marks it."""
    text = drop_thinking(response, cut_off=cut_off)
    if not text.strip():
        return []
    boxes = find_boxes(text)
    wrapped = find_wrapped(text)
    if wrapped and not (boxes and find_boxes(text[wrapped.end :])):  # a box behind a wrapper corrects it
        inside = wrapped.content
        found = _find_in(inside, kind, choices, wanted, find_boxes(inside)) or ([inside] if inside else [])
        return [box for box in boxes if box not in found] + found
    return _find_in(text, kind, choices, wanted, boxes)


def _find_in(text: str, kind: AnswerKind, choices: Sequence[str], wanted: Wanted, boxes: list[str]) -> list[str]:
    """Return the candidates of a text without wrappers."""
    if kind == "choice" or wanted == "letter":
        return _find_letters(write_plainly(text), choices, boxes)
    if boxes:
        return [*_find_final_after_boxes(text), *_read_boxes(boxes)]
    block = find_block(text) if "```" in text else None
    if block and is_bare_answer(block[:LONGEST_BARE]):
        return [block]
    text = drop_fences(write_plainly(text)).strip()
    text = HEADING.sub("", text) if "# " in text else text
    text = EMPHASIS.sub(r"\1", text) if "**" in text else text
    if "[/asy]" in text:  # a drawing is no program that a response consists of
        text = text.rpartition("[/asy]")[2].strip() or text
    if not text:
        return []
    if kind == "text":
        marked = find_marked(text)
        return [marked] if marked else [text, *([] if is_bare_answer(text[:LONGEST_BARE]) else find_said(text))]
    return _find_unboxed(text, wanted)


def _read_boxes(boxes: list[str]) -> list[str]:
    """Return what boxes hold, and behind a sentence or a label the answer that it gives."""
    found = []
    for box in boxes:
        found.append(box)
        answer = read_content(box)
        if answer != box:
            found.append(answer)
    return found


def _find_letters(text: str, choices: Sequence[str], boxes: list[str]) -> list[str]:
    """Return the chosen letter: of a box, after a marker, at the beginning, or the last that stands alone."""
    n_choices = len(choices)
    letters = [find_letter(box, n_choices, whole=True) or find_option(box, choices) for box in boxes]
    if any(letters):
        return [letter or box for letter, box in zip(letters, boxes, strict=True)]
    for marker in find_markers(text):
        after = marker.string[marker.end() : marker.end() + LONGEST_MARKED]
        letter = find_letter(after, n_choices) or _find_option_in(after, choices)
        if letter:
            return [letter]
    if boxes:
        chosen = find_chosen(text[text.rfind("ox") :], n_choices)
        return [chosen] if chosen else boxes
    whole = find_letter(text, n_choices, whole=True) or find_option(text, choices)
    letter = whole or find_letter(text, n_choices, last=True)
    if letter is None and choices:
        letter = next(
            (option for each in reversed(_find_unboxed(text, "words")) if (option := find_option(each, choices))), None
        )
    return [letter] if letter else []


def _find_option_in(after: str, choices: Sequence[str]) -> str | None:
    """Return the letter of the option that follows a marker, by its words or its value."""
    sentence = SENTENCE_END.split(after.strip(" *:\n"), maxsplit=1)[0].strip(" .*")
    return (find_option(sentence, choices) or find_option(read_statement(sentence), choices)) if choices else None


def _find_final_after_boxes(text: str) -> list[str]:
    """Return what "the final answer is" after the last box, as one more answer that the lenient rule looks at."""
    rest = text[text.rfind("boxed") :]
    marked = find_marked(rest) if FINAL.search(rest) else None
    return [marked] if marked else []


def _find_unboxed(text: str, wanted: Wanted) -> list[str]:
    """Return the answer of a response without a box."""
    if "####" in text:
        after = text.rpartition("####")[2].strip().partition("\n")[0].strip()
        if after:
            return [after]
    marked = find_marked(text)
    if wanted == "words" and (said := find_said(marked or text)):
        return [*([marked] if marked else []), *said]
    if marked is not None:
        return [marked]
    nothing = find_nothing(text)
    if nothing:
        return [text, nothing] if len(text) <= LONGEST_BARE else [nothing]
    short = len(text) <= LONGEST_BARE
    if not _is_prose(text) or (short and is_bare_answer(text)):
        return [text]
    last = find_last_mathematics(text) or next(reversed(find_said(text)), None)
    return ([text] if short else []) + ([last] if last else [])


def _is_prose(text: str) -> bool:
    """Say whether a text is a sentence: it has a word, a formula or foreign letters, and is no program."""
    ending = text[-PROSE_ENDING:]
    return CODE.search(ending) is None and (
        any(word not in ("and", "or") for word in PROSE_WORD.findall(ending))
        or find_formula(ending) is not None
        or any(sign.isalpha() or sign in "。！？" for sign in ending if not sign.isascii())
    )
