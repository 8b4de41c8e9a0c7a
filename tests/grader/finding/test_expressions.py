"""Mathematics in prose is found whole, and prose is no mathematics."""

import time

import pytest

from inference_kit.grader.finding.expressions import find_items


def _find(text: str) -> list[str]:
    return [item.text for item in find_items(text)]


@pytest.mark.parametrize(
    ("text", "items"),
    [
        ("The area is 5π.", ["5π"]),
        ("It is 2πr, or 3 √2.", ["2πr", "3 √2"]),
        ("at (4, -1) and [2, ∞)", ["(4, -1)", "[2, ∞)"]),
        ("the set {1, 6}", ["{1, 6}"]),
        ("so x ≥ -5 and -3 < y < 5", ["x ≥ -5", "-3 < y < 5"]),
        ("the ratio is 5:2", ["5:2"]),
        ("f(x) = 3x^2 + 2x - 1", ["f(x) = 3x^2 + 2x - 1"]),
        ("costs $39.00 and the tip is $8", ["$39.00", "$8"]),
        ("between $5 and $7", ["$5", "$7"]),
        ("with $x^2$ and $y$", ["x^2", "y"]),
        ("moves by -$860", ["-$860"]),
        ("it is 2 3/4 hours", ["2 3/4"]),
        ("there are 5! ways", ["5!"]),
        ("it is 42!", ["42"]),
        ("1,234 of them", ["1,234"]),
    ],
)
def test_each_piece_is_found_whole(text: str, items: list[str]) -> None:
    assert _find(text) == items


@pytest.mark.parametrize(
    ("text", "items"),
    [
        ("A dog and I saw a cat", []),
        ("point P and line m", []),
        ("x2y and step1 and a_1", []),
        ("the answer - 42", ["42"]),
        ("it takes 3-5 days", ["3", "5"]),
        ("5 a day", ["5"]),
        ("In 2020, 35 people", ["2020", "35"]),
        ("(see 3)", ["3"]),
        ("he has 5 (or 6", ["5", "6"]),
        ("is = 72", ["72"]),
        ("Peter is 10+John's age", []),
        ("Άρα έμειναν μήλα", []),
    ],
)
def test_signs_of_prose_are_no_part_of_it(text: str, items: list[str]) -> None:
    assert _find(text) == items


@pytest.mark.parametrize(
    "piece", ["(", "1 ", "1,", "x=", "$1 and of ", "1-", "[1,", "((1)", "√", "a^", "{", "\\{", ") "]
)
def test_the_time_grows_with_the_length_of_the_text_only(piece: str) -> None:
    started = time.process_time()
    find_items(piece * (1600 // len(piece)))
    assert time.process_time() - started < 0.5
