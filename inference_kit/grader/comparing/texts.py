r"""Compare two answers as texts: the same writing, numbers, words and letters here, everything else by what it is.

Why: most answers are settled by their writing or as numbers, in microseconds.
Promises: symmetric; unknown only where a proof is needed and nobody is given who may prove it.
"""

import re
from typing import NamedTuple

from inference_kit.grader.comparing.labelled import Option, split_options
from inference_kit.grader.comparing.rules import Prove
from inference_kit.grader.comparing.structures import compare_values
from inference_kit.grader.finding.choice import find_letter
from inference_kit.grader.proving.equality import Claim, prove_equal
from inference_kit.grader.proving.exact import compute_rational
from inference_kit.grader.reading.parse import clean, parse, squeeze
from inference_kit.grader.reading.phrases import clean_words
from inference_kit.grader.values import (
    Apply,
    Based,
    Bracketed,
    Builder,
    ListOf,
    Matrix,
    Measure,
    Num,
    Ratio,
    Relation,
    SetOf,
    Text,
    Value,
    is_expression,
)
from inference_kit.grader.verdicts import NO, UNKNOWN, YES, Verdict, decide
from inference_kit.records import AnswerKind

METHODS: dict[type[Value], str] = {
    Text: "text",
    Relation: "relation",
    Bracketed: "tuple",
    SetOf: "set",
    ListOf: "set",
    Matrix: "matrix",
    Measure: "unit",
    Based: "base",
    Ratio: "ratio",
    Builder: "set",
}
"""What a grade calls the way in which such values are compared."""

LONG_WORD = re.compile(r"(?<!\\)\b[A-Za-z]{4}")


class Comparison(NamedTuple):
    """Whether two answers are equal, and how that was decided."""

    verdict: Verdict
    method: str

    @property
    def equal(self) -> bool:
        """Whether they are known to be equal."""
        return self.verdict is YES


def _leave_open(a: Value, b: Value, claim: Claim) -> Verdict:
    return UNKNOWN


def compare_texts(gold: str, answer: str, kind: AnswerKind, prove: Prove = _leave_open) -> Comparison:
    """Compare two bare answers; what needs a proof goes to `prove`, and is unknown without."""
    if gold.strip() == answer.strip():
        return Comparison(decide(bool(gold.strip())), "string")
    if kind == "choice":
        return Comparison(decide(_read_letter(gold) == _read_letter(answer)), "choice")
    if kind == "text":
        return _compare_words(gold, answer)
    options = split_options(gold, answer)
    comparison = _compare_options(*options, prove) if options else None
    if comparison and comparison.verdict is not NO:
        return comparison
    return _compare_mathematics(gold, answer, prove)


def _compare_options(a: Option, b: Option, prove: Prove) -> Comparison:
    """Compare what both sides have: letters, values or both; a letter alone is no value."""
    if a.letter and b.letter and a.letter != b.letter:
        return Comparison(NO, "choice")
    if a.value is not None and b.value is not None:
        return _compare_mathematics(a.value, b.value, prove)
    return Comparison(decide(a.letter is not None and a.letter == b.letter), "choice")


def _compare_mathematics(gold: str, answer: str, prove: Prove) -> Comparison:
    a, b = parse(gold), parse(answer)
    if isinstance(a, Num) and isinstance(b, Num):
        return Comparison(prove_equal(a, b), "number")
    if are_written_alike(gold, answer):
        return Comparison(YES, "string")
    return Comparison(compare_values(a, b, prove), _name_method(a, b))


def _read_letter(text: str) -> str:
    return find_letter(clean(text), whole=True) or clean(text).strip("() .").upper()


def _compare_words(gold: str, answer: str) -> Comparison:
    a, b = parse(gold), parse(answer)
    if isinstance(a, Num) and isinstance(b, Num):
        return Comparison(decide(a == b), "number")
    return Comparison(decide(_read_letters(gold) == _read_letters(answer)), "text")


def _read_letters(text: str) -> str:
    return clean_words(clean(text)).replace(" ", "")


def are_written_alike(gold: str, answer: str) -> bool:
    """Say whether two texts are the same but for space, dollars and sizes; words may differ in case."""
    a, b = squeeze(clean(gold)), squeeze(clean(answer))
    if not a:
        return False
    return a == b or (len(a) == len(b) and LONG_WORD.search(a) is not None and a.lower() == b.lower())


def _name_method(a: Value, b: Value) -> str:
    """Return the name of the way in which two such values are compared."""
    for value in (a, b):
        if type(value) in METHODS:
            return METHODS[type(value)]
    if any(isinstance(value, Apply) and value.head in ("union", "intersection", "difference") for value in (a, b)):
        return "interval"
    rational = all(is_expression(value) and compute_rational(value) is not None for value in (a, b))
    return "number" if rational else "symbolic"


def build_equality_key(answer: str, kind: AnswerKind) -> str:
    """Return a text that equal answers often share: the value of a number, or the cleaned answer."""
    if kind == "choice":
        return _read_letter(answer)
    if kind == "text":
        return clean_words(clean(answer))
    value = parse(answer)
    rational = compute_rational(value) if isinstance(value, Num | Apply) else None
    return clean(answer) if rational is None else f"{rational.numerator:x}/{rational.denominator:x}"
