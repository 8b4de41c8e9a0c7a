r"""Units behind a value, token by token: `5 cm`, `5\text{ cm}^2`, `9.8 m/s^2`.

Why: a word behind a number is a unit, behind a letter it is a sentence or a product.
Promises: reads only what belongs to the unit.
"""

from inference_kit.grader.reading.reader import Reader
from inference_kit.grader.reading.tokens import END, Token
from inference_kit.grader.reading.units import SINGLE_LETTERS, is_known_unit, is_unit, name_unit
from inference_kit.grader.values import Apply, Measure, Num, Value, list_symbols, walk
from inference_kit.grader.vocabulary import AND_OR, CLOSINGS, FRACTIONS, FUNCTIONS, OPENINGS, SENTENCE_WORDS, SYNONYMS

MOST_ADJECTIVES = 3
MOST_FRACTION_TOKENS = 24
SCALES = {"C": "°C", "F": "°F", "celsius": "°C", "fahrenheit": "°F"}
"""What makes a temperature of a number of degrees."""

MICRO, OHM = r"\mu", r"\Omega"
GREEK_UNITS = frozenset({OHM, MICRO})
PREFIXES = frozenset("kM")
MICRO_UNITS = frozenset("mgsLAFCVWJN")


def unit_follows(reader: Reader, value: Value) -> bool:
    """Say whether the unit of a value comes next."""
    token = reader.next
    if isinstance(value, Measure):
        return False
    if token.kind == "command":
        return (_is_greek_unit(reader) or _find_fraction_end(reader) > 0) and not list_symbols(value)
    if token.kind not in ("text", "word"):
        return False
    if _is_temperature(value, token):
        return True
    if token.kind == "text":
        return len(token.text) > 2 or not list_symbols(value)
    if token.text in PREFIXES and reader.peek(1).text == OHM and _ends_value(reader.peek(2)):
        return not list_symbols(value)
    if len(token.text) == 1 or token.text.lower() in SENTENCE_WORDS:
        return False
    if is_known_unit(token.text):
        return True
    is_word = is_unit(token.text) or _is_counted(reader)
    return is_word and not _call_follows(reader) and any(isinstance(part, Num) for part in walk(value))


def _is_counted(reader: Reader) -> bool:
    """Say whether a word describes what is counted: `5 red apples`, `5 old red cars`."""
    for ahead in range(1, MOST_ADJECTIVES + 1):
        token = reader.peek(ahead)
        if token.kind != "word" or token.text.lower() in FUNCTIONS:
            break
        if is_unit(token.text):
            return True
    return False


def _is_temperature(value: Value, token: Token) -> bool:
    is_scale = token.text.strip('" ').removesuffix(".") in SCALES or token.text.strip('" ').lower() in SCALES
    return is_scale and isinstance(value, Apply) and value.head == "degree"


def _is_greek_unit(reader: Reader) -> bool:
    r"""Say whether a Greek letter behind a number is a unit: `5 \Omega`, `5 \mu\text{m}`, and at the end `5 \mu m`."""
    if reader.next.text not in GREEK_UNITS:
        return False
    following = reader.peek(1)
    if reader.next.text == MICRO:
        ends = _ends_value(reader.peek(2))
        if following.text == OHM:
            return ends
        return following.kind == "text" or (following.kind == "word" and ends and following.text in MICRO_UNITS)
    return _ends_value(following)


def _ends_value(token: Token) -> bool:
    return token is END or token.text in CLOSINGS or token.text in (",", ";", "}")


def _find_fraction_end(reader: Reader) -> int:
    r"""Return the place behind a fraction of units, `\frac{\text{m}}{\text{s}^2}`; 0 where none comes next."""
    if reader.next.text not in FRACTIONS or reader.peek(1).text != "{":
        return 0
    groups, depth, has_unit = 0, 0, False
    for ahead in range(1, MOST_FRACTION_TOKENS):
        token = reader.peek(ahead)
        if token.text in ("{", "}"):
            depth += 1 if token.text == "{" else -1
            groups += depth == 0
            if groups == 2:
                return reader.position + ahead + 1 if has_unit else 0
        elif token.kind == "text" or (token.kind == "word" and is_known_unit(token.text)):
            has_unit = True
        elif token.kind == "word" and token.text in SINGLE_LETTERS:
            has_unit = has_unit or (token.text == "m" and reader.peek(ahead + 3).text == "s")  # \frac{m}{s}
        elif token.kind != "digits" and token.text not in ("^", "-", r"\cdot", "/"):
            return 0
    return 0


def _call_follows(reader: Reader) -> bool:
    """Say whether a function comes next with what it is applied to: `2 sinh(x)` has no unit, the `5 floor` has one."""
    name = reader.next.text.lower()
    following = reader.peek(1)
    return SYNONYMS.get(name, name) in FUNCTIONS and (
        following.kind in ("digits", "number", "word", "command") or following.text in OPENINGS
    )


def read_measure(reader: Reader, value: Value) -> Measure:
    """Read the unit of a value, of degrees also the scale of a temperature."""
    if _is_temperature(value, reader.next) and isinstance(value, Apply):
        name = reader.take().text.strip('" ').removesuffix(".")
        return Measure(value.args[0], SCALES.get(name) or SCALES[name.lower()])
    return Measure(value, read_unit(reader))


def read_unit(reader: Reader) -> str:
    """Read words up to the next sign that is not part of a unit; return its one spelling."""
    words: list[str] = []
    while True:
        token = reader.next
        if token.kind == "text":
            words.append(reader.take().text[1:])
        elif _is_unit_token(reader, words):
            words.append(reader.take().text)
        elif token.text in FRACTIONS and (end := _find_fraction_end(reader)):
            words.append(_read_fraction(reader, end))
        elif token.text == "^" and words and _exponent_follows(reader):
            words.append(reader.take().text)
            words.append(_read_exponent(reader))
        elif token.text in ("/", "-", r"\cdot") and words and reader.peek(1).kind in ("text", "word"):
            words.append(reader.take().text)
        else:
            return name_unit(" ".join(words))


def _is_unit_token(reader: Reader, words: list[str]) -> bool:
    """Say whether the next token belongs to a unit as it stands: letters, or a Greek one that begins a unit."""
    token = reader.next
    if token.kind == "word":
        return token.text not in AND_OR
    return token.text in GREEK_UNITS and (bool(words) or _is_greek_unit(reader))


def _read_fraction(reader: Reader, end: int) -> str:
    """Read a fraction of units as `(m)/(s^2)`."""
    reader.take()
    words, depth = "", 0
    while reader.position < end:
        token = reader.take()
        if token.text in ("{", "}"):
            opens = token.text == "{"
            depth += 1 if opens else -1
            outer = depth == (1 if opens else 0)
            words += ("(" if opens else ")") if outer else ""
        else:
            words += token.text if token.text == "^" else f" {token.text.strip(chr(34))} "
        if token.text == "}" and depth == 0 and reader.position < end:
            words += "/"
    return words.replace("^ ", "^").replace("- ", "-")


def _exponent_follows(reader: Reader) -> bool:
    following = reader.peek(1)
    return following.kind == "digits" or following.text in ("{", "-")


def _read_exponent(reader: Reader) -> str:
    """Read the exponent of a unit, as text."""
    braced = reader.accept("{")
    sign = "-" if reader.accept("-") else ""
    text = sign + reader.take().text
    if braced:
        reader.expect("}")
    return text
