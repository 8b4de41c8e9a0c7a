"""Values: what a text, or a value of a YAML file, is as the value of a setting.

Why: a flag and a key of a file of the same name should mean the same.
Promises: a text that is no value of its type is a `ValueError` that says what was expected; a value from a program is
taken as it is, or refused.
"""

import json
import math
import types
from collections.abc import Callable, Mapping
from typing import Any, Literal, Union, get_args, get_origin

from inference_kit.errors import UserError, named
from inference_kit.registry import Setting

Read = Callable[[str], Any]
"""From a text to a value."""

TRUE, FALSE = ("true", "1", "yes", "on"), ("false", "0", "no", "off")


def choose_reader(setting: Setting, *, text: Read | None = None) -> Read | None:
    """Return how a text becomes a value of the setting's type; None for a type that no text can hold.

    Args:
        setting: Its type decides; a union takes the first kind that has a reader.
        text: How texts themselves are read; by default `\\n` and `\\t` stand for what they mean.
    """
    optional = get_origin(setting.type) in (Union, types.UnionType)
    kinds = [kind for kind in (get_args(setting.type) if optional else (setting.type,)) if kind is not type(None)]
    readers = {**_READERS, str: text} if text else _READERS
    return next((read for kind, read in readers.items() if kind in kinds or kind in map(get_origin, kinds)), None)


def check_type(setting: Setting, value: Any) -> None:
    """Refuse a value from a program that is of another type than its setting.

    Raises:
        UserError: naming the setting.
    """
    optional = get_args(setting.type) if type(None) in get_args(setting.type) else (setting.type,)
    kinds = tuple(get_origin(kind) or kind for kind in optional)
    if Literal not in kinds and not any(_is_of_kind(value, kind) for kind in kinds):
        wanted = " or ".join(kind.__name__ for kind in kinds if kind is not type(None))
        raise UserError(f"{setting.name} must be {wanted}, got {value!r}", where=named(setting.name))
    if isinstance(value, float) and not math.isfinite(value):
        raise UserError(f"{setting.name} must be a finite number, got {value!r}", where=named(setting.name))


def read_boolean(text: str) -> bool:
    """Read a yes or a no."""
    if text.lower() not in TRUE + FALSE:
        raise ValueError(f"expected true or false, got {text!r}")
    return text.lower() in TRUE


def read_list(text: str) -> tuple[str, ...]:
    """Read names separated by commas."""
    return tuple(part.strip() for part in text.split(",") if part.strip())


def read_stops(text: str) -> tuple[str, ...]:
    """Read one stop text, or a JSON list of several."""
    if not text.startswith("["):
        return (read_escaped(text),)
    try:
        return tuple(json.loads(text))
    except ValueError as error:
        raise ValueError(f"expected a text or a JSON list of texts, got {text!r}") from error


def read_escaped(text: str) -> str:
    r"""Read a text in which `\n`, `\t` and `\\` stand for themselves."""
    escapes = {"\\n": "\n", "\\t": "\t", "\\\\": "\\"}
    pieces, rest = [], text
    while rest:
        head = rest[:2]
        pieces.append(escapes.get(head, rest[0]))
        rest = rest[2:] if head in escapes else rest[1:]
    return "".join(pieces)


def read_object(text: str) -> dict[str, Any]:
    """Read a JSON object, or `NAME: VALUE`."""
    name, colon, value = text.partition(":")
    if not text.lstrip().startswith("{") and colon:
        return {name.strip(): value.strip()}
    try:
        found = json.loads(text)
    except ValueError as error:
        raise ValueError(f"expected a JSON object, got {text!r}") from error
    if not isinstance(found, dict):
        raise ValueError(f"expected a JSON object, got {text!r}")
    return found


def read_pair(text: str) -> dict[str, str]:
    """Read `NAME=VALUE`."""
    name, equals, value = text.partition("=")
    if not equals or not name.strip():
        raise ValueError(f"expected NAME=VALUE (k=v), got {text!r}")
    return {name.strip(): value}


def read_integer(text: str) -> int:
    """Read an integer."""
    try:
        return int(text)
    except ValueError as error:
        raise ValueError(f"expected an integer, got {text!r}") from error


def read_number(text: str) -> float:
    """Read a finite number."""
    try:
        number = float(text)
    except ValueError as error:
        raise ValueError(f"expected a number, got {text!r}") from error
    if not math.isfinite(number):
        raise ValueError(f"expected a finite number, got {text!r}")
    return number


def _is_of_kind(value: Any, kind: type) -> bool:
    if isinstance(value, bool):
        return kind is bool
    accepted: dict[type, tuple[type, ...]] = {float: (int, float), tuple: (tuple, list)}
    return isinstance(value, accepted.get(kind, (kind,)))


_READERS: Mapping[Any, Read] = {
    bool: read_boolean,
    int: read_integer,
    float: read_number,
    tuple: read_list,
    dict: read_object,
    str: read_escaped,
    Literal: read_escaped,
}
