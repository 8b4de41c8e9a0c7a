r"""Answers in words: no solution, all real numbers, twenty-one, 4:30 p.m., July 4.

Why: these are whole answers that no grammar of mathematics knows.
Promises: looks at short texts only; what is no such phrase is None.
"""

import re
from fractions import Fraction

from inference_kit.grader.values import INFINITY, Based, Num, SetOf, Sym, Text, Value, to_num
from inference_kit.grader.vocabulary import NUMBER_WORDS

LONGEST = 60
SPACED = re.compile(r"[-+]?\d{1,3}(?: \d{3})+(?:\.\d+)?")
DOTTED = re.compile(r"[-+]?\d{1,3}(?:\.\d{3}){2,}")
DATE = re.compile(
    r"(?:\d{4}-\d\d?-\d\d?|(?:jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec)[a-z]*\.?\s+\d{1,2}(?:\s*,\s*\d{4})?"
    r"|\d{1,2}\s+(?:jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec)[a-z]*\.?(?:\s*,?\s*\d{4})?)",
    re.IGNORECASE,
)
MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
BASED = re.compile(r"(?:\\(?:text|mathrm)\{)?\(?([0-9A-Z]{1,60})\)?\}?_\{?(\d\d)\}?")
TIME = re.compile(r"(\d{1,2}):(\d\d)(?::(\d\d))?\s*(?:([ap])\.?\s?m\.?)", re.IGNORECASE)
NAME = re.compile(r"[A-Z][a-z]+")
NOTHING = frozenset(
    (
        "no solution", "no solutions", "no real solution", "no real solutions", "none", "empty set", "the empty set",
        "empty", "no real roots", "no roots", "no such values", "无解", "空集",
    )
)  # fmt: skip
EVERYTHING = frozenset(
    ("all real numbers", "all reals", "any real number", "all real values", "real numbers", "the real numbers")
)
WHOLE = frozenset(("all integers", "any integer", "every integer", "the integers", "the set of integers"))
UNDEFINED = frozenset(("undefined", "dne", "does not exist", "not defined"))
ENDLESS = frozenset(("infinity", "infinitely many", "infinite", "inf", "+infinity"))
ARTICLES = re.compile(r"^(?:a|an|the)\s+")
SCALES = {"thousand": 3, "million": 6, "billion": 9, "trillion": 12}
WORDS = re.compile(r"[A-Za-z]{2,}")


def read_phrase(text: str) -> Value | None:
    """Return the value of an answer in words, a date or a time of day; None for any other text."""
    if len(text) > LONGEST:
        return None
    low = " ".join(re.sub(r"\\text\s*\{([^{}]*)\}|\\[ ,;]|~", r" \1", text).lower().split()).strip(" .,!$")
    if low in NOTHING:
        return SetOf(())
    if low in EVERYTHING:
        return Sym("reals")
    if low in WHOLE:
        return Sym("integers")
    if low in UNDEFINED:
        return Text("undefined")
    if low in ENDLESS:
        return INFINITY
    if SPACED.fullmatch(low) or DOTTED.fullmatch(low):
        return read_plain_number(low.replace(" ", "") if " " in low else low.replace(".", ""))
    based = BASED.fullmatch(text.replace(" ", ""))
    if based and 10 < int(based.group(2)) <= 36:
        return Based(based.group(1), int(based.group(2)))
    time = TIME.fullmatch(low)
    if time:
        hours = int(time.group(1)) % 12 + (12 if time.group(4).lower() == "p" else 0)
        return Text(f"{hours}:{time.group(2)}" + (f":{time.group(3)}" if time.group(3) else ""))
    if DATE.fullmatch(low):
        return Text(_order_date(low))
    if NAME.fullmatch(low_text := text.strip(" .")) or (WORDS.fullmatch(low) and "\\text" in text):
        return Text(clean_words(low)) if low not in NUMBER_WORDS and low_text != "Pi" else None
    count = _count(low)
    return None if count is None else to_num(count)


def _order_date(text: str) -> str:
    """Return a date with its parts in one order."""
    if text[:4].isdigit():
        year, number_of_month, day = text.split("-")
        return f"date {int(day)} {int(number_of_month)} {year}"
    month = 1 + MONTHS.index(re.sub("[^a-z]", "", text)[:3])
    numbers = re.findall(r"\d+", text)
    return f"date {int(numbers[0])} {month} {' '.join(numbers[1:])}".strip()


def _count(text: str) -> int | None:
    """Return the number that words like `twenty-one` or `two hundred` name; None for other words."""
    words = text.replace("-", " ").split()
    if not words or len(words) > 6 or not all(word in NUMBER_WORDS or word in SCALES for word in words):
        return None
    # two million three hundred: each scale closes what was counted since the one before it.
    total, current = 0, 0
    for word in words:
        if word in SCALES:
            total, current = total + (current or 1) * 10 ** SCALES[word], 0
        elif word == "hundred":
            current = (current or 1) * 100
        else:
            current += NUMBER_WORDS[word]
    return total + current


def clean_words(text: str) -> str:
    """Return words in lower case, single-spaced, without an article or final punctuation."""
    return ARTICLES.sub("", " ".join(text.lower().split()).strip(" .,;:!?\"'"))


def read_plain_number(text: str) -> Num:
    """Return the number that digits write; a decimal keeps how many significant ones it shows."""
    _, point, places = text.partition(".")
    return Num(Fraction(text), len(text.lstrip("+-0.").replace(".", "")) if point and places else 0)
