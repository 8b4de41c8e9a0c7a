r"""Units behind a value, token by token: `5 cm`, `5\text{ cm}^2`, `9.8 m/s^2`.

Why: a word behind a number is a unit, behind a letter it is a sentence or a product.
Promises: reads only what belongs to the unit.
"""

from inference_kit.grader.reading.reader import Reader
from inference_kit.grader.reading.units import is_known_unit, is_unit, name_unit
from inference_kit.grader.values import Measure, Num, Value, list_symbols, walk
from inference_kit.grader.vocabulary import AND_OR, FUNCTIONS, OPENINGS, SENTENCE_WORDS, SYNONYMS


def unit_follows(reader: Reader, value: Value) -> bool:
    """Say whether the unit of a value comes next."""
    token = reader.next
    if token.kind not in ("text", "word") or isinstance(value, Measure):
        return False
    if token.kind == "text":
        return len(token.text) > 2 or not list_symbols(value)
    if not is_unit(token.text) or token.text.lower() in SENTENCE_WORDS:
        return False
    if is_known_unit(token.text):
        return True
    return not _call_follows(reader) and any(isinstance(part, Num) for part in walk(value))


def _call_follows(reader: Reader) -> bool:
    """Say whether a function comes next with what it is applied to: `2 sinh(x)` has no unit, the `5 floor` has one."""
    name = reader.next.text.lower()
    following = reader.peek(1)
    return SYNONYMS.get(name, name) in FUNCTIONS and (
        following.kind in ("digits", "number", "word", "command") or following.text in OPENINGS
    )


def read_unit(reader: Reader) -> str:
    """Read words up to the next sign that is not part of a unit; return its one spelling."""
    words: list[str] = []
    while True:
        token = reader.next
        if token.kind == "text":
            words.append(reader.take().text[1:])
        elif token.kind == "word" and token.text not in AND_OR:
            words.append(reader.take().text)
        elif token.text == "^" and words and _exponent_follows(reader):
            words.append(reader.take().text)
            words.append(_read_exponent(reader))
        elif token.text in ("/", "-", r"\cdot") and words and reader.peek(1).kind in ("text", "word"):
            words.append(reader.take().text)
        else:
            return name_unit(" ".join(words))


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
