r"""Numbers and letters: numerals and mixed numbers, variables, calls like `f(x)`, constants and words.

Why: what a run of letters means follows from what it is: `sin`, `pi`, `twenty`, `xy` and `apples` are five things.
Promises: reads no operator; a word that is a function reads its arguments too.
"""

from fractions import Fraction

from inference_kit.grader.reading.functions import read_function
from inference_kit.grader.reading.grammar import Grammar
from inference_kit.grader.reading.postfix import read_subscript, read_superscript
from inference_kit.grader.reading.reader import Reader
from inference_kit.grader.reading.tokens import ParseError, Token, read_numeral
from inference_kit.grader.reading.units import is_unit
from inference_kit.grader.values import EULER, IMAGINARY, INFINITY, PI, Apply, ListOf, Num, Sym, Text, Value, to_num
from inference_kit.grader.vocabulary import (
    AND_OR,
    CALLABLE,
    CLOSINGS,
    FRACTIONS,
    FUNCTIONS,
    LETTER_NAMES,
    NUMBER_WORDS,
    OPENINGS,
    SENTENCE_WORDS,
    SYNONYMS,
)

CONSTANTS_BY_LETTER = {"i": IMAGINARY, "e": EULER}
CONSTANTS_BY_WORD = {"pi": PI} | dict.fromkeys(("infinity", "inf", "oo", "infty"), INFINITY)
IGNORED_WORDS = frozenset({"approximately", "about", "approx", "over"})
SEQUENCES = frozenset("abdsuvw")
MOST_COORDINATE_TOKENS = 40
INVERSE = ["^", "{", "-", "1", "}"]
LONGEST_PRODUCT = 4
LONGEST_CALLED = 7
MOST_MIXED_DIGITS = 399


def read_number(reader: Reader, token: Token) -> Value:
    """Read a number; before a fraction of whole numbers, it is the whole part of a mixed one."""
    value = read_numeral(token.text)
    if token.kind != "digits":
        return value
    start = reader.position
    fraction = _read_fraction(reader)
    if fraction is not None and reader.next.text not in ("^", "!"):  # 2\frac13^2 is 2 times (1/3)^2
        return Num(value.value + fraction)
    reader.move_to(start)
    return value


def _read_fraction(reader: Reader) -> Fraction | None:
    r"""Read `\frac12` or `1/2` of whole numbers."""
    if reader.next.text in FRACTIONS:
        reader.take()
        numerator, denominator = _read_whole_argument(reader), _read_whole_argument(reader)
        return Fraction(numerator, denominator) if numerator is not None and denominator else None
    if _is_whole(reader.next) and reader.peek(1).text == "/" and _is_whole(reader.peek(2)):
        numerator, denominator = int(reader.next.text), int(reader.peek(2).text)
        reader.move_to(reader.position + 3)
        return Fraction(numerator, denominator) if denominator else None
    return None


def _read_whole_argument(reader: Reader) -> int | None:
    if reader.next.text == "{" and _is_whole(reader.peek(1)) and reader.peek(2).text == "}":
        reader.move_to(reader.position + 3)
        return int(reader.peek(-2).text)
    return int(reader.take_digit()) if _is_whole(reader.next) else None


def _is_whole(token: Token) -> bool:
    return token.kind == "digits" and len(token.text) <= MOST_MIXED_DIGITS


def read_greek(grammar: Grammar, command: str) -> Value:
    r"""Read a Greek letter, or a call of one that names functions: `\phi(x)`."""
    symbol = Sym(command[1:].removeprefix("var"))
    return read_call(grammar, symbol) if command in CALLABLE else symbol


def read_word(grammar: Grammar, word: str) -> Value:
    """Read letters: a function, a constant, a number in words, or a product of variables."""
    if len(word) == 1:
        return _read_letter(grammar, word)
    low = word.lower()
    name = SYNONYMS.get(word, SYNONYMS.get(low, word))
    if name in FUNCTIONS or name.lower() in FUNCTIONS:
        return read_function(grammar, name if name in FUNCTIONS else name.lower())
    if low in SENTENCE_WORDS and grammar.reader.depth == 1:
        raise ParseError("a sentence")
    if low in CONSTANTS_BY_WORD:
        return CONSTANTS_BY_WORD[low]
    if low in NUMBER_WORDS:
        return to_num(NUMBER_WORDS[low])
    if low in LETTER_NAMES:
        return Sym(low)
    if low in IGNORED_WORDS:
        return grammar.read_factor()
    if len(word) <= LONGEST_PRODUCT and not is_unit(word):
        return _read_letters(grammar, word)
    return read_text(grammar, word)


def _read_letter(grammar: Grammar, letter: str) -> Value:
    reader = grammar.reader
    if reader.accept("_"):
        symbol = read_subscript(reader, Sym(letter))
        return read_call(grammar, symbol) if letter in CALLABLE or _names_point(reader, letter) else symbol
    if letter in CALLABLE or _names_point(reader, letter) or _names_value(reader, letter):
        return read_call(grammar, Sym(letter))
    return _make_symbol(letter)


def _names_point(reader: Reader, letter: str) -> bool:
    """Say whether a capital letter names a point or a function of several numbers: `A(1, 2)`, `C(8, 4)`."""
    if not letter.isupper() or reader.next.text != "(":
        return False
    depth = 0
    for ahead in range(MOST_COORDINATE_TOKENS):
        token = reader.peek(ahead)
        depth += (token.text in OPENINGS) - (token.text in CLOSINGS)
        if token.text == "," and depth == 1:
            return True
        if depth == 0 or token.kind == "end":
            break
    return False


def _names_value(reader: Reader, letter: str) -> bool:
    """Say whether a letter stands before a numeral in brackets, as a function or a sequence does: `N(4)`, `a(5)`."""
    is_named = letter.isupper() or letter in SEQUENCES
    return is_named and [reader.next.text, reader.peek(1).kind, reader.peek(2).text] == ["(", "digits", ")"]


def _read_letters(grammar: Grammar, word: str) -> Value:
    """Read a product of single letters; an index, call or exponent after the last belongs to that one."""
    last = _read_letter(grammar, word[-1])
    while (sign := grammar.reader.next.text) in ("_", "^"):
        grammar.reader.take()
        last = read_subscript(grammar.reader, last) if sign == "_" else read_superscript(grammar, last)
    return Apply("mul", (*map(_make_symbol, word[:-1]), last))


def _make_symbol(letter: str) -> Value:
    return CONSTANTS_BY_LETTER.get(letter) or Sym(letter)


def read_call(grammar: Grammar, symbol: Value) -> Value:
    """Read `f(x)`, also `f'(x)` and `f^{-1}(x)`; a letter alone stays one."""
    assert isinstance(symbol, Sym)
    reader = grammar.reader
    start, name = reader.position, symbol.name
    while reader.next.kind == "primes":
        name += reader.take().text
    if reader.next.text == "^" and [reader.peek(place).text for place in range(len(INVERSE))] == INVERSE:
        reader.move_to(reader.position + len(INVERSE))
        name += "^-1"
    if not reader.accept("("):
        reader.move_to(start)
        return symbol
    around = reader.open()
    inside = grammar.read_list()
    reader.close(around, ")")
    return Apply(f"call:{name}", inside.items if isinstance(inside, ListOf) else (inside,))


def read_text(grammar: Grammar, words: str) -> Value:
    """Read words: a letter, a number or a function's short name before a bracket, else all words that follow too."""
    reader = grammar.reader
    if len(words) == 1 and words.isascii():
        return _read_letter(grammar, words)
    low = words.lower().strip(" .,:")
    if reader.next.text == "(" and words.isascii() and words.isalpha() and len(words) <= LONGEST_CALLED:
        return read_call(grammar, Sym(words))
    if low in NUMBER_WORDS:
        return to_num(NUMBER_WORDS[low])
    if low in ("infinity", "infinite"):
        return INFINITY
    while _words_follow(reader.next):
        low += " " + reader.take().text.strip('" ').lower()
    return Text(" ".join(low.split()))


def _words_follow(token: Token) -> bool:
    return token.kind == "text" or (token.kind == "word" and len(token.text) > 1 and token.text not in AND_OR)
