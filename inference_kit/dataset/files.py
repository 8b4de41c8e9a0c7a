"""Reading: the rows of JSON, JSONL, CSV and Parquet files, each with the place it stands at.

Why: a hundred thousand problems should cost no more memory than one, and a broken line should be named by its number.
Promises: JSONL, CSV and Parquet are streamed; UTF-8 with or without a byte order mark; blank lines do not count; what
is not an object of fields is refused with its file and line.
"""

import csv
import json
import math
import re
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Any

from inference_kit.dataset.fields import Row, WrittenFloat, kind_of
from inference_kit.errors import UserError
from inference_kit.registry import unknown

BYTE_ORDER_MARK = b"\xef\xbb\xbf"
LINE_BREAK = b"\n"
LARGEST_CELL = 2**31 - 1
SHOWN = 20
BLANKS = re.compile(r"[ \t\r\n]*")


def _fields(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """An object of JSON; of two fields with one name, Python alone would keep the last."""
    found = dict(pairs)
    if len(found) < len(pairs):
        twice = Counter(name for name, _ in pairs).most_common(1)[0][0]
        raise UserError(f"field {twice!r} is there twice")
    return found


# NaN and the infinities are no JSON, but Python writes them; they are read as the null that the house stores for them.
DECODER = json.JSONDecoder(object_pairs_hook=_fields, parse_float=WrittenFloat, parse_constant=lambda _: None)


@dataclass(frozen=True, slots=True)
class Placed:
    """A row and the place it stands at, as error lines show it."""

    row: Row
    place: str


def read_rows(path: Path) -> Iterator[Placed]:
    """Read a file by its suffix.

    Raises:
        UserError: an unknown suffix, a file that is not what its suffix says, a row that is not an object.
    """
    suffix = path.suffix.lower()
    if suffix not in READERS:
        raise unknown(suffix or path.name, READERS, "kind of data file", where=str(path))
    return READERS[suffix](path)


def plain(value: Any) -> Any:
    """`value` in what JSON knows, so that it can be stored: dates and the like become text."""
    if isinstance(value, Mapping):
        return {str(key): plain(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [plain(each) for each in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value if value is None or isinstance(value, str | int | float) else str(value)


def _json(path: Path) -> Iterator[Placed]:
    """A list of objects; a file that begins with an object holds one on each line, whatever its suffix."""
    with path.open("rb") as file:
        first = next((line.removeprefix(BYTE_ORDER_MARK).lstrip() for line in file if line.strip()), b"")
    return _json_lines(path) if first.startswith(b"{") else _json_list(path)


def _json_lines(path: Path) -> Iterator[Placed]:
    for number, line in enumerate(_lines(path), start=1):
        shown = line.strip()
        if shown:
            value, end = _parsed(shown, 0, path, number)
            place = f"{path}:{number}"
            if end < len(shown):
                raise UserError(f"more than one JSON value on a line: {shown[end : end + SHOWN]!r}", where=place)
            yield Placed(_object(value, place), place)


def _json_list(path: Path) -> Iterator[Placed]:
    """The items are parsed one by one, which is how each one's line is known."""
    shown = _decoded(path.read_bytes().removeprefix(BYTE_ORDER_MARK), path, 1)
    position = _past_blanks(shown, 0)
    if shown[position : position + 1] != "[":
        raise UserError("not JSON Lines and not a JSON list", where=f"{path}:1", fix="Write a list of objects.")
    position = _past_blanks(shown, position + 1)
    line, counted = 1, 0
    for item in count(start=1):
        if item == 1 and shown[position : position + 1] == "]":
            break
        line, counted = line + shown.count("\n", counted, position), position
        value, end = _parsed(shown, position, path, line)
        place = f"{path}:{line} (item {item})"
        yield Placed(_object(value, place), place)
        position = _past_blanks(shown, end)
        mark = shown[position : position + 1]
        if mark == "]":
            break
        if mark != ",":
            raise UserError("not JSON (neither a comma nor the end of the list follows)", where=place)
        position = _past_blanks(shown, position + 1)
    rest = shown[_past_blanks(shown, position + 1) :]
    if rest:
        raise UserError(f"text after the end of the JSON list: {rest[:SHOWN]!r}", where=str(path))


def _csv(path: Path) -> Iterator[Placed]:
    csv.field_size_limit(LARGEST_CELL)  # the module's own limit is 128 KiB, and a solution may be longer
    reader = csv.reader(_lines(path), strict=True)
    line = 1
    try:
        header = next(reader, [])
        if len(set(header)) < len(header):
            raise UserError("two columns have the same name", where=f"{path}:1")
        line = reader.line_num + 1
        for cells in reader:
            place, line = f"{path}:{line}", reader.line_num + 1
            if cells and len(cells) != len(header):
                raise UserError(f"{len(cells)} cells under {len(header)} column names", where=place)
            if cells:
                yield Placed(dict(zip(header, cells, strict=True)), place)
    except csv.Error as error:
        raise UserError(f"not CSV ({error})", where=f"{path}:{line}") from error


def _parquet(path: Path) -> Iterator[Placed]:
    import pyarrow
    from pyarrow.parquet import ParquetFile

    try:
        with ParquetFile(path) as file:
            number = 0
            for batch in file.iter_batches(batch_size=256):
                for values in batch.to_pylist():
                    number += 1
                    yield Placed(plain(values), f"{path}: row {number}")
    except (pyarrow.ArrowException, OSError) as error:
        raise UserError(f"not a Parquet file that can be read ({error})", where=str(path)) from error


READERS: dict[str, Callable[[Path], Iterator[Placed]]] = {
    ".json": _json,
    ".jsonl": _json_lines,
    ".csv": _csv,
    ".parquet": _parquet,
}


def _lines(path: Path) -> Iterator[str]:
    with path.open("rb") as file:
        for number, line in enumerate(file, start=1):
            yield _decoded(line.removeprefix(BYTE_ORDER_MARK) if number == 1 else line, path, number)


def _decoded(raw: bytes, path: Path, line: int) -> str:
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError as error:
        place = f"{path}:{line + raw.count(LINE_BREAK, 0, error.start)}"
        wrong = f"not UTF-8 text (byte {raw[error.start]:#04x})"
        raise UserError(wrong, where=place, fix="Save the file as UTF-8.") from error


def _parsed(shown: str, position: int, path: Path, line: int) -> tuple[Any, int]:
    """The JSON value at `position`, which is on `line`, and where it ends."""
    try:
        return DECODER.raw_decode(shown, position)
    except UserError as error:
        raise UserError(error.what, where=f"{path}:{line}") from error
    except json.JSONDecodeError as error:
        breaks = shown.count("\n", position, error.pos)
        found = repr(shown[error.pos : error.pos + SHOWN]) if error.pos < len(shown) else "its end"
        raise UserError(f"not JSON ({error.msg}, found {found})", where=f"{path}:{line + breaks}") from error
    except RecursionError as error:
        raise UserError("JSON that is nested too deep", where=f"{path}:{line}") from error
    except ValueError as error:
        raise UserError(f"a number that is too long ({error})", where=f"{path}:{line}") from error


def _past_blanks(shown: str, position: int) -> int:
    found = BLANKS.match(shown, position)
    return found.end() if found else position


def _object(value: Any, place: str) -> Row:
    if not isinstance(value, dict):
        raise UserError(f"expected an object with fields, found {kind_of(value)}", where=place)
    return value
