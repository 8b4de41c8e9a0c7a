"""Options: spelling, booleans, unknown flags."""

import pytest
from loguru import logger

from inference_kit.cli.options import parse, parse_known
from inference_kit.errors import UserError
from inference_kit.search import METHODS
from inference_kit.setup.options import Option, list_settings
from inference_kit.setup.values import read_boolean, read_escaped, read_integer, read_stops

OPTIONS = [
    Option("max_new_tokens", read_integer, "tokens"),
    Option("resume", read_boolean, "go on"),
    Option("model", str, "a name"),
    Option("stop", read_stops, "stop texts"),
]


def read(*words: str) -> dict[str, object]:
    return parse(OPTIONS, words, prog="main.py run")


def test_hyphens_underscores_and_synonyms_are_one_flag() -> None:
    for spelling in ("--max-new-tokens", "--max_new_tokens", "--max-tokens", "--max_tokens"):
        assert read(spelling, "5") == read(f"{spelling}=5") == {"max_new_tokens": 5}


@pytest.mark.parametrize(
    ("words", "value"),
    [
        (["--resume"], True),
        (["--no-resume"], False),
        (["--resume=false"], False),
        (["--resume", "no"], False),
        (["--resume", "1"], True),
        (["--resume", "--model", "x"], True),
    ],
)
def test_booleans_in_every_spelling(words: list[str], value: bool) -> None:
    assert read(*words)["resume"] is value


def test_an_unknown_flag_names_the_nearest() -> None:
    """MAIN-07."""
    with pytest.raises(UserError, match=r"unknown option '--modle'. Did you mean '--model'"):
        read("--modle", "x")


@pytest.mark.parametrize("words", [["--max-new-tokens", "many"], ["--max-new-tokens"], ["stray"], ["--resume=maybe"]])
def test_a_wrong_value_is_one_line(words: list[str]) -> None:
    """MAIN-06."""
    with pytest.raises(UserError) as caught:
        read(*words)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("words", "value", "said"),
    [
        ("--model a --model b", {"model": "b"}, ["--model is given twice, a and then b: the last counts"]),
        ("--resume --no-resume", {"resume": False}, ["--resume is given twice, true and then false: the last counts"]),
        ("--model a --model a --no-resume --resume=false", {"model": "a", "resume": False}, []),
        ("--stop x --stop y", {"stop": ("x", "y")}, []),
    ],
)
def test_of_a_flag_given_twice_the_last_counts_which_is_said_once(
    words: str, value: dict[str, object], said: list[str]
) -> None:
    """Issue 12: names are read before everything is, and the first reading says nothing."""
    lines: list[str] = []
    sink = logger.add(lines.append, level="WARNING", format="{message}")
    parse_known(OPTIONS, words.split(), prog="main.py run")
    assert read(*words.split()) == value
    logger.remove(sink)
    assert [line.strip() for line in lines] == said


def test_stop_texts_add_up() -> None:
    """Issue 12."""
    assert read("--stop", "x", "--stop=y")["stop"] == ("x", "y")


def test_synonyms_with_two_values_are_an_error() -> None:
    with pytest.raises(UserError, match="synonym"):
        read("--max-tokens", "5", "--max-new-tokens", "6")
    assert read("--max-tokens", "5", "--max-new-tokens", "5") == {"max_new_tokens": 5}


def test_a_flag_of_another_method_names_that_method() -> None:
    with pytest.raises(UserError, match=r"--beam-width is a setting of beam_search.*--method beam_search\."):
        parse(OPTIONS, ["--beam-width", "4"], prog="x", elsewhere={"--beam-width": "beam_search"})


def test_stop_texts_and_escapes() -> None:
    assert read("--stop", r"a,\n")["stop"] == ("a,\n",)
    assert read("--stop", '["a", "b"]')["stop"] == ("a", "b")
    assert read_escaped(r"a\nb\\n\q") == "a\nb\\n\\q"


@pytest.mark.parametrize("name", METHODS)
def test_every_setting_of_every_method_is_a_flag_with_help(name: str) -> None:
    assert all(option.help for option in list_settings(METHODS[name].function, "method", "method"))
