"""The call log: what was generated or scored, by key, so that nothing is paid for twice.

Why: an interrupted search goes on where it was, a larger N re-uses the smaller, a second method re-uses what matches.
Promises: an appended payload outlives a killed process; each writing process has its own file; what a model wrote is in
a sub-folder of its own, whose files are read once, at the first use, and no other model's. Files beside the sub-folders
are older, of any model, and are read as well. Empty files in a sub-folder name the token limits of its calls. A line
that is torn or spoilt counts as absent. Where a key is there twice, a line of the same run comes first, then the later
line. Payloads stay on disk: a call takes some 130 bytes of memory. Threads may share a log.
"""

import hashlib
import json
import os
import re
import secrets
from binascii import unhexlify
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from threading import Lock
from typing import Any, BinaryIO

from loguru import logger

from inference_kit.store.append_file import AppendFile
from inference_kit.store.atomic import disk_error, make_folder
from inference_kit.store.encoding import decode, encode

_BEFORE_KEY = b'{"key": "'
_AFTER_KEY = b'", "run": '
_KEY = slice(len(_BEFORE_KEY), len(_BEFORE_KEY) + 32)
_RUN = _KEY.stop + len(_AFTER_KEY)
_LIMIT = "limit-"
_MOST_LIMITS = 16
"""Token limits that are looked under; a search with budgets asks with ever another one."""

_OPEN_FILES = 64
_READABLE = 60
"""Characters of an identity that stand in the name of its folder."""
_CANONICAL = json.JSONEncoder(sort_keys=True, separators=(",", ":"))


@dataclass(frozen=True, slots=True)
class LoggedCall:
    """What was logged; `same_run` where this run wrote it, maybe in an earlier process."""

    payload: dict[str, Any]
    same_run: bool


def call_key(**parts: Any) -> str:
    """Name a call by everything its outcome depends on: 32 hexadecimal characters.

    Args:
        parts: Texts, numbers, and lists, tuples and dicts of them; the order of keys does not matter. 1 and 1.0 differ.
    """
    canonical = _CANONICAL.encode(parts)
    return hashlib.blake2b(canonical.encode("ascii"), digest_size=16).hexdigest()


def folder_name(identity: str) -> str:
    """Name the folder of what one model wrote: what is readable of its identity, and the digest of all of it."""
    readable = re.sub(r"[^A-Za-z0-9.+=-]+", "_", identity)[:_READABLE].strip("._-+=")
    digest = hashlib.blake2b(identity.encode("utf-8", "surrogatepass"), digest_size=8).hexdigest()
    return f"{readable}-{digest}" if readable else digest


class CallLog:
    """The calls of a folder, and this process's place to add to them. Nothing is read or made before the first use.

    An identity is that of an engine or a reward model.
    """

    def __init__(self, folder: Path, run: str, *, fsync_seconds: float | None = 1.0) -> None:
        """Name the folder.

        Args:
            folder: Where the files are; other runs may write there at the same time, unseen.
            run: The id of the run, the same for each process that works on it.
            fsync_seconds: Least time between two waits for the disk; None never waits.
        """
        self.folder, self._fsync_seconds = folder, fsync_seconds
        self._run = json.dumps(run)
        self._lock = Lock()
        self._index: _Index | None = None
        self._folders: dict[str, Path] = {}
        self._own: dict[str, _OwnFile] = {}
        self._limits: dict[str, set[int]] = {}

    def find(self, identity: str, key: str) -> LoggedCall | None:
        """Return what was logged under `key`, which names a call of the model `identity`; None if nothing was."""
        with self._lock:
            return self._read(identity).find(unhexlify(key))

    def append(self, identity: str, key: str, payload: Mapping[str, Any]) -> None:
        """Log `payload` of the model `identity` under `key`; it is safe from a kill when this returns.

        Raises:
            UserError: where the disk refuses.
        """
        line = f'{{"key": "{key}", "run": {self._run}, "payload": {encode(dict(payload))}}}'
        with self._lock:
            index = self._read(identity)
            if identity not in self._own:
                self._own[identity] = self._new_file(index, self._folders[identity])
            own = self._own[identity]
            index.add(unhexlify(key), own.number, own.file.append(line), same_run=True)

    def note_limit(self, identity: str, limit: int) -> None:
        """Note that the model `identity` wrote under a token limit; so many limits at the most are noted, the first.

        Raises:
            UserError: where the disk refuses.
        """
        with self._lock:
            limits = self._read_limits(identity)
            if limit in limits or len(limits) >= _MOST_LIMITS:
                return
            folder = self.folder / folder_name(identity)
            make_folder(folder)
            try:
                (folder / f"{_LIMIT}{limit}").touch()
            except OSError as error:
                raise disk_error(error, folder) from error
            limits.add(limit)

    def find_lower_limits(self, identity: str, limit: int) -> list[int]:
        """Return the token limits below `limit` under which the model `identity` wrote, the highest first."""
        with self._lock:
            return sorted((each for each in self._read_limits(identity) if each < limit), reverse=True)

    def close(self) -> None:
        """Give the files back; the log may be used again."""
        with self._lock:
            while self._own:
                self._own.popitem()[1].file.close()
            if self._index is not None:
                self._index.close_files()

    def _read_limits(self, identity: str) -> set[int]:
        if identity not in self._limits:
            names = [
                path.name.removeprefix(_LIMIT) for path in (self.folder / folder_name(identity)).glob(f"{_LIMIT}*")
            ]
            self._limits[identity] = {int(name) for name in names if name.isdecimal()}
        return self._limits[identity]

    def _read(self, identity: str) -> "_Index":
        """Return the index, with what the model wrote in it."""
        if self._index is None:
            self._index = _Index(self._run.encode("ascii"))
            self._index.read_folder(self.folder)
        if identity not in self._folders:
            self._folders[identity] = self.folder / folder_name(identity)
            self._index.read_folder(self._folders[identity])
        return self._index

    def _new_file(self, index: "_Index", folder: Path) -> "_OwnFile":
        """Begin a file that sorts behind all that are in its folder, under a name that no other process takes."""
        make_folder(folder)
        names = [path.name[:6] for path in index.paths if path.parent == folder]
        last = max((int(name) for name in names if name.isdecimal()), default=0)
        path = folder / f"{last + 1:06}-{os.getpid()}-{secrets.token_hex(4)}.jsonl"
        index.paths.append(path)
        return _OwnFile(AppendFile(path, fsync_seconds=self._fsync_seconds), len(index.paths) - 1)


@dataclass(frozen=True, slots=True)
class _OwnFile:
    """Where this process adds what one model writes, and its number in the index."""

    file: AppendFile
    number: int


@dataclass(slots=True)
class _Index:
    """Where each key's line is: number of its file, offset and whether the same run wrote it, packed in one integer."""

    run_mark: bytes
    paths: list[Path] = field(default_factory=list)
    _places: dict[bytes, int] = field(default_factory=dict)
    _files: dict[int, BinaryIO] = field(default_factory=dict)

    def add(self, key: bytes, number: int, offset: int, *, same_run: bool) -> None:
        if same_run or not self._places.get(key, 0) & 1:
            self._places[key] = number << 41 | offset << 1 | same_run

    def find(self, key: bytes) -> LoggedCall | None:
        place = self._places.get(key)
        if place is None:
            return None
        number, offset = place >> 41, place >> 1 & (1 << 40) - 1
        try:
            file = self._open(number)
            file.seek(offset)
            line = file.readline()
        except OSError as error:
            raise disk_error(error, self.paths[number]) from error
        payload = _payload(line, key)
        if payload is None:
            del self._places[key]
            _report(self.paths[number], _line_number(self.paths[number], offset))
            return None
        return LoggedCall(payload, bool(place & 1))

    def read_folder(self, folder: Path) -> None:
        """Read the files of a folder; those of its sub-folders are not of it."""
        for path in sorted(folder.glob("*.jsonl")):
            self.read(path)

    def read(self, path: Path) -> None:
        """Note the place of each line of a file, by its fixed beginning and its end; the payloads are not looked at."""
        offset = 0
        self.paths.append(path)
        for line_number, line in enumerate(_lines(path), 1):
            key = _key(line)
            if key is not None:
                self.add(key, len(self.paths) - 1, offset, same_run=line.startswith(self.run_mark, _RUN))
            elif line.endswith(b"\n"):
                _report(path, line_number)
            offset += len(line)

    def close_files(self) -> None:
        for file in self._files.values():
            file.close()
        self._files.clear()

    def _open(self, number: int) -> BinaryIO:
        if number not in self._files:
            if len(self._files) == _OPEN_FILES:
                self._files.pop(next(iter(self._files))).close()
            self._files[number] = self.paths[number].open("rb")
        return self._files[number]


def _lines(path: Path) -> Iterator[bytes]:
    try:
        with path.open("rb") as file:
            yield from file
    except OSError as error:
        raise disk_error(error, path) from error


def _key(line: bytes) -> bytes | None:
    if not (line.startswith(_BEFORE_KEY) and line.startswith(_AFTER_KEY, _KEY.stop) and line.endswith(b"}\n")):
        return None
    try:
        return unhexlify(line[_KEY])
    except ValueError:
        return None


def _payload(line: bytes, key: bytes) -> dict[str, Any] | None:
    """What a line holds, None if it is spoilt."""
    try:
        entry = decode(line)
    except ValueError:
        return None
    sound = _key(line) == key and isinstance(entry, dict) and isinstance(entry.get("payload"), dict)
    return entry["payload"] if sound else None


def _line_number(path: Path, offset: int) -> int:
    number = 1
    for line in _lines(path):
        if offset <= 0:
            break
        number, offset = number + 1, offset - len(line)
    return number


def _report(path: Path, line_number: int) -> None:
    logger.warning("{}:{}: not a line of the call log; that call is made again", path, line_number)
