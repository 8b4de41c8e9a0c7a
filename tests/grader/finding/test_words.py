"""Words that a sentence answers with are found, and none where it is negated or leaves it open."""

import time

import pytest

from inference_kit.grader.finding.words import find_nothing, find_said, wants_words


@pytest.mark.parametrize(
    "gold", ["yes", "Emma", r"\text{no solution}", "no", "odd", "all real numbers", "north", "dark blue"]
)
def test_a_gold_answer_that_is_words(gold: str) -> None:
    assert wants_words([gold])


@pytest.mark.parametrize("gold", ["42", "x", "AB", r"\frac12", "5 cm", "pi", "x = 5", r"\emptyset", "a" * 80, ""])
def test_a_gold_answer_that_is_none(gold: str) -> None:
    assert not wants_words([gold])


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("The curve is a hyperbola.", "a hyperbola"),
        ("It falls on a Tuesday.", "a Tuesday"),
        ("Therefore Emma is the tallest.", "Emma"),
        ("Yes, it is.", "Yes"),
        ("The series converges.", "converges"),
        (r"Therefore, $\text{Evelyn}$ is our answer.", "Evelyn"),
        (r"which leaves her facing $\text{east}$.", "east"),
        ("So Anna is the answer.", "Anna"),
        ("So there is no solution.", "no solution"),
        ("It is odd. So it is even.", "even"),
    ],
)
def test_what_the_last_sentence_says(text: str, said: str) -> None:
    assert find_said(text)[-1] == said


@pytest.mark.parametrize(
    "text", ["", "It cannot be even.", "It is odd or even.", "Emma is not here, she said.", "Look at it.", "It is 5."]
)
def test_a_sentence_that_decides_nothing(text: str) -> None:
    assert find_said(text) == [] or find_said(text)[-1].startswith("not ")


def test_that_there_is_nothing() -> None:
    assert find_nothing("So there are no real solutions.") == "no real solutions"
    assert find_nothing("The solution set is empty.") == "empty"
    assert find_nothing("There is no doubt that x = 3.") is None


@pytest.mark.parametrize("piece", ["is ", "there is no ", "So Emma is ", "yes ", "a", "is in in in ", "**"])
def test_the_time_grows_with_the_length_of_the_text_only(piece: str) -> None:
    started = time.process_time()
    find_said(piece * (50_000 // len(piece)))
    find_nothing(piece * (50_000 // len(piece)))
    assert time.process_time() - started < 0.5
