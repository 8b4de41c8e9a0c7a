"""A text is cut into tokens that know what they are, within limits."""

from fractions import Fraction

import pytest

from inference_kit.grader.reading.tokens import (
    MOST_CHARACTERS,
    MOST_DIGITS,
    MOST_TOKENS,
    ParseError,
    Token,
    read_numeral,
    tokenize,
)
from inference_kit.grader.values import Num


@pytest.mark.parametrize(
    ("text", "tokens"),
    [
        ("12", [Token("digits", "12")]),
        ("1.5", [Token("number", "1.5")]),
        (r"0.\overline{3}", [Token("number", r"0.\overline{3}")]),
        ("f''", [Token("word", "f"), Token("primes", "''")]),
        (r"\text{and}", [Token("word", "and")]),
        (r"\text{red and blue}", [Token("text", '"red and blue')]),
        (r"\text{ m}", [Token("text", '"m')]),
        (r"\left( x \right)", [Token("sign", "("), Token("word", "x"), Token("sign", ")")]),
        (r"\cdotC", [Token("command", r"\cdot"), Token("word", "C")]),
    ],
)
def test_a_token_knows_what_kind_it_is(text: str, tokens: list[Token]) -> None:
    assert tokenize(text) == tokens


@pytest.mark.parametrize("written", [r"1{,}000", r"1,\!000", r"1\,000", r"1\ 000"])
def test_digits_that_are_set_apart_are_one_number(written: str) -> None:
    assert tokenize(written) == [Token("digits", "1000")]


@pytest.mark.parametrize(
    ("written", "number"),
    [
        ("42", Num(Fraction(42), 0)),
        ("1.50", Num(Fraction(3, 2), 3)),
        (".5", Num(Fraction(1, 2), 1)),
        ("0.050", Num(Fraction(1, 20), 2)),
        ("1e3", Num(Fraction(1000), 1)),
        ("1.5e-3", Num(Fraction(3, 2000), 2)),
        (r"0.\overline{142857}", Num(Fraction(1, 7), 0)),
        (r"0.1\overline{6}", Num(Fraction(1, 6), 0)),
        (r"0.\dot{1}4\dot{2}", Num(Fraction(142, 999), 0)),
    ],
)
def test_a_numeral_has_an_exact_value_and_a_decimal_the_digits_that_it_shows(written: str, number: Num) -> None:
    found = read_numeral(written)
    assert (found.value, found.digits) == (number.value, number.digits)


@pytest.mark.parametrize(
    "text", ["x" * (MOST_CHARACTERS + 1), "x+" * (MOST_TOKENS // 2) + "x", "9" * (MOST_DIGITS + 1), "1e10001"]
)
def test_a_text_beyond_the_limits_is_refused(text: str) -> None:
    with pytest.raises(ParseError):
        for token in tokenize(text):
            read_numeral(token.text) if token.kind in ("digits", "number") else None
