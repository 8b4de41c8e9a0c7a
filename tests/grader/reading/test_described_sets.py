"""Sets of numbers in words; a sentence with a word that is not understood is none."""

import pytest

from inference_kit.grader.reading.described_sets import read_described_set
from inference_kit.grader.values import Apply, Relation, SetOf, Sym, to_num

REALS, X = Sym("reals"), Sym("x")


def test_exceptions_are_taken_from_the_set() -> None:
    without = Apply("difference", (REALS, SetOf((to_num(5),))))
    for text in ("all real numbers except 5", r"\text{all real } x \text{ except } x = 5", r"\mathbb{R} except 5"):
        assert read_described_set(text) == without
    assert read_described_set("all reals except 1 and 2") == Apply("difference", (REALS, SetOf((to_num(1), to_num(2)))))


def test_conditions_are_relations_about_the_variable() -> None:
    assert read_described_set("all real numbers greater than 2") == Relation((">",), (X, to_num(2)))
    assert read_described_set("all real y such that y < 2") == Relation(("<",), (Sym("y"), to_num(2)))
    assert read_described_set("all positive integers") == Sym("integers positive")


@pytest.mark.parametrize(
    "text",
    [
        "5",
        "all",
        "all apples",
        "numbers",
        "all real numbers between 2 and 5",
        "all real numbers in the box",
        "except 5",
    ],
)
def test_other_texts_describe_no_set(text: str) -> None:
    assert read_described_set(text) is None
