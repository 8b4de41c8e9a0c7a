r"""Multiple choice: the letter that a text names, in the usual ways of writing it.

Why: `(C)`, `C.`, `\text{C}`, `option C`, `【C】` and the option's own words all mean the same letter.
Promises: a letter inside a word, or the article "A", is not a choice; returned letters are capitals.
"""

import re
from collections.abc import Sequence

ALONE = re.compile(r"(?<![A-Za-z\\'’])\(?([A-J])\)?(?![A-Za-z'’])")
LEADING = re.compile(
    r"^[\s$*\\{\[【]*(?i:(?:option|choice|answer|选项?)\s*[:：]?\s*)?"
    r"(?:\\(?:text|textbf|mathrm|mathbf|textrm|bf|rm|mbox)\s*\{?\s*)*(?:[\s(\[{*]*([A-J])|[\s{]*\(([a-j])\))\s*"
    r"(?:[)\]}】.:。、,，;*$\\]|选项|$|\s+[-–(0-9\\$])"
)
ARTICLE = re.compile(r"\s+[a-z]")
LONGEST_OPENING = 80
LONGEST_OPTION = 400
LONGEST_LETTER = 24
"""A gold answer beyond this is no letter; `\\text{(C)}` has nine signs."""

GOLD = re.compile(r"(?:\\(?:text|textbf|mathrm|mathbf)\s*\{)?\s*[(\[]?\s*([A-J])\s*[)\]]?\s*\}?\s*[.)]?\s*")


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
    leading = LEADING.match(text.lstrip()[:LONGEST_OPENING])
    if leading:
        return _keep_within((leading.group(1) or leading.group(2)).upper(), n_choices)
    if whole:
        return None
    letters = [
        found.group(1)
        for found in ALONE.finditer(text)
        if found.group(1) not in "AI" or not ARTICLE.match(text, found.end()) or text[found.start()] == "("
    ]
    letters = [letter for letter in letters if _keep_within(letter, n_choices)]
    if not letters:
        return None
    return letters[-1] if last else letters[0]


def find_option(text: str, choices: Sequence[str]) -> str | None:
    """Return the letter of the option whose own words `text` is, None where it is none's or several options'."""
    wanted = _normalize(text)
    matching = [number for number, choice in enumerate(choices) if wanted and _normalize(choice) == wanted]
    return chr(ord("A") + matching[0]) if len(matching) == 1 else None


def _normalize(text: str) -> str:
    """Return the words of an option, without styles and punctuation."""
    bare = re.sub(r"\\(?:text|mathrm|textbf)\b|[${}]", "", text[:LONGEST_OPTION])
    return " ".join(re.sub(r"[^\w.+\-/^]+", " ", bare).lower().split()).strip(".")


def _keep_within(letter: str, n_choices: int) -> str | None:
    return letter if n_choices == 0 or ord(letter) - ord("A") < n_choices else None
