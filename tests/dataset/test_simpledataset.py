"""SimpleDataset: anyone's own file."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from inference_kit.dataset.simpledataset import SimpleDataset
from inference_kit.errors import UserError
from inference_kit.records import Message, Problem, Record

EXAMPLE = Path(__file__).resolve().parents[2] / "benchmark" / "example_dataset.json"


def problem_of(path: str, **settings: Any) -> Problem:
    return next(SimpleDataset("mine", path, **settings).problems())


def test_the_example_loads() -> None:
    """MAIN-38."""
    number, _, chat, choice = SimpleDataset("example", str(EXAMPLE)).problems()
    assert (number.index, number.answer, number.metadata) == (0, "144", {"topic": "arithmetic"})
    assert [message.role for message in chat.messages] == ["system", "user"]
    assert chat.answer == ("3", "x = 3")
    assert (choice.answer_kind, choice.metadata["choices"]) == ("choice", ["1/3", "0.3", "30%"])


def test_the_model_sees_the_input_as_it_is(jsonl: Callable[..., str]) -> None:
    """MAIN-38: `input` is what the model sees; other keys are kept."""
    problem = problem_of(jsonl({"index": "a", "input": "{input} {question}\n", "level": 3, "tags": ["x"]}))
    assert problem.messages == (Message("user", "{input} {question}\n"),)
    assert problem.answer is None
    assert problem.metadata == {"level": 3, "tags": ["x"]}


def test_a_template_may_stand_around_the_input(jsonl: Callable[..., str]) -> None:
    turns = [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "1 + 1?"}]
    for asked in ("1 + 1?", turns):
        problem = problem_of(jsonl({"index": 0, "input": asked}), prompt_template="cot_boxed")
        assert problem.messages[-1].content.startswith("1 + 1?\n\nPlease reason step by step")


def test_pictures_of_a_message_are_kept(jsonl: Callable[..., str]) -> None:
    turn = {"role": "user", "content": "How many cats?", "images": ["cats.png"]}
    assert problem_of(jsonl({"index": 0, "input": [turn]})).messages[0].images == ("cats.png",)


@pytest.mark.parametrize(
    ("given", "images"),
    [
        (["cats.png", "http://host/a.png"], ("cats.png", "http://host/a.png")),
        ("data:image/png;base64,AA==", ("data:image/png;base64,AA==",)),
        ('["a.png"]', ("a.png",)),
        ([], ()),
        (None, ()),
        ("", ()),
    ],
)
def test_the_field_images_belongs_to_the_last_message(jsonl: Callable[..., str], given: Any, images: Any) -> None:
    """Issue 6: a text, or a conversation, with the `images` field of its row."""
    for asked in ("How many?", [{"role": "system", "content": "Count."}, {"role": "user", "content": "How many?"}]):
        problem = problem_of(jsonl({"index": 0, "input": asked, "images": given}))
        assert problem.messages[-1] == Message("user", "How many?", images)
        assert problem.metadata == {}


def test_an_image_beside_the_data_is_found_from_anywhere(jsonl: Callable[..., str]) -> None:
    path = Path(jsonl({"index": 0, "input": "?", "images": ["cat.png", "\0", "x" * 5000]}))
    (path.parent / "cat.png").write_bytes(b"")
    assert problem_of(str(path)).messages[0].images == (str(path.parent / "cat.png"), "\0", "x" * 5000)


@pytest.mark.parametrize("given", [5, [5], {"path": "a.png"}])
def test_images_that_are_no_texts_are_refused(jsonl: Callable[..., str], given: Any) -> None:
    turn = {"role": "user", "content": "?", "images": given}
    for row in ({"index": 0, "input": "?", "images": given}, {"index": 0, "input": [turn]}):
        with pytest.raises(UserError, match=r":1: field 'images' must be a list of texts"):
            problem_of(jsonl(row))


@pytest.mark.parametrize(
    ("answer", "gold"),
    [(10**39, str(10**39)), (0.5, "0.5"), (27.0, "27"), ("x", "x"), (["1", 2], ("1", "2")), (None, None), ("", None)],
)
def test_an_answer_may_be_a_text_a_number_or_several(jsonl: Callable[..., str], answer: Any, gold: Any) -> None:
    problem = problem_of(jsonl({"index": 0, "input": "?", "answer": answer}))
    assert problem.answer == gold
    assert Record.of(problem, None).to_json()["gold"] == (list(gold) if isinstance(gold, tuple) else gold)


def test_a_csv_file_needs_no_code_either(tmp_path: Path) -> None:
    path = tmp_path / "mine.csv"
    path.write_text("index,input,answer\n0,1 + 1?,2\n1,2 + 2?,\n")
    first, second = SimpleDataset("mine", str(path)).problems()
    assert (first.index, first.answer, second.answer) == ("0", "2", None)


def test_rows_without_an_index_are_numbered(jsonl: Callable[..., str]) -> None:
    """Issue 12, also where the field is there and empty, as in a table with gaps."""
    path = jsonl(
        {"input": "a"}, {"index": None, "input": "b"}, {"index": "", "input": "c"}, {"index": 7.0, "input": "d"}
    )
    assert [problem.index for problem in SimpleDataset("mine", path).problems()] == [0, 1, 2, 7]


def test_input_and_answer_may_have_other_names(jsonl: Callable[..., str]) -> None:
    path = jsonl({"q": "1 + 1?", "a": [2, "two"], "input": "x"}, {"q": [{"role": "user", "content": "?"}]})
    first, second = SimpleDataset("mine", path, input_field="q", answer_field="a").problems()
    assert (first.question, first.answer, first.metadata) == ("1 + 1?", ("2", "two"), {"input": "x"})
    assert (second.question, second.answer, second.metadata) == ("?", None, {})
    with pytest.raises(UserError, match="field 'p' is missing"):
        problem_of(path, input_field="p")


@pytest.mark.parametrize(
    ("row", "said"),
    [
        (
            {"index": 0, "question": "?"},
            "field 'input' is missing. This data set needs input; yours has index, question.",
        ),
        ({"index": 0, "question": "?"}, "--input-field NAME says which one is meant."),
        ({"index": 0.5, "input": "?"}, "field 'index' must be an integer or a text, found a number"),
        ({"index": 0, "imput": "?"}, "Did you mean 'input' by 'imput'?"),
        ({"index": 0, "input": 5}, "field 'input' must be a text, found a number"),
        ({"index": 0, "input": []}, "field 'input' holds no message"),
        ({"index": 0, "input": [{"role": "me", "content": "?"}]}, "message 1 of field 'input' is not a chat message"),
        (
            {"index": 0, "input": [{"role": "user"}]},
            "It needs content, a text, and role, one of system, user, assistant.",
        ),
        ({"index": 0, "input": "?", "answer": {}}, "field 'answer' must be a text or a number, found an object"),
        ({"index": 0, "input": "?", "answer": []}, "field 'answer' is a list of no answers"),
        (
            {"index": 0, "input": "?", "answer_kind": "maths"},
            "unknown answer_kind 'maths'. Known: math, number, choice",
        ),
        ({"index": 0, "input": "?", "choices": 4}, "field 'choices' must be a list of texts, found a number"),
    ],
)
def test_a_row_that_does_not_fit_is_one_line(jsonl: Callable[..., str], row: Any, said: str) -> None:
    """MAIN-83."""
    path = jsonl(row)
    with pytest.raises(UserError) as caught:
        problem_of(path)
    assert str(caught.value).startswith(f"{path}:1: ")
    assert said in str(caught.value)
