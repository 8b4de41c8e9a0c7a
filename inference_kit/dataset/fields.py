"""Values: what the fields of a row hold, checked and in the form a problem wants.

Why: data files are foreign; a wrong type should be one line that names the field, not a traceback ten calls later.
Promises: a number keeps every digit that was written; nothing is evaluated; errors name the field, and the data set
adds the place.
"""

import ast
import difflib
import json
import re
from collections.abc import Iterable, Mapping
from typing import Any

from inference_kit.errors import UserError
from inference_kit.records import Index

Row = Mapping[str, Any]

WHOLE = re.compile(r"([-+]?\d+)\.0+")
MOST_SHOWN = 20


class WrittenFloat(float):
    """A number that remembers how it was written: `str` gives all its digits, arithmetic is a float's."""

    __slots__ = ("written",)

    def __new__(cls, written: str) -> "WrittenFloat":
        number = super().__new__(cls, written)
        number.written = written
        return number

    written: str

    def __str__(self) -> str:
        return self.written


def index(row: Row, field: str) -> Index:
    """An integer or a text that is not empty."""
    value = row[field]
    if isinstance(value, bool) or not isinstance(value, int | str) or value == "":
        raise _wrong(field, "an integer or a text", value)
    return value


def text(row: Row, field: str) -> str:
    """A text that is not empty."""
    value = row[field]
    if not isinstance(value, str) or not value.strip():
        raise _wrong(field, "a text", value)
    return value


def texts(row: Row, field: str) -> tuple[str, ...]:
    """A list of texts; in a CSV cell, where there are no lists, it is written as JSON or as Python writes it."""
    value = row[field]
    if isinstance(value, str) and value.startswith("["):
        value = _list_in(value)
    if not isinstance(value, list) or not all(isinstance(each, str) for each in value):
        raise _wrong(field, "a list of texts", value)
    return tuple(value)


def gold(row: Row, field: str) -> str:
    """A text or number as the text of a gold answer; 27.0 is `27`, and `$27$` is `27`."""
    value = row[field]
    if isinstance(value, str):
        return without_dollars(value.strip())
    if isinstance(value, int | float):
        return whole(str(value))
    raise _wrong(field, "a text or a number", value)


def whole(number: str) -> str:
    """`27.0` as `27`; everything else as it is."""
    found = WHOLE.fullmatch(number)
    return found[1] if found else number


def without_dollars(formula: str) -> str:
    """What one formula holds between its dollars; a text with more than one formula stays as it is."""
    found = re.fullmatch(r"\$([^$]*)\$", formula)
    return found[1].strip() if found else formula


def missing(field: str, row: Row, needed: Iterable[str]) -> UserError:
    """The error for a field that a row lacks: what is needed, what is there, and what may have been meant."""
    lowered = {name.lower(): name for name in row}
    near = difflib.get_close_matches(field.lower(), lowered, n=1, cutoff=0.7)
    hint = f"Did you mean {field!r} by {lowered[near[0]]!r}? " if near else ""
    names = [name if name.isprintable() and len(name) <= 40 else ascii(name)[:40] for name in list(row)[:MOST_SHOWN]]
    found = ", ".join(names) + (", ..." if len(row) > MOST_SHOWN else "")
    return UserError(
        f"field {field!r} is missing",
        fix=f"{hint}This data set needs {', '.join(needed)}; yours has {found or 'none'}.",
    )


def kind_of(value: Any) -> str:
    """What JSON calls a value."""
    if isinstance(value, bool) or value is None:
        return json.dumps(value)
    if isinstance(value, str):
        return "a text" if value.strip() else "an empty text"
    if isinstance(value, int | float):
        return "a number"
    return "a list" if isinstance(value, list) else "an object"


def _list_in(cell: str) -> Any:
    try:
        return json.loads(cell)
    except (ValueError, RecursionError):
        pass
    try:
        return ast.literal_eval(cell)
    except (ValueError, SyntaxError, RecursionError, MemoryError):
        return cell


def _wrong(field: str, wanted: str, value: Any) -> UserError:
    return UserError(f"field {field!r} must be {wanted}, found {kind_of(value)}")
