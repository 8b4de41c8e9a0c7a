r"""Multiple choice: the letter that a text names, in the usual ways of writing it.

Why: `(C)`, `C.`, `c)`, `\text{C}`, `option C`, `【C】` and the option's own words or value all mean the same letter.
Promises: linear; a letter inside a word, the article "A", a letter that is ruled out ("C, not A") and one of two ("A or
B") are no choice; returned letters are capitals.
"""

import re
from collections.abc import Sequence

from inference_kit.grader.proving.exact import compute_rational
from inference_kit.grader.reading.parse import parse
from inference_kit.grader.values import Apply, Num, Text, Unparsed

ALONE = re.compile(r"(?<![A-Za-z\\'’=+])\(?([A-J])\)?(?![A-Za-z'’]|\s?[=+^_]|[(\[]\w)")
LEADING = re.compile(
    r"^[\s$*\\{\[【]*(?i:(?:option|choice|answer|选项?)\s*[:：]?\s*)?"
    r"(?:\\(?:text|textbf|mathrm|mathbf|textrm|bf|rm|mbox)\s*\{?\s*)*"
    r"(?:[\s(\[{*]*([A-J])|[\s{]*\(([a-j])\)|([a-j])(?=\s*(?:[)\]}】*$\\]|[.:](?:\s|$)|$)))\s*"
    r"(?:[)\]}】.:。、,，;*$\\]|选项|$|\s+[-–(0-9\\$])"
)
SMALL = re.compile(r"[\s$*:]*([b-hj])\s*(?:,|\s(?:because|since|as|for)\b)")
"""A small letter behind "the answer is" that a reason follows; `a` would be an article."""

OR_ANOTHER = re.compile(
    r"[\s*})$.]*(?:\b(?:or|and)\b|[/,&、，]|或|和)[\s*{($]*(?:or\s|and\s)?[\s*{($]*([A-J])(?![A-Za-z'’])"
)
AND = re.compile(r"\b(?:and|or)\b|&|和|或")
ARTICLE = re.compile(r"\s+(?!(?:is|was|because|since|and|or|fails|remains|seems|must|holds)\b)[a-z]")
PRONOUN = re.compile(r"\s+[a-z]")
RULED_OUT_BEFORE = re.compile(
    r"(?:\b(?:not|nor|neither|over|isn['’]t|wasn['’]t|than|unlike|except|eliminat\w{1,4}|exclud\w{1,4}|reject\w{0,4}|discard\w{0,4}"
    r"|rul\w{1,4}\sout|(?:instead|because|out)\sof|can['’]?t\sbe|cannot\sbe|non|kein|pas)|不是|不选|排除|不为|而非)"
    r"[\s,:]{0,3}(?:(?:be|option|choice|answer|either|both|选项)s?\s{0,3})?[\s*($]{0,4}$",
    re.IGNORECASE,
)
RULED_OUT_AFTER = re.compile(
    r"[\s*)}$]{0,4}(?:(?:is|are|was|were|seems?|looks?)\s(?:also\s|both\s|clearly\s|all\s|then\s)?"
    r"(?:not|wrong|incorrect|false|impossible|invalid|excluded|eliminated|out|ruled|too)\b"
    r"|fails?\b|failed\b|by\smistake\b|(?:isn|aren|doesn|don|won|can)['’]t\b|cannot\b|do(?:es)?\snot\b|错|不对|不正确|不符)",
    re.IGNORECASE,
)
CHOSEN = re.compile(
    r"(?:\b(?i:options?|choice|choose|pick|select)|选项|应?该?选)[\s*:：]{0,4}\(?([A-J]|[b-hj]|a(?=[.)]))(?![A-Za-z'’]|\s(?:or|and)\b|或|和)"
    r"|\(([A-J])\)"
)
LONGEST_OPENING = 80
LONGEST_OPTION = 400
LONGEST_LETTER = 24
"""A gold answer beyond this is no letter; `\\text{(C)}` has nine signs."""

MOST_LETTERS = 64
BEFORE = 32
"""How far before a letter it is looked for words that rule it out."""

GOLD = re.compile(r"(?:\\(?:text|textbf|mathrm|mathbf)\s*\{)?\s*[(\[]?\s*([A-J])\s*[)\]]?\s*\}?\s*[.)]?\s*")
LABEL = re.compile(r"\s*\(?[A-J][).:]\s*(?=\S)")


def is_choice(gold: str) -> bool:
    """Say whether a gold answer is the letter of a choice."""
    bare = gold.strip()
    return len(bare) <= LONGEST_LETTER and GOLD.fullmatch(bare) is not None


def find_letter(text: str, n_choices: int = 0, *, whole: bool = False, last: bool = False) -> str | None:
    """Return the letter that `text` chooses.

    Args:
        text: What follows a marker, or a whole answer.
        n_choices: How many options there are; 0 where unknown (then A to J).
        whole: Only a letter that `text` begins with, as an answer does.
        last: The last letter that stands alone, for a text that reasons before it chooses.
    """
    opening = text.lstrip()[:LONGEST_OPENING]
    leading = LEADING.match(opening) or (None if whole or last else SMALL.match(opening))
    if leading:
        end = leading.end(leading.lastindex or 0)
        if not OR_ANOTHER.match(opening, end) and not RULED_OUT_AFTER.match(opening, end):
            return _keep_within(next(letter for letter in leading.groups() if letter).upper(), n_choices)
    if whole:
        return None
    if last and not ALONE.search(text):
        return find_chosen(text, n_choices)
    return _find_alone(text, n_choices, last=last)


def find_chosen(text: str, n_choices: int = 0) -> str | None:
    """Return the letter behind the last "option" or "choice" of a text, or in the last brackets."""
    found = [(letter.group(1) or letter.group(2)).upper() for letter in CHOSEN.finditer(text)]
    return _keep_within(found[-1], n_choices) if found else None


def _find_alone(text: str, n_choices: int, *, last: bool) -> str | None:
    """Return the first or the last letter that stands alone and is not ruled out; none where it is one of two."""
    found = [letter for letter in ALONE.finditer(text) if _is_letter(text, letter)]
    found = found[-MOST_LETTERS:] if last else found[:MOST_LETTERS]
    out = _find_ruled_out(text, found)
    kept = [
        place for place, letter in enumerate(found) if place not in out and _keep_within(letter.group(1), n_choices)
    ]
    if not kept:
        return None
    place = kept[-1] if last else kept[0]
    chosen = found[place].group(1)
    for other in (place - 1, place + 1):  # the neighbours, where nothing but "or" stands between
        first, second = min(place, other), max(place, other)
        if other in kept and found[other].group(1) != chosen and _are_side_by_side(text, found[first], found[second]):
            return None
    return chosen


def _is_letter(text: str, letter: re.Match[str]) -> bool:
    """Say whether a capital is a letter of a choice: in brackets, or not the article or the pronoun."""
    if text[letter.start()] == "(":
        return True
    followed = {"A": ARTICLE, "I": PRONOUN}.get(letter.group(1))
    return followed is None or not followed.match(text, letter.end())


def _find_ruled_out(text: str, found: Sequence[re.Match[str]]) -> set[int]:
    """Return the places of letters that are ruled out; "not A or B" and "A and B fail" rule out both."""
    out: set[int] = set()
    fails: set[int] = set()
    for place, letter in enumerate(found):
        goes_on = place > 0 and _are_side_by_side(text, found[place - 1], letter)
        before = text[max(0, letter.start() - BEFORE) : letter.start()]
        if RULED_OUT_BEFORE.search(before) or (goes_on and place - 1 in out):
            out.add(place)
    chained = False  # whether the letter that follows is ruled out, and an "and" joins this one to it
    for place in range(len(found) - 1, -1, -1):
        if place + 1 < len(found):
            between = text[found[place].end() : found[place + 1].start()]
            chained = _are_side_by_side(text, found[place], found[place + 1]) and (
                chained or (place + 1 in fails and AND.search(between) is not None)
            )
        if RULED_OUT_AFTER.match(text, found[place].end()):
            fails.add(place)
        if chained or place in fails:
            out.add(place)
    return out


def _are_side_by_side(text: str, first: re.Match[str], second: re.Match[str]) -> bool:
    other = OR_ANOTHER.match(text, first.end())
    return other is not None and other.start(1) == second.start(1)


def find_option(text: str, choices: Sequence[str]) -> str | None:
    """Return the letter of the option whose words or value `text` is; None where it is none's or several options'."""
    if not choices or not text.strip() or len(text) > LONGEST_OPTION:
        return None
    labels = [LABEL.match(choice) for choice in choices]
    if all(labels):
        choices = [choice[label.end() :] for choice, label in zip(choices, labels, strict=True) if label]
    for equal in (_are_same_words, _are_same_values):
        matching = [number for number, choice in enumerate(choices) if equal(text, choice)]
        if matching:
            return chr(ord("A") + matching[0]) if len(matching) == 1 else None
    return None


def _are_same_words(a: str, b: str) -> bool:
    return bool(_normalize(a)) and _normalize(a) == _normalize(b)


def _are_same_values(a: str, b: str) -> bool:
    """Say whether two texts are one number, or the same formula."""
    first, second = parse(a), parse(b)
    if isinstance(first, Text | Unparsed) or isinstance(second, Text | Unparsed):
        return False
    if isinstance(first, Num | Apply) and isinstance(second, Num | Apply):
        rational = compute_rational(first)
        if rational is not None:
            return rational == compute_rational(second)
    return first == second


def _normalize(text: str) -> str:
    """Return the words of an option, without styles and punctuation."""
    bare = re.sub(r"\\(?:text|mathrm|textbf)\b|[${}]", "", text[:LONGEST_OPTION])
    return " ".join(re.sub(r"[^\w.+\-/^]+", " ", bare).lower().split()).strip(".")


def _keep_within(letter: str, n_choices: int) -> str | None:
    return letter if n_choices == 0 or ord(letter) - ord("A") < n_choices else None
