"""A value is replaced, and every other character of its document stays as it is."""

import json
import random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from inference_kit.dataset.json_spans import Member, encode_text, read_members, replace_value, scan_value

NUMBERS = ["0.10", "1E5", "1e400", "-0", "-1.5e-7", "9" * 30, "1" * 5000, "NaN", "-Infinity", "18446744073709551616"]
SPACES = ["", " ", "\n  ", "\r\n\t", "  "]


def write_value(chance: random.Random, depth: int = 0) -> str:
    """Write a JSON value as odd as JSON allows."""
    kinds = ["number", "text", "word"] + (["list", "object"] if depth < 3 else [])
    space = chance.choice(SPACES)
    match chance.choice(kinds):
        case "number":
            return chance.choice(NUMBERS)
        case "word":
            return chance.choice(["true", "false", "null"])
        case "list":
            inside = [write_value(chance, depth + 1) for _ in range(chance.randrange(3))]
            return f"[{space}" + f"{space},".join(inside) + f"{space}]"
        case "object":
            inside = [
                f"{write_text(chance)}{space}:{write_value(chance, depth + 1)}" for _ in range(chance.randrange(3))
            ]
            return "{" + space + f",{space}".join(inside) + space + "}"
    return write_text(chance)


def write_text(chance: random.Random) -> str:
    pieces = [
        "a",
        "é",
        "\\u00e9",
        "\\/",
        "\\ud800",
        "\\n",
        "\\\\",
        '\\"',
        "{",
        "}",
        ",",
        "\u2028",
        "😀",
        "\\ud83d\\ude00",
    ]
    return '"' + "".join(chance.choices(pieces, k=chance.randrange(6))) + '"'


@pytest.mark.parametrize("seed", range(40))
def test_all_but_the_value_and_its_backup_is_the_same_text(seed: int) -> None:
    """XF-31. 10,000 documents in all."""
    chance = random.Random(seed)
    for _ in range(250):
        space, colon = chance.choice(SPACES), chance.choice([":", ": ", " :\t"])
        keys = chance.sample(['"a"', '"\\u0062"', '"c d"', '""', '"é"'], k=chance.randrange(5))
        keys += chance.sample(keys, k=min(len(keys), chance.randrange(2)))  # a key that is there twice
        place = chance.randrange(len(keys) + 1)
        parts = [f"{key}{colon}{write_value(chance)}" for key in keys]
        before, after = parts[:place], parts[place:]
        old = write_text(chance)
        target = f'"code"{colon}{old}'
        separator = f"{space},{chance.choice(SPACES)}"
        text = "{" + space + separator.join([*before, target, *after]) + space + "}"
        members, end = read_members(text)
        assert end == len(text)
        member = next(each for each in members if each.key == "code")
        done = replace_value(text, members, member, "new \u2028 \ud800", backup="original")
        gap = separator if keys else f",{space}"
        kept = f'"code"{colon}"new \u2028 \\ud800"{gap}"original"{colon}{old}'
        assert done == "{" + space + separator.join([*before, kept, *after]) + space + "}"


def test_an_empty_backup_that_is_there_takes_the_old_value() -> None:
    text = '{"original": "", "n": 0.10, "code": "x"}'
    members, _ = read_members(text)
    assert replace_value(text, members, members[2], "y", backup="original") == (
        '{"original": "x", "n": 0.10, "code": "y"}'
    )


def test_numbers_print_as_they_are_written() -> None:
    members, _ = read_members('{"a": 0.10, "b": 1E5, "c": 7, "d": [1e400]}')
    assert [str(each.value) for each in members] == ["0.10", "1E5", "7", "[1e400]"]
    assert members[0].value * 2 == pytest.approx(0.2)


@given(text=st.text())
def test_a_text_of_any_kind_makes_the_round_trip(text: str) -> None:
    written = encode_text(text)
    assert json.loads(written) == text
    written.encode("utf-8")


@pytest.mark.parametrize(
    "text",
    ["", "[]", "{", '{"a"', '{"a":', '{"a":1', '{"a":1,', '{"a":1,}', '{"a" 1}', '{a:1}', '{"a":tru}', '{"a":"', "nul",
     '{"a":' + "[" * 100_000, '{"a":01}', '{"a":"\n"}'],
)  # fmt: skip
def test_what_is_no_object_is_a_value_error(text: str) -> None:
    with pytest.raises(ValueError):
        read_members(text)


def test_places_are_those_of_the_text_around() -> None:
    text = ' [{"a": 1}, {"b" : "x"}]'
    members, end = read_members(text, text.index('{"b"'))
    assert text[end:] == "]"
    [member] = members
    assert (text[member.key_start : member.key_end], text[member.start : member.end]) == ('"b"', '"x"')
    assert scan_value(text, 1)[1] == len(text)
    changed: Any = replace_value(
        text, members, Member(**{n: getattr(member, n) for n in Member.__slots__}), "y", backup="o"
    )
    assert changed == ' [{"a": 1}, {"b" : "y","o" : "x"}]'
