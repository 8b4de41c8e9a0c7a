"""Find the words that a sentence answers with: "The curve is a hyperbola", "No, it is not", "So Emma is the tallest".

Why: some answers are words, and models say them in whole sentences.
Promises: linear; a negated sentence answers with no word of it; nothing longer than a few words is returned.
"""

import re
from collections.abc import Sequence

from inference_kit.grader.finding.formulas import split_sentences
from inference_kit.grader.reading.parse import COMMAND, parse
from inference_kit.grader.values import Apply, SetOf, Sym, Text

LOOKED_AT = 1600
MOST_WORDS = 4
LONGEST_GOLD = 60
YES_OR_NO = re.compile(r"[\s*_\"'“]*(yes|no|true|false)(?=[\s*_\"'”]*(?:[,.!;:—-]|$))", re.IGNORECASE)
NOTHING = re.compile(
    r"(?:\b(?:there\s(?:is|are|exists?)|has|have|having)\s(no\s(?:(?:real|integer|such|valid|positive)\s){0,2}[a-z]{3,12})"
    r"|\bset\sis\s(empty|the\sempty\sset)|\bthere\sare\s(infinitely\smany)(?:\s[a-z]{3,12})?"
    r"|\b(does\snot\sexist))[\s*.!]*$",
    re.IGNORECASE,
)
NOTHING_IN_CHINESE = re.compile(r"(?:无|無|没有|沒有)(?:实数|實數|整数)?(?:解|根|实根)[\s*]*$")
VERB = re.compile(r"\b(converges|diverges|increases|decreases)[\s*.!]*$", re.IGNORECASE)
SAYS = re.compile(
    r"\b(?:is|are|was|were|be|becomes?|remains?|equals?|called|named|falls|lands|happens|occurs|takes\splace)\s+"
    r"(?:(?:on|in|at|by|called|named|facing|heading|equal\sto|always|thus|therefore|hence|indeed|also|clearly|definitely)\s+){0,3}"
)
NEGATED = re.compile(r"\b(?:not|never|neither|nor|cannot|no|without|unless|unlike)\b|n['’]t\b", re.IGNORECASE)
OPEN = re.compile(r"\b(?:either|whether|or|if|than|maybe|perhaps|may|might|could|would|possibly)\b", re.IGNORECASE)
"""Words of a sentence that decides nothing."""

BESIDE = re.compile(r"\b(?:before|after|next to|told|says|said|thinks)\b")
SUBJECT = re.compile(
    r"(?:(?:So|Therefore|Thus|Hence|Then|Finally|Consequently|Clearly)[\s,]+|(?:In conclusion|As a result)[\s,]+)?"
    r"(?P<name>[A-Z][a-z]{1,19})\s+(?:is|was|has|had|will|must|wins?|won|finish(?:es|ed)|came|comes|got|gets)\s"
)
NO_NAMES = frozenset(
    "The It This That There They He She We You An All No Yes Since If When Let Each So Therefore Thus Hence Then "
    "Finally Consequently Clearly In As And But Because For These Those Our One Here What Which Who Note Now".split()
)
NAMING = re.compile(
    r"(?:(?:So|Therefore|Thus|Hence|Then|Finally|Consequently|Clearly)[\s,]+)?(?P<named>[^,;:]{1,60}?)\s+(?:is|are|was)\s"
)
ANSWER = re.compile(r"(?:the|our)\s(?:final\s|correct\s)?(?:answer|solution|result)", re.IGNORECASE)
SET_IN_TEXT = re.compile(r"\$\\(?:text|textbf|mbox|mathrm)\{([^{}$]{1,60})\}[.,]?\$")
CAPITALIZED = re.compile(r"\b[A-Z][a-z]+")


def wants_words(golds: Sequence[str]) -> bool:
    """Say whether gold answers are words, such as a name, `yes`, or `no solution`."""
    return any(_are_words(gold) for gold in golds)


def _are_words(gold: str) -> bool:
    if len(gold) > LONGEST_GOLD or not re.search(r"[A-Za-z]{2}", gold) or any(sign.isdigit() for sign in gold):
        return False
    plain = re.sub(r"\\(?:text|textbf|mathrm|mbox|textit)\s*\{([^{}]*)\}|[$.]", r"\1", gold).strip()
    if COMMAND.search(plain) or not re.fullmatch(r"[A-Za-z' -]+", plain) or len(plain.split()) > MOST_WORDS:
        return False
    value = parse(gold)
    letters = isinstance(value, Apply) and value.head == "mul" and len(plain) > 2  # `odd` reads as a product
    return plain.lower() == "no" or letters or isinstance(value, Text | SetOf) or value == Sym("reals")


def find_said(text: str) -> list[str]:
    """Return the words that the last sentence answers with, the likeliest last; nothing where it decides nothing."""
    sentences = split_sentences(text[-LOOKED_AT:].replace("**", ""))
    if not sentences:
        return []
    sentence = sentences[-1].strip()
    said = _find_complement(sentence)
    last, first = YES_OR_NO.match(sentence), YES_OR_NO.match(sentences[0])
    return [*([first.group(1)] if first else []), *said, *([last.group(1)] if last else [])]


def find_nothing(text: str) -> str | None:
    """Return "no solution" and its like, where the last sentence says that there is none."""
    sentences = split_sentences(text[-LOOKED_AT:].replace("**", ""))
    nothing = NOTHING.search(sentences[-1]) if sentences else None
    if nothing:
        return nothing.group(nothing.lastindex or 0)
    return "no solution" if sentences and NOTHING_IN_CHINESE.search(sentences[-1]) else None


def _find_complement(sentence: str) -> list[str]:
    """Return what a sentence says that something is, and before it who that is, in "Emma is the tallest" the name."""
    nothing = NOTHING.search(sentence)
    if nothing:
        return [nothing.group(nothing.lastindex or 0)]
    if OPEN.search(sentence):
        return []
    says = next(reversed([*SAYS.finditer(sentence)]), None)
    negated = NEGATED.search(sentence) is not None
    verb = VERB.search(sentence)
    found = [verb.group(1)] if verb and not negated else []
    if says:
        complement = sentence[says.end() :].strip(" .!*\"'“”")
        fits = 0 < len(complement.split()) <= MOST_WORDS and not re.search(r"[\d,;:$]", complement)
        if fits and not (negated and NEGATED.search(sentence[: says.end()])):
            found.append(complement)
        named = NAMING.match(sentence)
        if named and ANSWER.fullmatch(complement):
            found = [named.group("named").strip(" $*\"'“”")]
    in_formula = SET_IN_TEXT.findall(sentence)
    if in_formula and not negated:
        return [*found, in_formula[-1]]
    subject = SUBJECT.match(sentence)
    if subject and not negated and not BESIDE.search(sentence) and subject.group("name") not in NO_NAMES:
        others = {name for name in CAPITALIZED.findall(sentence) if name not in NO_NAMES}
        if others == {subject.group("name")}:
            found.append(subject.group("name"))
    return found
