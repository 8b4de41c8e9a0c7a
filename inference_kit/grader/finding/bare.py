"""Tell an answer as it stands from a sentence that holds one.

Why: `5 cm`, `no solution` and `58 元` are answers, `the balance moves by -860` and `还剩58元` are sentences.
Promises: as linear as the parser; each text is looked at once.
"""

import re

from inference_kit.grader.reading.parse import COMMAND, PLAIN, WORDS, parse
from inference_kit.grader.values import Apply, Text, Unparsed, Value, walk
from inference_kit.grader.vocabulary import FUNCTIONS, SYNONYMS

MOST_WORDS = 4
LONGEST_FOREIGN_UNIT = 4
LONGEST_FOREIGN_ANSWER = 12
"""Letters of other scripts than Latin and Greek: of a unit behind a number, and of an answer in words."""

FOREIGN = re.compile(
    r"[^\W\d_a-zA-Z\u0370-\u03ff\u2070-\u214f\U0001d400-\U0001d7ff]|[\u0370-\u03ff]{3}"
)  # Greek letters are mathematics, but words of them are not
FOREIGN_WORD = re.compile(rf"[^\W\d_]*(?:{FOREIGN.pattern})[^\W\d_]*")
FILLED = re.compile(r"([A-Za-z]{2,})\s+[-−]?\d")
"""A word before a number: `dus 58` holds an answer, `log 58` is one."""
BEGINS = re.compile(r"(?:so|thus|hence|therefore|then|we|it|this|that|there|from|between|not)\b", re.IGNORECASE)
IN_PROSE = re.compile(r"[A-Za-z]{2,}\s[^$]{0,400}\$[^$]{1,400}\$")
"""A word and a formula in dollars behind it."""

LISTED = re.compile(rf"[,，].*(?:{FOREIGN.pattern})", re.DOTALL)
SAYS = re.compile(r"\b(?:is|are|was|were|be|has|have|there)\b", re.IGNORECASE)


def is_bare_answer(text: str) -> bool:
    """Say whether a text is an answer as it stands, not a sentence that holds one."""
    if PLAIN.fullmatch(text):
        return True
    has_digits = any(sign.isdigit() for sign in text)
    foreign = 0 if text.isascii() else len(FOREIGN.findall(text))
    if foreign > (LONGEST_FOREIGN_UNIT if has_digits else LONGEST_FOREIGN_ANSWER):
        return False
    if foreign and has_digits and (len(FOREIGN_WORD.findall(text)) > 1 or LISTED.search(text)):
        return False
    filled = FILLED.match(text)
    if (
        BEGINS.match(text)
        or IN_PROSE.match(text)
        or (filled and filled.group(1).lower() not in FUNCTIONS | SYNONYMS.keys())
    ):
        return False
    value = parse(text)
    if isinstance(value, Text):
        is_sentence = SAYS.search(text) is not None or has_digits or "$" in text
        return not is_sentence and len(WORDS.findall(text)) <= MOST_WORDS
    if isinstance(value, Unparsed):
        return not (foreign and has_digits) and len(WORDS.findall(COMMAND.sub("", text))) <= 1
    return not _mixes_words(value)


def _mixes_words(value: Value) -> bool:
    """Say whether words are part of a calculation, as in "moves by -860"."""
    return any(
        isinstance(part, Apply) and any(isinstance(argument, Text) for argument in part.args) for part in walk(value)
    )
