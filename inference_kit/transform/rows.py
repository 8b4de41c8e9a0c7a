"""Rows: the records of a JSON file as stretches of its text, one after another.

Why: a file may be larger than memory, and what is not a record (brackets, commas, blank lines) belongs to its owner.
Promises: gaps, records and the tail join to exactly what was read, from the first byte on, odd bytes and a byte order
mark too; only a part of a file is in memory; a row knows the byte behind it, where reading can go on.
"""

import codecs
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Literal

from inference_kit.dataset.compression import open_unpacked, skip, split_suffix
from inference_kit.dataset.json_spans import scan_value
from inference_kit.errors import UserError

Layout = Literal["lines", "list", "object"]
"""One object a line; a list of objects; one object."""

SUFFIXES = (".json", ".jsonl")
ANY_BYTE = "surrogateescape"
"""How bytes that are no UTF-8 are read and written, as themselves."""

MOST_BYTES = 1 << 28
"""What one record may hold."""
_BLANK = " \t\r\n\ufeff"
_GAP = re.compile(rf"[{_BLANK}\[,]*")
_CHUNK = 1 << 20
_NEAR = 16
"""Characters before the end of what was read within which an error may only mean that there is more to read."""


class BadRecord(ValueError):
    """A record that cannot be read, or a file that ends within one."""


@dataclass(frozen=True, slots=True)
class Row:
    """One record: its text, what stands `before` it, its number in the file from 1, and the byte behind it.

    `number` is that of a line where the layout is lines.
    """

    before: str
    text: str
    number: int
    end: int


class RowReader:
    """The rows of one file from a byte on; after the last one, `tail` is what stands behind it."""

    def __init__(self, path: Path, *, start: int = 0, number: int = 0) -> None:
        """Name the file, and where reading begins: a byte behind a row, and that row's number.

        Raises:
            UserError: where the file cannot be read, or is neither a list of objects, nor one, nor lines of them.
        """
        self.path, self.layout, self.tail = path, find_layout(path), ""
        self._start, self._number = start, number

    def __iter__(self) -> Iterator[Row]:
        """Yield the rows.

        Raises:
            BadRecord: where a list goes on with something else than an object; nothing behind it can be read.
        """
        with open_unpacked(self.path) as file:
            skip(file, self._start)
            yield from (self._read_lines(file) if self.layout == "lines" else self._read_values(file))

    def describe(self, row: Row) -> str:
        """Name the place of a row for a message: file and line, or file and number."""
        mark = ":" if self.layout == "lines" else " record "
        return f"{self.path}{mark}{row.number}"

    def _read_lines(self, file: BinaryIO) -> Iterator[Row]:
        before, end, number = "", self._start, self._number
        while line := file.readline(MOST_BYTES + 1):
            if len(line) > MOST_BYTES:
                raise BadRecord(f"line {number + 1} is longer than {MOST_BYTES >> 20} MiB")
            number, end = number + 1, end + len(line)
            text = line.decode("utf-8", ANY_BYTE)
            mark = "\ufeff" if number == 1 and text.startswith("\ufeff") else ""
            bare = text[len(mark) :].strip(" \t\r\n")
            if not bare:
                before += text
                continue
            place = text.index(bare, len(mark))
            behind = text[place + len(bare) :]
            yield Row(before + text[:place], bare, number, end - len(behind.encode("utf-8", ANY_BYTE)))
            before = behind
        self.tail = before

    def _read_values(self, file: BinaryIO) -> Iterator[Row]:
        """Read a list, or one object, a stretch at a time."""
        buffer, number, end = _Buffer(file), self._number, self._start
        opening, closing = ("[", "]") if self.layout == "list" else ("", "")
        while (start := buffer.find_value()) >= 0:
            if number and self.layout == "object":
                raise BadRecord("several objects, which belong into a .jsonl file or a list")
            before = buffer.text[:start]
            wanted = "," if number and opening else opening
            if before.strip(_BLANK) != wanted:
                raise BadRecord(f"{before.strip(_BLANK)!r} stands where {wanted or 'the end'!r} should")
            stop = buffer.find_end(start)
            text, number = buffer.text[start:stop], number + 1
            end += len((before + text).encode("utf-8", ANY_BYTE))
            yield Row(before, text, number, end)
            buffer.drop(stop)
        self.tail = buffer.read_all()
        if "".join(self.tail.split()).strip("\ufeff") != (closing if number else opening + closing):
            raise BadRecord(f"the file ends with {self.tail.strip()[-20:]!r}, not with {closing!r}")


class _Buffer:
    """What was read of a file and not dropped yet, as text."""

    def __init__(self, file: BinaryIO) -> None:
        self.text, self._file = "", file
        self._decoder = codecs.getincrementaldecoder("utf-8")(ANY_BYTE)
        self._ended = False

    def find_value(self) -> int:
        """Return where the next value begins, behind space and what opens or parts a list; -1 where none comes."""
        while not (found := _GAP.match(self.text)) or found.end() == len(self.text):
            if not self._read_more():
                return -1
        return -1 if self.text[found.end()] == "]" else found.end()

    def find_end(self, place: int) -> int:
        """Return the place behind the value that begins at `place`."""
        while True:
            try:
                value, end = scan_value(self.text, place)
            except json.JSONDecodeError as error:
                if not self._may_go_on(error) or not self._read_more():
                    raise BadRecord(str(error)) from error
                continue
            if not isinstance(value, dict):
                raise BadRecord(f"a record is {type(value).__name__}, not an object")
            return end

    def drop(self, place: int) -> None:
        """Forget what stands before a place."""
        self.text = self.text[place:]

    def read_all(self) -> str:
        """Read to the end of the file, as far as one record may reach."""
        while self._read_more():
            pass
        return self.text

    def _may_go_on(self, error: json.JSONDecodeError) -> bool:
        return error.pos >= len(self.text) - _NEAR or error.msg.startswith("Unterminated string")

    def _read_more(self) -> bool:
        """Read as much again as is there, and return whether there was more."""
        if self._ended:
            return False
        if len(self.text) > MOST_BYTES:
            raise BadRecord(f"a record is longer than {MOST_BYTES >> 20} MiB")
        data = self._file.read(max(_CHUNK, len(self.text)))
        self._ended = not data
        self.text += self._decoder.decode(data, final=not data)
        return True


def find_layout(path: Path) -> Layout:
    """Tell the layout of a file by its name and its first character.

    Raises:
        UserError: where the name or the content is another.
    """
    suffix = split_suffix(path)[0]
    if suffix not in SUFFIXES:
        fix = "Give .json or .jsonl, or one of them packed: .gz, .zst."
        raise UserError(f"files that end in {path.suffix or 'nothing'} are not read", where=str(path), fix=fix)
    if suffix == ".jsonl":
        return "lines"
    try:
        with open_unpacked(path) as file:
            start = file.read(_CHUNK).decode("utf-8", ANY_BYTE).removeprefix("\ufeff").lstrip(" \t\r\n")
    except OSError as error:
        raise UserError(error.strerror or "cannot be read", where=str(path)) from error
    if start[:1] == "[":
        return "list"
    if start[:1] == "{":
        return "object"
    what = f"begins with {start[:10]!r}" if start else "is empty"
    raise UserError(f"{what}, so it is no list of objects and no object", where=str(path), fix="Give one of the two.")
