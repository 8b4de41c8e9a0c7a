"""The calls that lie in one folder: files of lines that only grow, one for each process, and the index over them.

Why: the files are the truth, because they can be read, copied and deleted by anyone; the index says where a key stands.
Promises: an appended line outlives a killed process. What the index does not cover is read at the first use, and a
missing or damaged index is made again. A line that is torn or spoilt counts as absent. Where a key is there twice, a
line of the same run comes first, then the later line. Memory stays level. Threads may share a folder.
"""

import json
import os
import secrets
from binascii import unhexlify
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from io import FileIO
from pathlib import Path
from threading import Lock
from typing import Any

from loguru import logger

from inference_kit.store import call_places
from inference_kit.store.append_file import AppendFile
from inference_kit.store.atomic import disk_error, make_folder
from inference_kit.store.call_places import CallPlaces
from inference_kit.store.encoding import decode, encode
from inference_kit.store.key_index import NAME, Covered, KeyIndex, SpoiltIndex, pack_place, unpack_place

_BEFORE_KEY = b'{"key": "'
_AFTER_KEY = b'", "run": '
_KEY = slice(len(_BEFORE_KEY), len(_BEFORE_KEY) + 32)
_RUN = _KEY.stop + len(_AFTER_KEY)
_OPEN_FILES = 16
_LINE = 4096
"""Bytes that are read of a line at first."""


@dataclass(frozen=True, slots=True)
class LoggedCall:
    """What was logged; `same_run` where this run wrote it, maybe in an earlier process."""

    payload: dict[str, Any]
    same_run: bool


@dataclass(slots=True)
class _Segment:
    """One file, as far as it is read."""

    path: Path
    size: int = 0
    run: str | None = None
    gone: bool = False


class CallFolder:
    """The calls of one folder, and this process's place to add to them."""

    def __init__(self, folder: Path, run: str, *, model: str = "", fsync_seconds: float | None = 1.0) -> None:
        """Read what the folder's index does not cover; those of its sub-folders are not of it.

        Args:
            folder: Where the files are; other processes may write there at the same time, unseen.
            run: The id of the run.
            model: The identity of the model whose calls they are, for those who look into a file.
            fsync_seconds: Least time between two waits for the disk; None never waits.

        Raises:
            UserError: where the disk refuses.
        """
        self.folder, self._run, self._model, self._fsync_seconds = folder, run, model, fsync_seconds
        self._run_json = json.dumps(run)
        self._run_mark = self._run_json.encode("ascii")
        self._lock = Lock()
        self._files: dict[int, FileIO] = {}
        self._segments: list[_Segment] = []
        self._places = CallPlaces(folder, self._lock, self._rank)
        self._spoilt: set[int] = set()
        self._own: AppendFile | None = None
        self._own_number = 0
        self._begin()

    def find(self, key: bytes) -> LoggedCall | None:
        """Return what was logged under `key`, 16 bytes; None if nothing was.

        Raises:
            UserError: where the disk refuses.
        """
        if not self._segments:  # as beside the folders of all models, which is looked into each time
            return None
        with self._lock:
            for place in self._find_places(key):
                if call := self._load(place, key):
                    return call
        return None

    def read_own(self) -> Iterator[dict[str, Any]]:
        """Yield the payloads of this run, each key once.

        Raises:
            UserError: where the disk refuses.
        """
        seen: set[bytes] = set()
        for segment in [each for each in self._segments if each.run == self._run and not each.gone]:
            for line in _read_lines(segment.path, 0):
                key = read_key(line)
                if key and key not in seen and (payload := _read_payload(line, key)) is not None:
                    seen.add(key)
                    yield payload

    def append(self, key: str, payload: str) -> None:
        """Log a payload, which is encoded, under a key of 32 hexadecimal characters.

        Raises:
            UserError: where the disk refuses.
        """
        line = f'{{"key": "{key}", "run": {self._run_json}, "payload": {payload}'
        with self._lock:
            own = self._own or self._begin_file()
            end = "}" if own.size else self._describe_file()
            self._places.note(unhexlify(key), pack_place(self._own_number, own.append(line + end)))
            self._segments[self._own_number].size = own.size
            if self._places.are_many:
                self._places.write_aside(self._list_covered(), self._list_gone(), self._read_again)

    def close(self) -> None:
        """Give the files back, and write the index where it is worth it; the folder may be used again.

        Raises:
            UserError: where the disk refuses.
        """
        self._places.wait()
        with self._lock:
            if self._own:
                self._own.close()
                self._own = None
            self._write_index(call_places.WORTH_AN_INDEX)
            self._close_files()

    def _begin(self, *, indexed: bool = True) -> None:
        """Read the index, if it is used, and the files where they go on behind it."""
        self._spoilt = set()
        self._close_files()  # they go by number, and numbers may change
        paths = {path.name: path for path in sorted(self.folder.glob("*.jsonl"))}
        index = self._open_index(paths) if indexed else None
        self._places.begin(index)
        covered = index.covered if index else []
        self._segments = [
            _Segment(self.folder / each.name, each.size, each.run, each.name not in paths) for each in covered
        ]
        known = {each.name for each in covered}
        self._segments += [_Segment(path) for name, path in paths.items() if name not in known]
        for number in range(len(self._segments)):
            self._read_rest(number)
        self._write_index(call_places.WORTH_AN_INDEX)

    def _open_index(self, paths: Mapping[str, Path]) -> KeyIndex | None:
        """Open the index, if it fits the files: one that is shorter than it was is another file."""
        try:
            index = KeyIndex(self.folder)
        except FileNotFoundError:
            return None
        except (SpoiltIndex, OSError) as error:
            logger.info("{}: damaged, so it is made again {}", self.folder / NAME, error)
            return None
        if any(each.name in paths and paths[each.name].stat().st_size < each.size for each in index.covered):
            index.close()
            return None
        return index

    def _read_rest(self, number: int) -> None:
        """Note the place of each line that is not covered, by its fixed beginning and its end; no payload is read."""
        segment = self._segments[number]
        for line in () if segment.gone else _read_lines(segment.path, segment.size):
            if not line.endswith(b"\n"):
                break  # torn, or being written
            if key := read_key(line):
                if segment.run is None:
                    segment.run = _read_run(line)
                self._places.note(key, pack_place(number, segment.size))
            else:
                self._report(number, segment.size)
            segment.size += len(line)
            if self._places.are_many:
                self._write_index(self._places.many)

    def _rank(self, place: int) -> tuple[bool, str, int]:
        """Order the places of one key; the highest is the one to use."""
        number, offset = unpack_place(place)
        segment = self._segments[number]
        return segment.run == self._run, segment.path.name, offset

    def _find_places(self, key: bytes) -> list[int]:
        """Return the places of a key, the one to use first."""
        try:
            return self._places.find(key)
        except (SpoiltIndex, OSError):
            self._read_again()
            return self._places.find(key)

    def _load(self, place: int, key: bytes) -> LoggedCall | None:
        """Read the line of a call; one that is spoilt is reported once."""
        if place in self._spoilt or not (line := self._read_line(place)):
            return None
        payload = _read_payload(line, key)
        if payload is None:
            self._spoilt.add(place)
            self._report(*unpack_place(place))
            return None
        return LoggedCall(payload, line.startswith(self._run_mark, _RUN))

    def _read_line(self, place: int) -> bytes:
        """Read the line at a place; nothing where its file is gone."""
        number, offset = unpack_place(place)
        segment = self._segments[number]
        if segment.gone:
            return b""
        try:
            descriptor = self._open(number).fileno()
            size = _LINE
            while b"\n" not in (data := os.pread(descriptor, size, offset)) and len(data) == size:
                size *= 8
        except FileNotFoundError:  # deleted since the log was opened
            segment.gone = True
            return b""
        except OSError as error:
            raise disk_error(error, segment.path) from error
        return data[: data.find(b"\n") + 1]

    def _open(self, number: int) -> FileIO:
        if number not in self._files:
            if len(self._files) == _OPEN_FILES:
                self._files.pop(next(iter(self._files))).close()
            self._files[number] = self._segments[number].path.open("rb", buffering=0)
        return self._files[number]

    def _close_files(self) -> None:
        while self._files:
            self._files.popitem()[1].close()

    def _begin_file(self) -> AppendFile:
        """Begin a file that sorts behind all that are here, under a name that no other process takes."""
        make_folder(self.folder)
        names = [segment.path.name[:6] for segment in self._segments]
        last = max((int(name) for name in names if name.isdecimal()), default=0)
        path = self.folder / f"{last + 1:06}-{os.getpid()}-{secrets.token_hex(4)}.jsonl"
        self._own = AppendFile(path, fsync_seconds=self._fsync_seconds)
        self._own.hold()
        self._segments.append(_Segment(path, 0, self._run))
        self._own_number = len(self._segments) - 1
        return self._own

    def _describe_file(self) -> str:
        """Return how the first line of a file ends: it says, too, whose calls they are and since when."""
        about = {"model": self._model, "began": datetime.now(UTC).isoformat(timespec="seconds")}
        return f", {encode(about)[1:]}"

    def _write_index(self, least: int) -> None:
        try:
            self._places.write(self._list_covered(), self._list_gone(), least=least)
        except SpoiltIndex:
            self._read_again()

    def _read_again(self) -> None:
        """Read all files, because the index is damaged."""
        logger.info("{}: damaged, so it is made again", self.folder / NAME)
        self._begin(indexed=False)
        if self._own:
            numbers = [number for number, segment in enumerate(self._segments) if segment.path == self._own.path]
            if not numbers:
                self._segments.append(_Segment(self._own.path, self._own.size, self._run, gone=True))
            self._own_number = numbers[0] if numbers else len(self._segments) - 1

    def _list_covered(self) -> list[Covered]:
        return [Covered(segment.path.name, segment.size, segment.run) for segment in self._segments]

    def _list_gone(self) -> set[int]:
        return {number for number, segment in enumerate(self._segments) if segment.gone}

    def _report(self, number: int, offset: int) -> None:
        path = self._segments[number].path
        line_number = _count_lines(path, offset) + 1
        logger.warning("{}:{}: not a line of the call log; that call is made again", path, line_number)


def read_key(line: bytes) -> bytes | None:
    """Return the key of a line, None if the line is no whole call."""
    if not (line.startswith(_BEFORE_KEY) and line.startswith(_AFTER_KEY, _KEY.stop) and line.endswith(b"}\n")):
        return None
    try:
        return unhexlify(line[_KEY])
    except ValueError:
        return None


def _read_run(line: bytes) -> str | None:
    """Return the run of a line that is a whole call, None if it is no text."""
    try:
        run = json.JSONDecoder().raw_decode(line[_RUN : _RUN + 200].decode("ascii", "replace"))[0]
    except ValueError:
        return None
    return run if isinstance(run, str) else None


def _read_payload(line: bytes, key: bytes) -> dict[str, Any] | None:
    """Return what a line holds, None if it is spoilt."""
    try:
        entry = decode(line)
    except ValueError:
        return None
    sound = read_key(line) == key and isinstance(entry, dict) and isinstance(entry.get("payload"), dict)
    return entry["payload"] if sound else None


def _read_lines(path: Path, offset: int) -> Iterator[bytes]:
    try:
        with path.open("rb") as file:
            file.seek(offset)
            yield from file
    except OSError as error:
        raise disk_error(error, path) from error


def _count_lines(path: Path, end: int) -> int:
    """Count the lines that begin before an offset."""
    count, offset = 0, 0
    for line in _read_lines(path, 0):
        if offset >= end:
            break
        count, offset = count + 1, offset + len(line)
    return count
