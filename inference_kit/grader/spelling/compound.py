r"""Quantities in two units, as one in the larger: `2 hours 30 minutes` is `\frac{150}{60}\text{ hours}`.

Why: two and a half hours are often told in hours and minutes, which no other unit makes.
Promises: linear; the second unit is the next smaller one, and its number fewer than make one of the larger.
"""

import re

SIZES = {
    ("week", "day"): 7, ("day", "hour"): 24, ("hour", "minute"): 60, ("minute", "second"): 60, ("year", "month"): 12,
    ("foot", "inch"): 12, ("pound", "ounce"): 16, ("dollar", "cent"): 100,
}  # fmt: skip
"""How many of the smaller unit make one of the larger."""

WORDS = {
    "week": "weeks? wks?", "day": "days?", "hour": "hours? hrs? h", "minute": "minutes? mins?",
    "second": "seconds? secs?", "year": "years? yrs?", "month": "months?", "foot": "feet foot ft",
    "inch": "inch inches in", "pound": "pounds? lbs?", "ounce": "ounces? oz", "dollar": "dollars?", "cent": "cents?",
}  # fmt: skip
UNIT = "|".join(f"(?P<{{0}}_{name}>{'|'.join(words.split())})" for name, words in WORDS.items())
AMOUNT = r"(?<![\d.,])(?P<{0}>\d{{1,9}})\s*(?:\\[,; ])?\s*(?:\\(?:text|mathrm)\s*\{{\s*)?"


def _write_part(name: str) -> str:
    """Return a pattern for a whole number with one of the units, whose groups begin with a name."""
    return AMOUNT.format(name) + f"(?:{UNIT.replace('{0}', name)})" + r"(?![a-z])\.?\s*\}?"


PAIR = re.compile(
    _write_part("large") + r"\s*(?:,|and|\\text\s*\{\s*and\s*\})?\s*(?:\\[,; ])?\s*" + _write_part("small")
)
HINT = re.compile(r"\d\D{1,30}\d+\D*$")


def write_compound(text: str) -> str:
    """Write a text that is nothing but a quantity in two units as one in the larger."""
    found = PAIR.fullmatch(text.strip()) if len(text) <= 80 and HINT.search(text) else None
    if found is None:
        return text
    names = [key.partition("_")[2] for key, value in found.groupdict().items() if value is not None and "_" in key]
    size = SIZES.get((names[0], names[1]))
    if size is None or int(found["small"]) >= size:
        return text
    return f"\\frac{{{int(found['large']) * size + int(found['small'])}}}{{{size}}}\\text{{ {names[0]} }}"
