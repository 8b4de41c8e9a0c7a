"""What announces an answer is found in ten languages, the last marker first."""

import time

import pytest

from inference_kit.grader.finding.markers import MOST_MARKERS, find_markers


def _afters(text: str) -> list[str]:
    return [marker.string[marker.end() :].strip() for marker in find_markers(text)]


@pytest.mark.parametrize(
    "text",
    [
        "The answer is 42", "Answer: 42", "the ANSWER is: 42", "**Answer:** 42", "The answers are 42", "ans = 42",
        "It’s “big” – the answer is 42", "ОТВЕТ: 42", "RÉPONSE: 42", "That’s it. Antwort: 42",
        "Ans: 42", "The result is 42", "The correct option is 42", "A: 42", "Q?\nA: 42", "La réponse est 42",
        "La respuesta es 42", "La respuesta correcta es 42", "Die Antwort ist 42", "La risposta è 42",
        "A resposta é 42", "Ответ: 42", "答案是42", "答案为：42", "故选42", "答えは42", "답은 42", "الجواب هو 42",
    ],
)  # fmt: skip
def test_an_answer_is_announced(text: str) -> None:
    assert _afters(text)[0].lstrip(": ") == "42"


@pytest.mark.parametrize(
    "text", ["", "42", "I answered 42", "trans: 42", "DNA: 42", "a: 42", "resultant 42", "plans = 3"]
)
def test_words_that_only_look_like_it_announce_nothing(text: str) -> None:
    assert _afters(text) == []


def test_the_last_marker_comes_first() -> None:
    assert _afters("The answer is 1. No: the answer is 2. Result: 3")[0] == "3"
    assert _afters("The result is 1, so the answer is 2.") == ["2.", "1, so the answer is 2."]


def test_where_the_end_has_one_nobody_looks_further() -> None:
    far = "The answer is 1. " + "x " * 400
    assert len(find_markers(far)) == 1
    assert len(find_markers(far + "The answer is 2.")) == 1


def test_a_few_markers_of_one_word_are_enough() -> None:
    assert len(find_markers("answer: 1 " * 30)) == MOST_MARKERS


def test_capitals_with_longer_small_forms_shift_nothing() -> None:
    assert _afters("İİİ the answer is 42") == ["42"]


@pytest.mark.parametrize("piece", ["answer ", "answer: ", "a:", "答案", "ans", "result is "])
def test_the_time_grows_with_the_length_of_the_text_only(piece: str) -> None:
    started = time.process_time()
    find_markers(piece * (50_000 // len(piece)))
    assert time.process_time() - started < 0.5
