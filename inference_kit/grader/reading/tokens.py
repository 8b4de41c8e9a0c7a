r"""Cut mathematics into tokens, within limits: the first half of the parser.

Why: space, sizes of brackets and styles are gone before the grammar sees anything, and words in `\text{...}` are one
token; what kind a token is, is known here and not asked of its characters again.
Promises: linear in the text; raises `ParseError` for a sign nobody knows and beyond the limits.
"""

import re
from dataclasses import dataclass
from fractions import Fraction
from typing import Literal

from inference_kit.grader.reading.units import BEHIND_NUMBERS, SINGLE_LETTERS
from inference_kit.grader.values import Num
from inference_kit.grader.vocabulary import AND_OR, FUNCTIONS, KNOWN_COMMANDS, SYNONYMS

MOST_CHARACTERS = 4096
MOST_TOKENS = 2048
MOST_DIGITS = 4000
LARGEST_EXPONENT = 10_000
MOST_GLUED = 3

TEXT_COMMANDS = r"text|textbf|textit|textrm|textnormal|textsf|mbox|hbox|mathrm|operatorname\*?|mathop|rm"
TOKEN = re.compile(
    r"(?P<space>\s+|~|\\[,;:!> /]|\\q?quad|\\(?:left|right|mleft|mright|[bB]igg?[lrm]?|displaystyle|textstyle"
    r"|scriptstyle|limits|nolimits|thinspace|hfill|strut|phantom\{[^{}]*\}|hspace\{[^{}]*\}|vspace\{[^{}]*\})(?![A-Za-z])\.?)"
    rf"|\\(?:{TEXT_COMMANDS})(?![A-Za-z])\s*(?P<text>\{{(?:[^{{}}]|\{{[^{{}}]*\}})*\}})"
    r"|(?P<repeating>\d*\.\d*\\(?:overline|bar|dot)\s*(?:\{\d{1,60}\}|\d)(?:\d{0,60}\\dot\s*(?:\{\d\}|\d))?)"
    r"|(?P<number>(?:\d+(?:\.\d+|\.(?=\s*[/*]))?|\.\d+)(?:[eE][-+]?\d{1,6}(?![\d.A-Za-z]))?)"
    r"|(?P<command>\\[A-Za-z]+|\\.)"
    r"|(?P<word>[A-Za-z]+)"
    r"|(?P<primes>'+)"
    r"|(?P<sign>\*\*|<=|>=|!=|==|=>|\+/-|\+-|\.{2,}|[-+*/^_=<>(){}\[\]|,;:!%&])",
    re.DOTALL,
)
# Digits set apart in groups of three: `1{,}000` and `1\,000`. Whether `1,000` is a number or a list, `parse` decides.
GROUPED = re.compile(r"(?<![\d.])\d{1,3}(?:(?:\{,\}|,\\!\s?|\\,|\\!|\\ )\d{3})+(?!\d)")
THOUSANDS = re.compile(r"(?<![\d.,])\d{1,3}(?:,\d{3})+(?![\d,])")
# Some fonts write one half as `^1 / _2`.
SLANTED = re.compile(r"\^\{?(\d+)\}?\s*/\s*_\{?(\d+)\}?")


class ParseError(ValueError):
    """The text is not mathematics that this parser knows."""


Kind = Literal["digits", "number", "word", "text", "command", "primes", "sign", "end"]
"""Digits are a whole numeral, a number is any other one; a word is letters of mathematics, a text is `\\text{...}`."""


@dataclass(frozen=True, slots=True)
class Token:
    """One piece of mathematics; the text of a `text` begins with a quote, so that it is equal to no sign or word."""

    kind: Kind
    text: str


END = Token("end", "")
KINDS: dict[str | None, Kind] = {"word": "word", "sign": "sign", "primes": "primes", "repeating": "number"}
"""The kinds of those groups of `TOKEN` that are one token as they stand."""


def tokenize(text: str) -> list[Token]:
    r"""Cut a text into tokens; space and sizes are dropped, `\text{...}` is one token."""
    if len(text) > MOST_CHARACTERS:
        raise ParseError("too long")
    text = GROUPED.sub(lambda found: re.sub(r"\D", "", found.group()), text)
    text = SLANTED.sub(r"\\frac{\1}{\2}", text)
    tokens: list[Token] = []
    position = 0
    while position < len(text):
        found = TOKEN.match(text, position)
        if found is None:
            raise ParseError(f"unknown sign {text[position]!r}")
        position = found.end()
        kind = found.lastgroup
        if kind == "number":
            numeral = found.group()
            tokens.append(Token("digits" if numeral.isdigit() else "number", numeral))
        elif kind == "text":
            is_behind_number = bool(tokens) and tokens[-1].text[-1:].isdigit()
            tokens.extend(_cut_words(found.group("text")[1:-1], is_behind_number))
        elif kind == "command":
            tokens.extend(_cut_command(found.group()))
        elif kind != "space":
            tokens.append(Token(KINDS[kind], found.group()))
    if len(tokens) > MOST_TOKENS:
        raise ParseError("too many tokens")
    return tokens


def _cut_command(command: str) -> list[Token]:
    r"""Return a command, or a known one and the letters that lost their space to it: `\cdotC`, `\leqx`."""
    if command in KNOWN_COMMANDS or not command[1:].isalpha():
        return [Token("command", command)]
    for length in range(len(command) - 1, max(2, len(command) - MOST_GLUED - 1), -1):
        if command[:length] in KNOWN_COMMANDS:
            return [Token("command", command[:length]), Token("word", command[length:])]
    return [Token("command", command)]


def _cut_words(text: str, is_behind_number: bool) -> list[Token]:
    r"""Cut what stands inside `\text{...}`: connectives, numbers and letters as such, words as one text."""
    words = " ".join(text.replace("~", " ").split())
    if not words.strip(".,;:!\"'`"):
        return []
    if (alone := words.lower().strip(" ,.")) in AND_OR:
        return [Token("word", AND_OR[alone])]
    if is_behind_number and (words in BEHIND_NUMBERS or alone in BEHIND_NUMBERS):
        return [Token("text", f'"{words}')]
    first, _, rest = words.partition(" ")
    before, _, last = words.rpartition(" ")
    if first in AND_OR:
        return [Token("word", AND_OR[first]), *_cut_phrase(rest)]
    if last in AND_OR:
        return [*_cut_phrase(before), Token("word", AND_OR[last])]
    return _cut_phrase(words)


def _cut_phrase(words: str) -> list[Token]:
    """Cut mathematics that was written as text; words become one token."""
    low = words.lower().strip(" ,.")
    mathematics = (
        words in FUNCTIONS
        or low in FUNCTIONS
        or low in SYNONYMS
        or (len(words) == 1 and words.isascii())
        or re.fullmatch(r"[-+]?[\d.,:%/$\\ ]+", words)
    )
    # A letter that is also the symbol of a unit stays text: 5\text{ m} are metres.
    return tokenize(words) if mathematics and words not in SINGLE_LETTERS else [Token("text", f'"{words}')]


def read_numeral(token: str) -> Num:
    """Return the number that a numeral writes; a decimal keeps how many digits it shows."""
    if len(token) > MOST_DIGITS:
        raise ParseError("too many digits")
    if token.isdigit():
        return Num(Fraction(int(token)))
    if "\\" in token:
        return Num(_read_repeating(token))
    mantissa, _, exponent = token.lower().partition("e")
    if exponent and abs(int(exponent)) > LARGEST_EXPONENT:
        raise ParseError("too large an exponent")
    value = Fraction(mantissa) * Fraction(10) ** int(exponent or 0)
    shown = mantissa.replace(".", "").lstrip("0")
    return Num(value, len(shown) if "." in mantissa or exponent else 0)


def _read_repeating(token: str) -> Fraction:
    r"""Return the value of `0.1\overline{6}` and of `0.\dot{1}4\dot{2}`.

    A period of n digits that begins after m places is worth period / ((10^n - 1) 10^m).
    """
    before, _, after = token.partition("\\")
    whole, _, fixed = before.partition(".")
    period = re.sub(r"[a-z\\{}\s]", "", after)
    start = Fraction(f"{whole or 0}.{fixed or 0}")
    return start + Fraction(int(period), (10 ** len(period) - 1) * 10 ** len(fixed))
