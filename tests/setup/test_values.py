"""Values: from texts, from YAML, from programs."""

from typing import Any

import pytest

from inference_kit.errors import UserError
from inference_kit.registry import Setting
from inference_kit.setup.values import check_type, choose_reader


def setting(kind: Any) -> Setting:
    return Setting("it", kind, None, "help")


@pytest.mark.parametrize(
    ("kind", "text", "value"),
    [
        (int, "3", 3),
        (int | None, "3", 3),
        (float, "0.5", 0.5),
        (bool, "yes", True),
        (tuple[str, ...], "a, b,", ("a", "b")),
        (str | None, r"a\n", "a\n"),
    ],
)
def test_a_text_becomes_a_value_of_the_setting_s_type(kind: Any, text: str, value: Any) -> None:
    read = choose_reader(setting(kind))
    assert read and read(text) == value


def test_texts_of_a_run_are_read_as_they_stand() -> None:
    read = choose_reader(setting(str), text=str)
    assert read and read(r"a\n") == r"a\n"


def test_a_type_that_no_text_can_hold_has_no_reader() -> None:
    assert choose_reader(setting(frozenset)) is None


@pytest.mark.parametrize(("kind", "value"), [(int, 2.5), (int, True), (bool, "no"), (float, "1"), (str | None, 3)])
def test_a_value_of_another_type_is_refused_by_name(kind: Any, value: Any) -> None:
    with pytest.raises(UserError, match=r"^--it: it must be "):
        check_type(setting(kind), value)


@pytest.mark.parametrize(("kind", "value"), [(int, 2), (float, 2), (bool, False), (str | None, None), (tuple, ["a"])])
def test_a_value_of_its_type_is_taken(kind: Any, value: Any) -> None:
    check_type(setting(kind), value)


@pytest.mark.parametrize("text", ["nan", "inf", "-Infinity", "1e999"])
def test_what_is_not_a_finite_number_is_refused(text: str) -> None:
    """Issue 12: wherever a number is read, from a text or from a program."""
    read = choose_reader(setting(float))
    assert read
    with pytest.raises(ValueError, match="a finite number"):
        read(text)
    with pytest.raises(UserError, match="a finite number"):
        check_type(setting(float), float(text))
