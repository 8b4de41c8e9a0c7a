"""Parts: an output that grows, and how far it is, so that a killed process goes on at the last checkpoint.

Why: an output of a gigabyte is a weekend's work, and half a record in it would spoil all of it.
Promises: what a state says is on the disk before the state is; a part is cut back to what its state says; packed
outputs get a frame of their own at each checkpoint, so none is ever cut in half; the output is moved to its place when
it is whole, and with the permissions of what it replaces.
"""

import gzip
import hashlib
import json
import os
import shutil
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from inference_kit.dataset.compression import open_unpacked, skip, split_suffix
from inference_kit.errors import UserError
from inference_kit.store.atomic import disk_error, make_folder, write_atomically

_ENDS = 1 << 16
_COPIED = 1 << 20


@dataclass
class State:
    """How far an output is: `number` records and `read` bytes of the input are in its first `written` bytes.

    `unpacked` counts what these bytes hold; `settings` are what the output depends on; `source` and `output` say which
    files they are, the latter once it is whole.
    """

    settings: Mapping[str, Any]
    source: Mapping[str, Any]
    number: int = 0
    read: int = 0
    written: int = 0
    unpacked: int = 0
    counts: dict[str, int] = field(default_factory=dict)
    output: Mapping[str, Any] | None = None

    @property
    def done(self) -> bool:
        """Whether the output is whole."""
        return self.output is not None

    def save(self, path: Path) -> None:
        """Write the state.

        Raises:
            UserError: where the disk refuses.
        """
        with write_atomically(path) as file:
            json.dump(asdict(self), file, ensure_ascii=False, indent=1)


def read_state(path: Path) -> State | None:
    """Read a state; None where there is none, or what is there is none."""
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
        return State(**found)
    except (OSError, ValueError, TypeError):
        return None


def identify_file(path: Path) -> dict[str, Any]:
    """Tell a file from another one by its size, its time, and its first and last 64 kB.

    Raises:
        UserError: where it cannot be read.
    """
    try:
        with path.open("rb") as file:
            status = os.fstat(file.fileno())
            digest = hashlib.blake2b(file.read(_ENDS), digest_size=8)
            file.seek(max(0, status.st_size - _ENDS))
            digest.update(file.read(_ENDS))
    except OSError as error:
        raise disk_error(error, path) from error
    return {"size": status.st_size, "mtime_ns": status.st_mtime_ns, "digest": digest.hexdigest()}


class Part:
    """An output while it is written; `written` and `unpacked` are what is in it, what waits in memory included."""

    def __init__(self, path: Path, *, written: int = 0, unpacked: int = 0) -> None:
        """Open the part, and cut it back to `written` bytes.

        Raises:
            UserError: where the disk refuses, or less than that is there.
        """
        self.path, self.written, self.unpacked = path, written, unpacked
        self._pack = _choose_packing(path)
        self._waiting: list[bytes] = []
        make_folder(path.parent)
        try:
            self._descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o666)
            if os.fstat(self._descriptor).st_size < written:
                os.close(self._descriptor)
                fix = "Begin anew: --no-resume."
                raise UserError("what was written is no longer there", where=str(path), fix=fix)
            os.ftruncate(self._descriptor, written)
            os.lseek(self._descriptor, 0, os.SEEK_END)
        except OSError as error:
            raise disk_error(error, path) from error

    def add(self, data: bytes) -> None:
        """Add bytes, which wait in memory until the next flush."""
        self._waiting.append(data)
        self.unpacked += len(data)

    def copy(self, source: Path, start: int, end: int) -> None:
        """Add a stretch of the unpacked bytes of another file."""
        with open_unpacked(source) as file:
            skip(file, start)
            left = end - start
            while left > 0 and (data := file.read(min(left, _COPIED))):
                self.add(data)
                self.flush()
                left -= len(data)

    def flush(self) -> None:
        """Write what waits to the disk.

        Raises:
            UserError: where the disk refuses; the part then ends where it did before.
        """
        if not self._waiting:
            return
        data = memoryview(self._pack(b"".join(self._waiting)))
        size = len(data)
        try:
            while data:
                data = data[os.write(self._descriptor, data) :]
            self.written += size
            self._waiting.clear()
        except OSError as error:
            os.ftruncate(self._descriptor, self.written)
            os.lseek(self._descriptor, self.written, os.SEEK_SET)
            raise disk_error(error, self.path) from error

    def sync(self) -> None:
        """Wait until what was written is on the disk.

        Raises:
            UserError: where the disk refuses.
        """
        try:
            os.fsync(self._descriptor)
        except OSError as error:
            raise disk_error(error, self.path) from error

    def close(self) -> None:
        """Close the part; what waits is dropped."""
        os.close(self._descriptor)

    def move(self, target: Path) -> None:
        """Put the whole part in its place, with the permissions of what it replaces.

        Raises:
            UserError: where the disk refuses.
        """
        self.flush()
        self.sync()
        make_folder(target.parent)
        try:
            if target.exists():
                shutil.copymode(target, self.path)
            self.path.replace(target)
        except OSError as error:
            raise disk_error(error, target) from error


def _choose_packing(path: Path) -> Callable[[bytes], bytes]:
    packing = split_suffix(path)[1]
    if packing == ".gz":
        return lambda data: gzip.compress(data, mtime=0)
    if packing == ".zst":
        import pyarrow

        return lambda data: bytes(pyarrow.compress(data, codec="zstd", asbytes=True))
    return lambda data: data
