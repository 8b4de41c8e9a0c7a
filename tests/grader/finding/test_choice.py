"""The letter of a choice is found where it is meant as one, and nowhere else."""

import pytest

from inference_kit.grader.finding.choice import find_letter, find_option, is_choice


@pytest.mark.parametrize(
    "gold", ["A", "J", "(C)", "C.", " B ", r"\text{D}", r"\textbf{(D)}", "[A]", "(B)."]
)  # fmt: skip
def test_a_gold_answer_is_a_letter(gold: str) -> None:
    assert is_choice(gold)


@pytest.mark.parametrize("gold", ["K", "a", "AB", "", "A or B", "42", "C^2", "(1)", "A" + " " * 40 + "x"])
def test_a_gold_answer_is_no_letter(gold: str) -> None:
    assert not is_choice(gold)


@pytest.mark.parametrize(
    "text",
    [
        "C", "(C)", "C.", "C)", "C: because", r"\text{C}", r"\textbf{(C)}\ 12", "**C**", "【C】", "option C",
        "Choice: C", "(c)", "$C$", "C - the third", "选项C", "C (12)",
    ],
)  # fmt: skip
def test_a_text_begins_with_the_letter(text: str) -> None:
    assert find_letter(text) == "C"
    assert find_letter(text, whole=True) == "C"


@pytest.mark.parametrize("text", ["Cat", "Certainly", "a thing", "e.g. this", "the third", "42", "", "C'est"])
def test_a_text_does_not_begin_with_a_letter(text: str) -> None:
    assert find_letter(text, whole=True) is None


def test_letters_that_stand_alone_are_found_and_the_article_is_not_one() -> None:
    assert find_letter("I would say B, not D") == "B"
    assert find_letter("I would say B, not D", last=True) == "B"
    assert find_letter("It is a B", last=True) == "B"
    assert find_letter("A dog and I went home", last=True) is None
    assert find_letter("so it must be A", last=True) == "A"
    assert find_letter("so (A) is meant", last=True) == "A"


def test_a_letter_beyond_the_options_is_none() -> None:
    assert find_letter("E", n_choices=4) is None
    assert find_letter("D", n_choices=4) == "D"
    assert find_letter("maybe E or B", n_choices=4, last=True) == "B"


@pytest.mark.parametrize(
    ("text", "letter"),
    [
        ("Paris", "B"), ("paris.", "B"), (r"\text{Paris}", "B"), ("$Paris$", "B"), ("New  York", "C"), ("London", None),
        ("", None), ("Par", None), ("Rome", None),
    ],
)  # fmt: skip
def test_an_option_is_named_by_its_own_words_where_no_other_has_them(text: str, letter: str | None) -> None:
    assert find_option(text, ("Rome", "Paris", "New York", "Rome")) == letter
