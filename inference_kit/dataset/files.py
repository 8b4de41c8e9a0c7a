"""Data files: the rows of JSON, JSONL, CSV, TSV and Parquet, each with its location for error lines.

Why: a hundred thousand problems should cost no more memory than one, and a broken line should be named by its number.
Promises: JSONL, CSV, TSV and Parquet are streamed; all but Parquet may be packed (.gz, .zst). Text is UTF-8, with or
without a byte order mark. Blank lines do not count. What is not an object of fields is refused with its file and line.
"""

import csv
import json
import math
import re
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from itertools import count
from pathlib import Path
from typing import Any

from inference_kit.dataset.compression import open_unpacked, split_suffix
from inference_kit.dataset.fields import FloatLiteral, Row, name_type
from inference_kit.errors import UserError
from inference_kit.registry import unknown

BYTE_ORDER_MARK = b"\xef\xbb\xbf"
LINE_BREAK = b"\n"
LARGEST_CELL = 2**31 - 1
SHOWN = 20
"""Characters of a file that an error shows at the most."""

BLANKS = re.compile(r"[ \t\r\n]*")


def _build_object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Build an object of JSON and refuse two fields of one name, of which Python alone would keep the last."""
    found = dict(pairs)
    if len(found) < len(pairs):
        twice = Counter(name for name, _ in pairs).most_common(1)[0][0]
        raise UserError(f"field {twice!r} is there twice")
    return found


# NaN and the infinities are no JSON, but Python writes them; they are read as the null that the house stores for them.
DECODER = json.JSONDecoder(object_pairs_hook=_build_object, parse_float=FloatLiteral, parse_constant=lambda _: None)


@dataclass(frozen=True, slots=True)
class LocatedRow:
    """A row and its location, such as `FILE:17`, as error lines show it."""

    row: Row
    location: str


def read_rows(path: Path) -> Iterator[LocatedRow]:
    """Read the rows of a file, in the format that its suffix says, one at a time where that can be streamed.

    Raises:
        UserError: an unknown suffix, a file that is not what its suffix says, a row that is not an object.
    """
    suffix, packing = split_suffix(path)
    if suffix not in READERS:
        raise unknown(suffix or path.name, READERS, "kind of data file", where=str(path))
    if suffix == ".parquet" and packing:
        raise UserError("a packed Parquet file", where=str(path), fix="Unpack it: Parquet packs its columns itself.")
    return READERS[suffix](path)


def is_data_file(path: Path) -> bool:
    """Return whether the suffix is that of a data file."""
    return split_suffix(path)[0] in READERS


def to_json_types(value: Any) -> Any:
    """Convert a value to types that JSON has: dates and the like become text, NaN and infinities None."""
    if isinstance(value, Mapping):
        return {str(key): to_json_types(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [to_json_types(each) for each in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value if value is None or isinstance(value, str | int | float) else str(value)


def _read_json(path: Path) -> Iterator[LocatedRow]:
    """Read a list of objects; a file that begins with an object is read as JSON Lines, whatever its suffix."""
    with open_unpacked(path) as file:
        first = next((line.removeprefix(BYTE_ORDER_MARK).lstrip() for line in file if line.strip()), b"")
    return _read_json_lines(path) if first.startswith(b"{") else _read_json_list(path)


def _read_json_lines(path: Path) -> Iterator[LocatedRow]:
    lines = ((number, line.strip()) for number, line in enumerate(_read_lines(path), start=1) if line.strip())
    for n_read, (number, text) in enumerate(lines):
        location = f"{path}:{number}"
        if not n_read and (shape := _name_other_shape(text)) and next(lines, None):
            raise UserError(f"{shape}, where each line should hold one object", where=location, fix=_ONE_ROW_A_LINE)
        value, end = _parse_value(text, 0, path, number)
        if end < len(text):
            raise UserError(f"more than one JSON value on a line: {text[end : end + SHOWN]!r}", where=location)
        yield LocatedRow(_check_object(value, location), location)


_ONE_ROW_A_LINE = "Write one object a line (`jq -c .` does so), or a .json file that is a list: [{...}, {...}]."


def _name_other_shape(text: str) -> str:
    """Name what a file holds whose first line holds no whole object; empty where it does, or is merely wrong."""
    if text.startswith("["):
        return "a JSON list"
    try:
        DECODER.raw_decode(text)
    except json.JSONDecodeError as error:
        return "an object over several lines" if error.pos >= len(text) else ""
    except (UserError, ValueError, RecursionError):
        pass  # said by whoever reads the line
    return ""


def _read_json_list(path: Path) -> Iterator[LocatedRow]:
    """Parse the items of a list one by one, because `json` does not say on which line each one stands."""
    with open_unpacked(path) as file:
        text = _decode(file.read().removeprefix(BYTE_ORDER_MARK), path, 1)
    position = _skip_blanks(text, 0)
    if text[position : position + 1] != "[":
        raise UserError("not JSON Lines and not a JSON list", where=f"{path}:1", fix="Write a list of objects.")
    position = _skip_blanks(text, position + 1)
    line, counted = 1, 0  # `line` is that of character `counted`
    for item in count(start=1):
        if item == 1 and text[position : position + 1] == "]":
            break
        line, counted = line + text.count("\n", counted, position), position
        value, end = _parse_value(text, position, path, line)
        location = f"{path}:{line} (item {item})"
        yield LocatedRow(_check_object(value, location), location)
        position = _skip_blanks(text, end)
        mark = text[position : position + 1]
        if mark == "]":
            break
        if mark != ",":
            raise UserError("not JSON (neither a comma nor the end of the list follows)", where=location)
        position = _skip_blanks(text, position + 1)
    rest = text[_skip_blanks(text, position + 1) :]
    if rest:
        raise UserError(f"text after the end of the JSON list: {rest[:SHOWN]!r}", where=str(path))


def _read_csv(path: Path, delimiter: str = ",") -> Iterator[LocatedRow]:
    csv.field_size_limit(LARGEST_CELL)  # the module's own limit is 128 KiB, and a solution may be longer
    parsed = csv.reader(_read_lines(path), strict=True, delimiter=delimiter)
    line = 1
    try:
        header = next(parsed, [])
        if len(header) == 1 and (other := _find_separator(header[0], delimiter)):
            what = f"its cells are separated by {other!r}, not by {delimiter!r}"
            raise UserError(what, where=f"{path}:1", fix="Save it with commas, or with tabs as .tsv.")
        if len(set(header)) < len(header):
            raise UserError("two columns have the same name", where=f"{path}:1")
        line = parsed.line_num + 1
        for cells in parsed:
            # A quoted cell may hold line breaks: a row begins on the line behind the one on which the last row ended.
            location, line = f"{path}:{line}", parsed.line_num + 1
            if cells and len(cells) != len(header):
                raise UserError(f"{len(cells)} cells under {len(header)} column names", where=location)
            if cells:
                yield LocatedRow(dict(zip(header, cells, strict=True)), location)
    except csv.Error as error:
        raise UserError(f"not CSV ({error})", where=f"{path}:{line}") from error


def _find_separator(header: str, delimiter: str) -> str:
    """Return what separates the column names of a file that seems to have but one; empty where nothing does."""
    return next((mark for mark in (";", "\t", ",", "|") if mark != delimiter and mark in header), "")


def _read_parquet(path: Path) -> Iterator[LocatedRow]:
    import pyarrow
    from pyarrow.parquet import ParquetFile

    try:
        with ParquetFile(path) as file:
            number = 0
            for batch in file.iter_batches(batch_size=256):
                for row in batch.to_pylist():
                    number += 1
                    yield LocatedRow(to_json_types(row), f"{path}: row {number}")
    except (pyarrow.ArrowException, OSError) as error:
        raise UserError(f"not a Parquet file that can be read ({error})", where=str(path)) from error


READERS: dict[str, Callable[[Path], Iterator[LocatedRow]]] = {
    ".json": _read_json,
    ".jsonl": _read_json_lines,
    ".ndjson": _read_json_lines,
    ".csv": _read_csv,
    ".tsv": partial(_read_csv, delimiter="\t"),
    ".parquet": _read_parquet,
}


_PACKED_BYTES = {
    b"\x1f\x8b": "It is packed by gzip: add .gz to its name.",
    b"\x28\xb5\x2f\xfd": "It is packed by zstandard: add .zst to its name.",
}
"""What to do about a file that begins with these bytes."""


def _read_lines(path: Path) -> Iterator[str]:
    with open_unpacked(path) as file:
        for number, line in enumerate(file, start=1):
            yield _decode(line.removeprefix(BYTE_ORDER_MARK) if number == 1 else line, path, number)


def _decode(raw: bytes, path: Path, line: int) -> str:
    """Decode the bytes that begin on `line` of a file."""
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError as error:
        location = f"{path}:{line + raw.count(LINE_BREAK, 0, error.start)}"
        wrong = f"not UTF-8 text (byte {raw[error.start]:#04x})"
        fix = next((fix for start, fix in _PACKED_BYTES.items() if raw.startswith(start)), "Save the file as UTF-8.")
        raise UserError(wrong, where=location, fix=fix) from error


def _parse_value(text: str, position: int, path: Path, line: int) -> tuple[Any, int]:
    """Parse the JSON value at `position`, which is on `line`; return it and the position behind it."""
    try:
        return DECODER.raw_decode(text, position)
    except UserError as error:
        raise UserError(error.what, where=f"{path}:{line}") from error
    except json.JSONDecodeError as error:
        breaks = text.count("\n", position, error.pos)
        found = repr(text[error.pos : error.pos + SHOWN]) if error.pos < len(text) else "its end"
        raise UserError(f"not JSON ({error.msg}, found {found})", where=f"{path}:{line + breaks}") from error
    except RecursionError as error:
        raise UserError("JSON that is nested too deep", where=f"{path}:{line}") from error
    except ValueError as error:
        raise UserError(f"a number that is too long ({error})", where=f"{path}:{line}") from error


def _skip_blanks(text: str, position: int) -> int:
    found = BLANKS.match(text, position)
    return found.end() if found else position


def _check_object(value: Any, location: str) -> Row:
    if not isinstance(value, dict):
        raise UserError(f"expected an object with fields, found {name_type(value)}", where=location)
    return value
