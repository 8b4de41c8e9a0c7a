r"""What stands behind an answer and says for which values it holds, as one more member of a list.

Why: `n^2+1` is the answer with `(n \ge 1)`, `\text{ for all } n`, `where n is an integer` or nothing behind it; a
comparison has to see the condition, and that it is one.
Promises: linear; a qualifier whose words are not understood stays where it is.
"""

import re

LONGEST = 600
HINT = re.compile(r"\b(?:for|where|with|here|provided|as|integers?)\b|\\forall|\)\s*$")
"""What only a text with a qualifier has."""

START = re.compile(
    r"(?:[\s,;~(]|\\[,;: ]|\\q?quad)*(?:\\(?:text|mathrm|textrm|mbox)\s*\{\s*)?[,(]?\s*"
    r"(?:\b(?:for|where|with|here|provided(?: that)?|as long as)\b|\\forall)"
)
COMMAND = re.compile(r"\\[A-Za-z]+")
NAMED = re.compile(
    r"[,(](?:\s|\\q?quad|\\[,;: ])*"
    r"(?=[a-zA-Z]\s*(?:\\[,; ])?\s*(?:\\(?:text|mbox)\s*\{\s*)?(?:is|are|an|any|integers?)\b)"
)
"""Where a letter is said to be something, without a word before it."""

TEXT = re.compile(r"\\(?:text|textrm|mbox)\s*\{([^{}]*)\}?|\\[ ,;:]|\\q?quad|[~$]")
KIND = (
    r"(?P<kind>(?:positive |non-?negative |negative |natural |whole |even |odd )?(?:integers?|numbers?)(?: values?)?"
    r"|naturals?)"
)
QUANTIFIER = r"(?:(?:all|every|any|each|some|an?|arbitrary|the|fixed) )*"
BE = r"(?:is|are|can be|may be|denotes|ranges over|runs over|runs through)"
COUNTED = re.compile(rf"{QUANTIFIER}{KIND}(?: (?:of )?(?P<name>[a-zA-Z]))?")
IS_COUNTED = re.compile(rf"(?P<name>[a-zA-Z]) (?:{BE} )?{QUANTIFIER}{KIND}")
ENUMERATED = re.compile(r"[a-zA-Z] ?= ?[012] ?, ?[123] ?,[\d, ]*(?:\\[lc]?dots|\.\.\.)")
LETTERS = r"[a-zA-Z](?:_\d)?(?: ?(?:,|and) ?[a-zA-Z](?:_\d)?)*"
FREE = re.compile(
    rf"{QUANTIFIER}(?:real |complex |numbers? |values? |of |constants? )*{LETTERS}"
    rf"|{LETTERS} (?:is|are) {QUANTIFIER}(?:real(?: numbers?)?|(?:real )?constants?|parameters?)"
    rf"|{QUANTIFIER}(?:real |arbitrary )*(?:constants?|numbers?)"
    rf"|{LETTERS} is {QUANTIFIER}(?:integration constant|constant of integration)"
)
"""What says nothing: `for all x`, `for some constant C`, `where a and b are real numbers`."""

SIGN = r"\\in(?![a-z])|\\geq?(?![a-z])|\\leq?(?![a-z])|\\[gl]eqslant|\\neq?(?![a-z])|<|>"
RELATION = re.compile(
    r"(?:(?:all|every|any|each|some|real|integers?|numbers?|values? of) )*"
    rf"(?P<relation>[\w\\][^()]{{0,60}}?(?:{SIGN})[^()]{{1,80}})"
)
WORD = re.compile(r"(?<![\\A-Za-z{])[A-Za-z]{3,}")
BRACKETED = re.compile(
    rf"(?<![A-Zfgh])(?:\s|\\q?quad|\\[,;: ])*\(\s*(?P<relation>[^()]{{1,60}}?(?:{SIGN})[^()]{{1,60}})\)\s*$"
)
MATHEMATICS = re.compile(r"\d|[-+*/^=]|\\[a-z]")
SETS = {
    "integer": r"\mathbb{Z}", "positive integer": r"\mathbb{Z}^+", "nonnegative integer": r"\mathbb{Z}_{\ge 0}",
    "natural number": r"\mathbb{N}", "natural": r"\mathbb{N}", "whole number": r"\mathbb{Z}",
    "negative integer": r"\mathbb{Z}^-",
}  # fmt: skip


def write_qualifiers(text: str) -> str:
    """Write the qualifier of an answer behind a comma: `n^2+1, n \\ge 1`; leave out one that says nothing."""
    if len(text) > LONGEST or HINT.search(text) is None or r"\begin" in text:
        return text
    found = BRACKETED.search(text)
    if found is not None and MATHEMATICS.search(text, 0, found.start()):
        return f"{text[: found.start()]}, {found['relation']}"
    for start in (*START.finditer(text), *NAMED.finditer(text)):
        opening = r"\text{" if "{" in start.group() else ""  # START has taken it
        condition = _read_condition(opening + text[start.end() :]) if text[: start.start()].strip() else None
        if condition is not None:
            head = text[: start.start()]
            is_about_answer = condition[:1] in COMMAND.sub("", head)
            return f"{head}, {condition}" if condition and is_about_answer else head
    return text


def _read_condition(tail: str) -> str | None:
    """Return the condition of a qualifier, the empty text where it says nothing, None where it is not understood."""
    plain = " ".join(TEXT.sub(lambda found: f" {found.group(1) or ''} ", tail.rstrip(") .,;")).split()).strip(" .,;})")
    if FREE.fullmatch(plain) or ENUMERATED.fullmatch(plain):
        return ""
    counted = IS_COUNTED.fullmatch(plain) or COUNTED.fullmatch(plain)
    if counted is not None:
        kind = counted["kind"].removesuffix(" values").removesuffix(" value").rstrip("s").replace("-", "")
        if kind not in SETS:
            return None
        return f"{counted['name']} \\in {SETS[kind]}" if counted["name"] else ""
    relation = RELATION.fullmatch(plain)
    if relation is None or WORD.search(relation["relation"]):
        return None
    return relation["relation"]
