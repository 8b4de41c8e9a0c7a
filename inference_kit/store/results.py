"""Result files: a partial file grows by a line per finished problem, a final file holds a whole run under one vote.

Why: finished work must survive anything, and what evaluates, compares and reports it needs no model to read it back.
Promises: a problem's last line counts; a torn last line is dropped, a spoilt one in the middle is named, and both
problems are done again; memory holds indices, not records; a newer schema is refused.
"""

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from loguru import logger

from inference_kit.errors import UserError
from inference_kit.records import SCHEMA, Index, Record
from inference_kit.store.append_file import AppendFile
from inference_kit.store.atomic import disk_error, write_atomically
from inference_kit.store.encoding import decode, encode

_KINDS = {"schema": int, "vote": str | None, "metrics": dict, "results": list}
_AGAIN = "Write it again with `evaluate` of the .jsonl beside it."


class PartialFile:
    """`<dataset>-<method>.jsonl`: as it was when it was first looked at, and what this process has appended since."""

    def __init__(self, path: Path, *, fsync_seconds: float | None = 1.0) -> None:
        """Name the file; nothing is read or made yet.

        Args:
            path: Where it is, or will be.
            fsync_seconds: Least time between two waits for the disk; None never waits.
        """
        self.path, self._fsync_seconds = path, fsync_seconds
        self._file: AppendFile | None = None

    def finished(self) -> set[Index]:
        """The problems that need not be done again: stored, and without an error."""
        return self._stored.offsets.keys() - self._stored.failed

    def run_seconds(self) -> float:
        """How long the run has worked, as its latest record says; 0 where there is none."""
        return self._stored.run_seconds

    def read(self) -> dict[Index, Record]:
        """All records by index, in memory."""
        return {record.index: record for record in self.records()}

    def records(self) -> Iterator[Record]:
        """Each problem's last record, one at a time, in the order in which the problems were first stored."""
        return self.ordered(list(self._stored.offsets))

    def ordered(self, indices: Iterable[Index]) -> Iterator[Record]:
        """The records of `indices`, in their order, one at a time; those that are not stored are left out."""
        if not self._stored.offsets:
            return
        with self.path.open("rb") as file:
            for index in indices:
                if (offset := self._stored.offsets.get(index)) is not None:
                    file.seek(offset)
                    yield Record.from_json(decode(file.readline()))

    def append(self, record: Record) -> None:
        """Store a record; it is safe from a kill when this returns.

        Raises:
            UserError: where the disk refuses; the file is then as it was.
        """
        if self._file is None:
            self._file = AppendFile(self.path, size=self._stored.size, fsync_seconds=self._fsync_seconds)
        self._stored.add(record, self._file.append(encode(record.to_json())))

    def close(self) -> None:
        """Close the file; reading goes on to work."""
        if self._file is not None:
            self._file.close()
            self._stored.size, self._file = self._file.size, None

    @cached_property
    def _stored(self) -> "_Stored":
        stored = _Stored()
        try:
            with self.path.open("rb") as file:
                for number, line in enumerate(file, 1):
                    self._take(line, number, stored)
        except FileNotFoundError:
            pass  # nothing is stored yet
        except OSError as error:
            raise disk_error(error, self.path) from error
        return stored

    def _take(self, line: bytes, number: int, stored: "_Stored") -> None:
        try:
            if line.strip():
                stored.add(_record(line, f"{self.path}:{number}"), stored.size)
        except ValueError as error:
            if not line.endswith(b"\n"):
                logger.info("{}:{}: the last line is torn; that problem is done again", self.path, number)
                return
            logger.warning("{}:{}: not a record ({}); that problem is done again", self.path, number, error)
        stored.size += len(line)


@dataclass(slots=True)
class _Stored:
    """Where each problem's last line starts, which of them failed, and how many bytes are whole lines."""

    offsets: dict[Index, int] = field(default_factory=dict)
    failed: set[Index] = field(default_factory=set)
    run_seconds: float = 0.0
    size: int = 0

    def add(self, record: Record, offset: int) -> None:
        self.offsets[record.index] = offset
        self.run_seconds = max(self.run_seconds, record.run_seconds)
        if record.error is None:
            self.failed.discard(record.index)
        else:
            self.failed.add(record.index)


def write_final(path: Path, header: Mapping[str, Any], results: Iterable[Mapping[str, Any]]) -> None:
    """Write a final file: the schema, what `header` says and then the results, one a line and one at a time in memory.

    Raises:
        UserError: where the disk refuses; the file is then as it was.
    """
    with write_atomically(path) as file:
        head = ",\n".join(f"{encode(name)}: {encode(value)}" for name, value in {"schema": SCHEMA, **header}.items())
        file.write(f'{{{head},\n"results": [')
        separator = "\n"
        for entry in results:
            file.write(separator + encode(dict(entry)))
            separator = ",\n"
        file.write("\n]}\n")


def read_final(path: Path) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """Read a final file: what it says before the results, and the results.

    Raises:
        UserError: where it is torn, empty, of a newer schema or no final file at all; with `file:line`.
    """
    try:
        data = path.read_bytes()
    except OSError as error:
        raise disk_error(error, path) from error
    if not data.strip():
        raise UserError("the file is empty", where=str(path), fix=_AGAIN)
    try:
        header = decode(data)
    except ValueError as error:
        raise _not_json(error, data, path) from error
    if not _is_final(header):
        raise UserError("not a final file of this program", where=f"{path}:1", fix="Name a .json or .jsonl of a run.")
    _refuse_newer(header["schema"], f"{path}:1")
    results = header.pop("results")
    for number, entry in enumerate(results):
        if not (isinstance(entry, dict) and entry.keys() >= {"index", "input", "gold"}):
            raise UserError(f"result {number} has no index, input or gold", where=str(path), fix=_AGAIN)
    return header, results


def _is_final(header: Any) -> bool:
    if not (isinstance(header, dict) and header.keys() >= _KINDS.keys()):
        return False
    return all(isinstance(header[name], kind) for name, kind in _KINDS.items())


def _record(line: bytes, where: str) -> Record:
    """Read a line of a partial file; a `ValueError` if it is spoilt."""
    try:
        data = decode(line)
        _refuse_newer(data["schema"], where)
        record = Record.from_json(data)
    except (TypeError, KeyError, AttributeError) as error:
        raise ValueError(f"{type(error).__name__}: {error}") from error
    if type(record.index) not in (int, str):
        raise ValueError(f"index {record.index!r} is neither a number nor a text")
    return record


def _refuse_newer(schema: int, where: str) -> None:
    if schema > SCHEMA:
        raise UserError(
            f"schema {schema} is newer than this program's {SCHEMA}", where=where, fix="Read it with a newer version."
        )


def _not_json(error: ValueError, data: bytes, path: Path) -> UserError:
    line, torn = 1, not data.rstrip().endswith(b"}")
    if isinstance(error, json.JSONDecodeError):
        line, torn = error.lineno, torn or error.pos >= len(error.doc.rstrip())
    elif isinstance(error, UnicodeDecodeError):
        line = data.count(b"\n", 0, error.start) + 1
    what = "the file is torn: it ends in the middle" if torn else f"not JSON ({error})"
    return UserError(what, where=f"{path}:{line}", fix=_AGAIN)
