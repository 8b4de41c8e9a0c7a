"""Result files: a partial file grows by a line per finished problem; a final file holds a whole run under one vote.

Why: finished work must survive anything, and whoever evaluates, compares and reports it needs no model to read it back.
Promises: the last line of a problem counts. A torn last line is dropped, a malformed one in the middle is named, and
both problems are done again. Memory holds indices, not records. A newer schema is refused.
"""

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from itertools import takewhile
from pathlib import Path
from typing import Any

from loguru import logger

from inference_kit.errors import UserError
from inference_kit.records import SCHEMA, Index, Record
from inference_kit.records.indices import canonical_index
from inference_kit.store.append_file import AppendFile
from inference_kit.store.atomic import disk_error, write_atomically
from inference_kit.store.encoding import decode, encode

_FINAL_TYPES = {"schema": int, "vote": str | None, "metrics": dict, "results": list}
"""Keys that tell a final file from other JSON, with their types."""

_WRITE_AGAIN = "Write it again with `evaluate` of the .jsonl beside it."


class PartialFile:
    """`<dataset>-<method>.jsonl`: what it held when it was first read, and what this process has appended since."""

    def __init__(self, path: Path, *, fsync_seconds: float | None = 1.0) -> None:
        """Name the file; nothing is read or made yet.

        Args:
            path: Where it is, or will be.
            fsync_seconds: Least time between two waits for the disk; None never waits.
        """
        self.path, self._fsync_seconds = path, fsync_seconds
        self._file: AppendFile | None = None

    def find_finished(self) -> set[Index]:
        """Return the canonical indices of the problems that need not be done again: those stored without an error."""
        return self._lines.offsets.keys() - self._lines.failed

    def read_run_seconds(self) -> float:
        """Return how long the run has worked according to its records; 0 where there are none."""
        return self._lines.run_seconds

    def read_all(self) -> dict[Index, Record]:
        """Read all records into memory, by index."""
        return {record.index: record for record in self.read_records()}

    def read_records(self) -> Iterator[Record]:
        """Yield each problem's last record, in the order in which the problems were first stored; one in memory."""
        return self.read_in_order(list(self._lines.offsets))

    def read_in_order(self, indices: Iterable[Index]) -> Iterator[Record]:
        """Yield the records of `indices`, in their order; those that are not stored are left out."""
        if not self._lines.offsets:
            return
        with self.path.open("rb") as file:
            for index in indices:
                if (offset := self._lines.offsets.get(canonical_index(index))) is not None:
                    file.seek(offset)
                    yield Record.from_json(decode(file.readline()))

    def append(self, record: Record) -> None:
        """Store a record; it is safe from a kill when this returns.

        Raises:
            UserError: where the disk refuses; the file is then as it was.
        """
        if self._file is None:
            self._file = AppendFile(self.path, size=self._lines.size, fsync_seconds=self._fsync_seconds)
        self._lines.add(record, self._file.append(encode(record.to_json())))

    def close(self) -> None:
        """Close the file for writing; it can still be read."""
        if self._file is not None:
            self._file.close()
            self._lines.size, self._file = self._file.size, None

    @cached_property
    def _lines(self) -> "_LineIndex":
        lines = _LineIndex()
        try:
            with self.path.open("rb") as file:
                for number, line in enumerate(file, 1):
                    self._index_line(line, number, lines)
        except FileNotFoundError:
            pass  # nothing is stored yet
        except OSError as error:
            raise disk_error(error, self.path) from error
        return lines

    def _index_line(self, line: bytes, number: int, lines: "_LineIndex") -> None:
        """Add a line to the index; a torn one does not count to `size`, so that the next append overwrites it."""
        try:
            if line.strip():
                lines.add(_parse_record(line, f"{self.path}:{number}"), lines.size)
        except ValueError as error:
            if not line.endswith(b"\n"):
                logger.info("{}:{}: the last line is torn; that problem is done again", self.path, number)
                return
            logger.warning("{}:{}: not a record ({}); that problem is done again", self.path, number, error)
        lines.size += len(line)


@dataclass(slots=True)
class _LineIndex:
    """Byte offsets of each problem's last line, which problems failed, and `size`, the bytes of all whole lines.

    Problems are known by their canonical indices.
    """

    offsets: dict[Index, int] = field(default_factory=dict)
    failed: set[Index] = field(default_factory=set)
    run_seconds: float = 0.0
    size: int = 0

    def add(self, record: Record, offset: int) -> None:
        """Add a record whose line starts at byte `offset`; it replaces an earlier one of its problem."""
        index = canonical_index(record.index)
        self.offsets[index] = offset
        self.run_seconds = max(self.run_seconds, record.run_seconds)
        if record.error is None:
            self.failed.discard(index)
        else:
            self.failed.add(index)


def write_final(path: Path, header: Mapping[str, Any], results: Iterable[Mapping[str, Any]]) -> None:
    """Write a final file: the schema, what `header` says and then the results, one a line.

    Args:
        path: Where it is; an older file there is replaced once the new one is whole.
        header: All that stands before the results.
        results: One entry for each problem; one at a time is in memory.

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


def read_metrics(path: Path) -> dict[str, Any]:
    """Read the metrics of a final file without its results; empty where it does not say them as this program does."""
    try:
        with path.open("rb") as file:
            head = b"".join(takewhile(lambda line: line != b'"results": [\n', file))
        metrics = decode(head.rstrip().removesuffix(b",") + b"}")["metrics"]
    except (OSError, ValueError, KeyError, TypeError):
        return {}
    return metrics if isinstance(metrics, dict) else {}


def read_final(path: Path) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """Read a final file and return its header, without the results, and its results.

    Raises:
        UserError: where it is torn, empty, of a newer schema or no final file at all; with `file:line`.
    """
    try:
        data = path.read_bytes()
    except OSError as error:
        raise disk_error(error, path) from error
    if not data.strip():
        raise UserError("the file is empty", where=str(path), fix=_WRITE_AGAIN)
    try:
        header = decode(data)
    except ValueError as error:
        raise _json_error(error, data, path) from error
    if not _is_final(header):
        raise UserError("not a final file of this program", where=f"{path}:1", fix="Name a .json or .jsonl of a run.")
    _refuse_newer(header["schema"], f"{path}:1")
    results = header.pop("results")
    for number, entry in enumerate(results):
        if not (isinstance(entry, dict) and entry.keys() >= {"index", "input", "gold"}):
            raise UserError(f"result {number} has no index, input or gold", where=str(path), fix=_WRITE_AGAIN)
    return header, results


def _is_final(header: Any) -> bool:
    if not (isinstance(header, dict) and header.keys() >= _FINAL_TYPES.keys()):
        return False
    return all(isinstance(header[name], kind) for name, kind in _FINAL_TYPES.items())


def _parse_record(line: bytes, where: str) -> Record:
    """Parse a line of a partial file; raise a `ValueError` where it is no record."""
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


def _json_error(error: ValueError, data: bytes, path: Path) -> UserError:
    """Build the error for a final file that is no JSON; one that ends too early is called torn."""
    line, torn = 1, not data.rstrip().endswith(b"}")
    if isinstance(error, json.JSONDecodeError):
        line, torn = error.lineno, torn or error.pos >= len(error.doc.rstrip())
    elif isinstance(error, UnicodeDecodeError):
        line = data.count(b"\n", 0, error.start) + 1
    what = "the file is torn: it ends in the middle" if torn else f"not JSON ({error})"
    return UserError(what, where=f"{path}:{line}", fix=_WRITE_AGAIN)
