"""Fields: read the field of a row, check its type, and give it the form that a problem wants.

Why: data files are foreign. A wrong type should be one line that names the field, not a traceback ten calls later.
Promises: a number keeps every digit of its literal. Nothing is evaluated. Errors name the field; the data set adds
file and line.
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

"""A row of a data file: its fields by name."""

INTEGRAL = re.compile(r"([-+]?\d+)\.0+")
MOST_SHOWN = 20
"""Field names that an error shows at the most."""


class FloatLiteral(float):
    """A float that keeps the literal it was read from, which `str` returns; arithmetic is a float's."""

    __slots__ = ("literal",)

    def __new__(cls, literal: str) -> "FloatLiteral":
        number = super().__new__(cls, literal)
        number.literal = literal
        return number

    literal: str

    def __str__(self) -> str:
        return self.literal


def read_index(row: Row, field: str) -> Index:
    """Read an integer, which may be written as a float, or a text that is not empty.

    Raises:
        UserError: for anything else.
    """
    value = row[field]
    if isinstance(value, float) and value.is_integer():  # pandas makes floats of a column with gaps
        return int(strip_zero_fraction(str(value))) if INTEGRAL.fullmatch(str(value)) else int(value)
    if isinstance(value, bool) or not isinstance(value, int | str) or value == "":
        raise _wrong_type(field, "an integer or a text", value)
    return value


def read_text(row: Row, field: str) -> str:
    """Read a text that is not blank.

    Raises:
        UserError: for anything else.
    """
    value = row[field]
    if not isinstance(value, str) or not value.strip():
        raise _wrong_type(field, "a text", value)
    return value


def read_texts(row: Row, field: str) -> tuple[str, ...]:
    """Read a list of texts; a CSV cell, which holds no lists, has it as JSON or as a Python literal.

    Raises:
        UserError: for anything else.
    """
    value = row[field]
    if isinstance(value, str) and value.startswith("["):
        value = _parse_cell(value)
    if not isinstance(value, list) or not all(isinstance(each, str) for each in value):
        raise _wrong_type(field, "a list of texts", value)
    return tuple(value)


def read_gold(row: Row, field: str) -> str:
    """Read a gold answer, a text or a number, as text; the number 27.0 becomes `27`, and `$27$` becomes `27`.

    Raises:
        UserError: for anything else.
    """
    value = row[field]
    if isinstance(value, str):
        return strip_dollars(value.strip())
    if isinstance(value, int | float):
        return strip_zero_fraction(str(value))
    raise _wrong_type(field, "a text or a number", value)


def strip_zero_fraction(number: str) -> str:
    """Return `27.0` as `27`, and everything else as it is."""
    found = INTEGRAL.fullmatch(number)
    return found[1] if found else number


def strip_dollars(formula: str) -> str:
    """Return a formula without the dollars around it; a text with more than one formula stays as it is."""
    found = re.fullmatch(r"\$([^$]*)\$", formula)
    return found[1].strip() if found else formula


def missing_field(field: str, row: Row, needed: Iterable[str], *, asked: bool = False) -> UserError:
    """Build the error for a field that a row lacks: what is needed, what is there, and what may have been meant.

    Args:
        field: The name that is missing.
        row: What is there.
        needed: The fields of this data set.
        asked: The user named the field, so a slip is in that name and not in the row's.
    """
    lowered = {name.lower(): name for name in row}
    near = difflib.get_close_matches(field.lower(), lowered, n=1, cutoff=0.7)
    hint = ""
    if near:
        meant, written = (lowered[near[0]], field) if asked else (field, lowered[near[0]])
        hint = f"Did you mean {meant!r} by {written!r}? "
    names = [name if name.isprintable() and len(name) <= 40 else ascii(name)[:40] for name in list(row)[:MOST_SHOWN]]
    found = ", ".join(names) + (", ..." if len(row) > MOST_SHOWN else "")
    return UserError(
        f"field {field!r} is missing",
        fix=f"{hint}This data set needs {', '.join(needed)}; yours has {found or 'none'}.",
    )


def name_type(value: Any) -> str:
    """Name the JSON type of a value, for an error."""
    if isinstance(value, bool) or value is None:
        return json.dumps(value)
    if isinstance(value, str):
        return "a text" if value.strip() else "an empty text"
    if isinstance(value, int | float):
        return "a number"
    return "a list" if isinstance(value, list) else "an object"


def _parse_cell(cell: str) -> Any:
    """Parse a list out of a CSV cell; a cell that holds none is returned as it is."""
    try:
        return json.loads(cell)
    except (ValueError, RecursionError):
        pass
    try:
        return ast.literal_eval(cell)
    except (ValueError, SyntaxError, RecursionError, MemoryError):
        return cell


def _wrong_type(field: str, wanted: str, value: Any) -> UserError:
    return UserError(f"field {field!r} must be {wanted}, found {name_type(value)}")
