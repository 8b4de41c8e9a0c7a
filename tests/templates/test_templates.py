"""Prompt templates: found by name or path, filled literally."""

from pathlib import Path

import pytest

from inference_kit.errors import UserError
from inference_kit.templates import fill, load_prompt, read_prompt_templates, strip_template


def test_the_boxed_prompt_is_what_the_bundled_model_was_trained_on() -> None:
    """MAIN-40."""
    assert load_prompt("cot_boxed") == (
        "{question}\n\nPlease reason step by step, and put your final answer within \\boxed{}."
    )


def test_only_the_names_asked_for_are_filled() -> None:
    shown = fill('{"a": {question}, "b": {other}, "c": {}} \\boxed{}', {"question": "1"})
    assert shown == '{"a": 1, "b": {other}, "c": {}} \\boxed{}'


def test_what_is_filled_in_is_not_filled_again() -> None:
    assert fill("{question} {input}", {"question": "{input}", "input": "{question}"}) == "{input} {question}"


def test_backslashes_of_a_question_survive() -> None:
    assert fill("{question}", {"question": r"\frac{1}{2} \1 \g<0>"}) == r"\frac{1}{2} \1 \g<0>"


def test_nothing_to_fill_leaves_a_template_as_it_is() -> None:
    assert fill("a {} b", {}) == "a {} b"


def test_a_template_may_be_a_file(tmp_path: Path) -> None:
    path = tmp_path / "mine.txt"
    path.write_bytes("\ufeffQ: {question}\r\nA:\n".encode())
    assert load_prompt(str(path)) == "Q: {question}\nA:"


def test_a_name_outside_the_folder_is_no_template() -> None:
    with pytest.raises(UserError, match="unknown prompt template"):
        load_prompt("../prompt/cot_boxed")


def test_an_unknown_template_names_the_nearest() -> None:
    """MAIN-07."""
    with pytest.raises(UserError, match=r"Did you mean 'cot_boxed'\? Known: .*choice_boxed, .*cot_boxed, "):
        load_prompt("cot-boxed")


def test_a_template_that_is_no_text_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "mine.txt"
    path.write_bytes(b"\xff\xfe{")
    with pytest.raises(UserError, match="cannot be read as UTF-8 text"):
        load_prompt(str(path))


def test_every_template_asks_a_question() -> None:
    templates = read_prompt_templates()
    assert {"cot_boxed", "cot_boxed_zh", "choice_boxed", "plain"} <= templates.keys()
    assert templates["plain"] == "{question}"
    assert all("\\boxed{}" in templates[name] for name in ("cot_boxed", "cot_boxed_zh", "choice_boxed"))


def test_what_was_filled_in_is_found_again() -> None:
    names = ("question", "choices")
    assert strip_template("Q: {question}\nA:", names, "Q: 1 + 1?\nA:") == "1 + 1?"
    assert strip_template("{question}\n{choices}\nBox {it}.", names, "Which?\n(A) 1\nBox {it}.") == "Which?\n(A) 1"
    assert strip_template("Q: {question}", names, "Another text") == "Another text"
    assert strip_template("aa{question}aa", names, "aaa") == "aaa"
