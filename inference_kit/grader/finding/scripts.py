"""Digits and signs of other scripts, written as ASCII: `５８`, `٥٨`, `৫৮` and `（４，５）`.

Why: an answer is looked for by digits and signs, and people write these in their own script.
Promises: one character for each character, so that places in the text stay; letters are left alone.
"""

import re

ZEROS = (
    "\u0660\u06f0\u07c0\u0966\u09e6\u0a66\u0ae6\u0b66\u0be6\u0c66\u0ce6\u0d66\u0de6\u0e50\u0ed0\u0f20\u1040\u17e0\u1810"
)
"""The zero of each script; its nine other digits follow it."""

DIGITS = {ord(zero) + value: str(value) for zero in ZEROS for value in range(10)}
FULL_WIDTH = {code: chr(code - 0xFEE0) for code in range(0xFF01, 0xFF5F) if chr(code) not in "，；：！？．"}
SIGNS = {ord("\u066b"): ".", ord("\u066c"): ",", ord("\u066a"): "%", ord("\u3000"): " ", ord("\u00a0"): " "}
DECIMAL_POINT = re.compile(r"(?<=\d)．(?=\d)")
PLAIN = DIGITS | FULL_WIDTH | SIGNS
WRITTEN_OTHERWISE = re.compile(f"[{re.escape(''.join(map(chr, PLAIN)))}．]")
"""What there is to write; most texts that are not ASCII have no more than a quotation mark or a dash."""


def write_plainly(text: str) -> str:
    """Return a text with its digits, brackets and signs in ASCII."""
    if text.isascii() or not WRITTEN_OTHERWISE.search(text):
        return text
    return DECIMAL_POINT.sub(".", text.translate(PLAIN))
