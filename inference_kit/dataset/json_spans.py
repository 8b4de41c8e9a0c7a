"""JSON by place: where the members of an object stand in its text, and changes that leave every other character alone.

Why: a library that reads a record and writes it again spoils what is not its business: `0.10` becomes `0.1`, `1e400`
infinity, of a key that is there twice one is lost.
Promises: only the spans named are replaced; what stands around them, spaces and escapes too, is the same text. What is
not JSON is a `ValueError`, however deep or long it is.
"""

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

_SPACE = re.compile(r"[ \t\n\r]*")
_SURROGATE = re.compile(r"[\ud800-\udfff]")
_MOST_DIGITS = 4000


class WrittenFloat(float):
    """A number that prints as it is written in its file: `0.10`, not `0.1`."""

    text: str

    def __new__(cls, text: str) -> "WrittenFloat":
        made = super().__new__(cls, text)
        made.text = text
        return made

    def __str__(self) -> str:
        return self.text

    __repr__ = __str__


def _read_integer(text: str) -> int | WrittenFloat:
    """Read an integer; one with thousands of digits, which Python refuses, keeps its text and is about as large."""
    return int(text) if len(text) <= _MOST_DIGITS else WrittenFloat(text)


_scan_text = json.decoder.scanstring  # type: ignore[attr-defined]

DECODER = json.JSONDecoder(parse_float=WrittenFloat, parse_int=_read_integer)
"""Reads JSON so that printed numbers look as they are written."""


@dataclass(frozen=True, slots=True)
class Member:
    """One member of an object: its key and value, and where both stand; `end` is behind the value."""

    key: str
    value: Any
    key_start: int
    key_end: int
    start: int
    end: int


def skip_space(text: str, place: int) -> int:
    """Return the place of the next character that is no space."""
    found = _SPACE.match(text, place)
    return found.end() if found else place


def read_members(text: str, start: int = 0) -> tuple[list[Member], int]:
    """Read the object that begins at `start`, a brace.

    Returns:
        Its members in their order, and the place behind its closing brace.

    Raises:
        ValueError: where it is no object; a `JSONDecodeError` where something is wrong with its text.
    """
    if text[start : start + 1] != "{":
        raise json.JSONDecodeError("Expecting '{'", text, start)
    members: list[Member] = []
    place = skip_space(text, start + 1)
    if text[place : place + 1] == "}":
        return members, place + 1
    while True:
        if text[place : place + 1] != '"':
            raise json.JSONDecodeError("Expecting property name enclosed in double quotes", text, place)
        key, key_end = _scan_text(text, place + 1, True)
        colon = skip_space(text, key_end)
        if text[colon : colon + 1] != ":":
            raise json.JSONDecodeError("Expecting ':' delimiter", text, colon)
        value_start = skip_space(text, colon + 1)
        value, value_end = scan_value(text, value_start)
        members.append(Member(key, value, place, key_end, value_start, value_end))
        place = skip_space(text, value_end)
        if text[place : place + 1] == "}":
            return members, place + 1
        if text[place : place + 1] != ",":
            raise json.JSONDecodeError("Expecting ',' delimiter", text, place)
        place = skip_space(text, place + 1)


def scan_value(text: str, start: int) -> tuple[Any, int]:
    """Read the value that begins at `start`; return it, and the place behind it.

    Raises:
        ValueError: a `JSONDecodeError` where none begins there.
    """
    try:
        return DECODER.scan_once(text, start)  # type: ignore[attr-defined, no-any-return]
    except StopIteration as end:
        raise json.JSONDecodeError("Expecting value", text, end.value) from None
    except RecursionError:
        raise json.JSONDecodeError("Nested too deep", text, start) from None


def replace_value(text: str, members: Sequence[Member], member: Member, value: str, *, backup: str | None) -> str:
    """Replace a text in an object, and keep the old one, as it is written, in the member `backup`.

    Args:
        text: The text in which the object stands.
        members: The members of the object.
        member: The one whose value is replaced.
        value: The new value.
        backup: The key of the old one, None to keep none. A member of that key takes it as its value; else one is put
            behind the new value, spaced as the members of the object are.

    Returns:
        The whole text, changed.
    """
    old = text[member.start : member.end]
    changes = [(member.start, member.end, encode_text(value))]
    known = next((each for each in reversed(members) if each.key == backup), None)
    if backup is None:
        pass
    elif known is not None:
        changes.append((known.start, known.end, old))
    else:
        colon = text[member.key_end : member.start]
        changes.append(
            (member.end, member.end, f"{_find_separator(text, members, member)}{encode_text(backup)}{colon}{old}")
        )
    for start, end, new in sorted(changes, reverse=True):
        text = text[:start] + new + text[end:]
    return text


def encode_text(text: str) -> str:
    """Write a text as JSON; half a pair of surrogates, which no encoding can hold, as an escape."""
    plain = json.dumps(text, ensure_ascii=False)
    return _SURROGATE.sub(lambda found: f"\\u{ord(found[0]):04x}", plain)


def _find_separator(text: str, members: Sequence[Member], member: Member) -> str:
    """Return what stands between two members of the object, or would."""
    place = members.index(member)
    if place:
        return text[members[place - 1].end : member.key_start]
    if len(members) > 1:
        return text[member.end : members[1].key_start]
    before = text[: member.key_start]
    return "," + before[before.rindex("{") + 1 :]
