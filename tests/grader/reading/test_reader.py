"""The reader stands at one place, can go back to it, and has the limits of what is read."""

import pytest

from inference_kit.grader.reading.reader import DEEPEST, MOST_LINKS, OPEN_GROUND, Reader, Surroundings
from inference_kit.grader.reading.tokens import END, ParseError, Token, tokenize
from inference_kit.grader.values import Value, to_num


def _reader(text: str) -> Reader:
    return Reader(tokenize(text))


def test_tokens_come_in_order_and_the_end_is_never_passed() -> None:
    reader = _reader(r"\frac{x}2")
    assert [reader.take().text for _ in range(5)] == [r"\frac", "{", "x", "}", "2"]
    assert reader.next is END
    assert reader.peek(7) is END
    with pytest.raises(ParseError):
        reader.take()


def test_a_numeral_gives_its_digits_one_by_one_and_is_whole_again_after_going_back() -> None:
    reader = _reader("x 123 y")
    reader.take()
    start = reader.position
    assert reader.take_digit() == "1"
    assert reader.next == Token("digits", "23")
    assert reader.previous == Token("word", "x")
    assert [reader.take_digit(), reader.take_digit()] == ["2", "3"]
    assert reader.next == Token("word", "y")
    reader.move_to(start)
    assert reader.next == Token("digits", "123")


def test_a_word_gives_its_letters_one_by_one() -> None:
    reader = _reader("abc 1")
    reader.split_word()
    assert [reader.take().text for _ in range(4)] == ["a", "b", "c", "1"]


def test_an_end_that_was_set_holds_until_the_reader_goes_on_after_it() -> None:
    reader = _reader("x + y dz w")
    differential = reader.end_at(3)
    assert [reader.take().text for _ in range(3)] == ["x", "+", "y"]
    assert reader.next is END
    reader.go_on_after(differential)
    assert reader.previous == differential
    assert reader.next == Token("word", "w")


def test_brackets_open_new_ground_and_give_the_old_one_back() -> None:
    reader = _reader("(x)")
    reader.take()
    reader.surroundings = Surroundings(bars=1, bar_ends=True)
    around = reader.open()
    assert reader.surroundings == OPEN_GROUND
    reader.take()
    reader.close(around, ")")
    assert reader.surroundings == Surroundings(bars=1, bar_ends=True)
    assert reader.depth == 0


def test_depth_and_chains_are_bounded() -> None:
    reader = _reader("x")

    def nest(levels: int) -> Value:
        return reader.nest(lambda: nest(levels - 1)) if levels else to_num(reader.depth)

    assert nest(DEEPEST) == to_num(DEEPEST)
    assert reader.depth == 0
    with pytest.raises(ParseError):
        nest(DEEPEST + 1)
    for _ in range(MOST_LINKS):
        reader.link()
    with pytest.raises(ParseError):
        reader.link()
