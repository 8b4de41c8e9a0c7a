"""The fields of a row: checked, and every digit kept."""

import copy
import json
from typing import Any

import pytest

from inference_kit.dataset.fields import FloatLiteral, missing_field, read_gold, read_index, read_text, read_texts
from inference_kit.errors import UserError


@pytest.mark.parametrize(
    ("value", "gold"),
    [
        (27.0, "27"),
        (FloatLiteral("27.000"), "27"),
        (FloatLiteral("0.10"), "0.10"),
        (FloatLiteral("1e400"), "1e400"),
        (10**39 + 1, "1" + "0" * 38 + "1"),
        (" $\\frac14 $ ", "\\frac14"),
        ("$1$ or $2$", "$1$ or $2$"),
        ("27.0", "27.0"),
        ("\\$5", "\\$5"),
        ("", ""),
    ],
)
def test_a_gold_answer_is_a_text_with_all_its_digits(value: Any, gold: str) -> None:
    assert read_gold({"answer": value}, "answer") == gold


def test_a_written_number_is_stored_and_copied_like_any_other() -> None:
    number = FloatLiteral("0.50")
    assert json.dumps({"x": number}) == '{"x": 0.5}'
    assert str(copy.deepcopy(number)) == "0.50"


@pytest.mark.parametrize(
    "cell", [["a", "b's"], '["a", "b\'s"]', "['a', \"b's\"]"], ids=["list", "JSON in a cell", "Python in a cell"]
)
def test_a_list_of_texts_may_stand_in_a_cell(cell: Any) -> None:
    assert read_texts({"options": cell}, "options") == ("a", "b's")


@pytest.mark.parametrize("cell", ["[1, 2]", "[__import__('os').getcwd()]", "[" * 100_000, "a, b", [1], None])
def test_what_is_no_list_of_texts_is_refused_and_never_evaluated(cell: Any) -> None:
    with pytest.raises(UserError, match="field 'options' must be a list of texts, found "):
        read_texts({"options": cell}, "options")


@pytest.mark.parametrize(("value", "found"), [(True, "true"), (1.5, "a number"), ("", "an empty text"), (None, "null")])
def test_an_index_is_an_integer_or_a_text(value: Any, found: str) -> None:
    with pytest.raises(UserError, match=f"field 'index' must be an integer or a text, found {found}"):
        read_index({"index": value}, "index")


@pytest.mark.parametrize(("value", "found"), [(5, "a number"), ([], "a list"), ({}, "an object"), (" ", "an empty")])
def test_a_text_is_a_text(value: Any, found: str) -> None:
    with pytest.raises(UserError, match=f"field 'question' must be a text, found {found}"):
        read_text({"question": value}, "question")


@pytest.mark.parametrize(("name", "hint"), [("Answer", True), ("ANSWER", True), ("anwser", True), ("solution", False)])
def test_a_like_name_is_offered(name: str, hint: bool) -> None:
    line = str(missing_field("answer", {name: ""}, ("answer",)))
    assert (f"Did you mean 'answer' by {name!r}?" in line) == hint


def test_a_row_of_many_odd_fields_still_gives_one_short_line() -> None:
    row = {"\x1b[31m" + "k" * 1000 + str(number): 0 for number in range(1000)}
    line = str(missing_field("question", row, ("question",)))
    assert len(line) < 1500
    assert "\x1b" not in line
