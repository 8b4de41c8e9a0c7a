"""Answers in words are whole answers; any other text is left to the parser."""

import pytest

from inference_kit.grader.reading.phrases import clean_words, read_phrase
from inference_kit.grader.values import INFINITY, Based, SetOf, Sym, Text, Value, to_num


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("no solution", SetOf(())),
        (r"\text{No real solutions}", SetOf(())),
        ("all real numbers", Sym("reals")),
        ("DNE", Text("undefined")),
        ("infinitely many", INFINITY),
        ("12 345 678", to_num(12345678)),
        ("1.234.567", to_num(1234567)),
        ("1A3F_{16}", Based("1A3F", 16)),
        ("4:30 p.m.", Text("16:30")),
        ("12:05 AM", Text("0:05")),
        ("July 4, 1999", Text("date 4 7 1999")),
        ("4 July 1999", Text("date 4 7 1999")),
        ("1999-07-04", Text("date 4 7 1999")),
        ("twenty-one", to_num(21)),
        ("two hundred five", to_num(205)),
        ("three million two hundred thousand", to_num(3_200_000)),
        ("East", Text("east")),
    ],
)
def test_a_phrase_is_understood(text: str, value: Value) -> None:
    assert read_phrase(text) == value


@pytest.mark.parametrize("text", ["42", "x + 1", r"\frac12", "Pi", "1.5", "no" * 40, ""])
def test_other_texts_are_no_phrase(text: str) -> None:
    assert read_phrase(text) is None


def test_words_are_compared_without_case_article_or_final_punctuation() -> None:
    assert clean_words(" The  Red   Car. ") == "red car"
