"""The files of a call log, to look over and to clean: whose they are, how large, since when.

Why: the log of a work folder grows with every run, and nobody else knows which part of it is still of use.
Promises: looking changes nothing. A file that a process is writing is not deleted. What is deleted is whole files, so
what stays is found as before.
"""

import fcntl
import os
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from inference_kit.errors import UserError
from inference_kit.store.atomic import disk_error
from inference_kit.store.encoding import decode
from inference_kit.store.key_index import NAME

CALLS = ".calls"
"""The folder of the call log in a work folder."""

_FIRST_LINE = 1 << 24
_CHUNK = 1 << 20


@dataclass(frozen=True, slots=True)
class CallFile:
    """What one process logged of one model: `calls` lines, `size` bytes, last written at `written` (seconds, UTC)."""

    path: Path
    model: str
    run: str
    calls: int
    size: int
    written: float


def find_call_log(path: Path) -> Path:
    """Return the call log of a work folder, or `path` if it is one.

    Raises:
        UserError: where there is none.
    """
    for folder in (path / CALLS, path):
        if any(True for _ in _list_paths(folder)):
            return folder
    what = "no call log is here" if path.exists() else "no such folder"
    raise UserError(what, where=str(path), fix="Name a work folder, as in `cache info results`.")


def read_call_files(folder: Path, *, count: bool = True) -> list[CallFile]:
    """Read whose each file of a call log is; without `count` the calls are not counted, which reads all of it.

    Raises:
        UserError: where the disk refuses.
    """
    return [_read_file(path, folder, count=count) for path in _list_paths(folder)]


def delete_call_files(files: list[CallFile]) -> list[CallFile]:
    """Delete files, and folders in which none is left; return those that a process is writing, which stay.

    Raises:
        UserError: where the disk refuses.
    """
    kept = [file for file in files if not _delete(file.path)]
    for folder in {file.path.parent for file in files}:
        if not any(folder.glob("*.jsonl")):
            _delete_rest(folder)
    return kept


def _list_paths(folder: Path) -> Iterator[Path]:
    for pattern in ("*.jsonl", "*/*.jsonl"):
        yield from (path for path in sorted(folder.glob(pattern)) if path.name[:6].isdecimal())


def _read_file(path: Path, folder: Path, *, count: bool) -> CallFile:
    try:
        status = path.stat()
        with path.open("rb") as file:
            about = _read_about(file.readline(_FIRST_LINE))
            calls = 0
            if count:
                file.seek(0)
                while chunk := file.read(_CHUNK):
                    calls += chunk.count(b"\n")
    except OSError as error:
        raise disk_error(error, path) from error
    unnamed = "" if path.parent == folder else path.parent.name.rpartition("-")[0]
    model, run = str(about.get("model") or unnamed or "?"), str(about.get("run", "?"))
    return CallFile(path, model, run, calls, status.st_size, status.st_mtime)


def _read_about(line: bytes) -> dict[str, Any]:
    try:
        entry = decode(line)
    except ValueError:
        return {}
    return entry if isinstance(entry, dict) else {}


def _delete(path: Path) -> bool:
    """Delete a file unless it is in use."""
    try:
        descriptor = os.open(path, os.O_RDWR)
    except FileNotFoundError:
        return True
    except OSError as error:
        raise disk_error(error, path) from error
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        path.unlink(missing_ok=True)
    except BlockingIOError:
        return False
    except OSError as error:
        raise disk_error(error, path) from error
    finally:
        os.close(descriptor)
    return True


def _delete_rest(folder: Path) -> None:
    """Delete what stands beside files of calls only for their sake."""
    for path in (*folder.glob(f"{NAME}*"), *folder.glob(f".{NAME}*"), *folder.glob("limit-*")):
        with suppress(OSError):
            path.unlink()
    with suppress(OSError):
        folder.rmdir()
