"""Atomic writes: a file is the old one or the new one, never half of it; and errors of the disk as one line.

Why: a kill or a full disk may come at any moment, and half a result file looks like a whole one.
Promises: a file is written beside its place and moved there once it is whole and on the disk. An error of the disk
becomes a `UserError`.
"""

import errno
import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TextIO

from inference_kit.errors import UserError, named

ESCAPE = "backslashreplace"
"""How a lone surrogate, which UTF-8 cannot hold, is written: as `\\ud800`, which JSON reads back."""

_SPACE = "Free some space and start again; everything finished is kept."
_ACCESS = "Choose another place, or mend its permissions."
_FILES = f"Raise the limit (ulimit -n 4096), or lower {named('server_concurrency')}; everything finished is kept."
_DISK_ERRORS: dict[int | None, tuple[str, str]] = {
    errno.ENOSPC: ("the disk is full", _SPACE),
    errno.EDQUOT: ("the disk quota is used up", _SPACE),
    errno.EFBIG: ("the file has reached the size that is allowed here", _SPACE),
    errno.EACCES: ("no permission", _ACCESS),
    errno.EPERM: ("not permitted", _ACCESS),
    errno.EROFS: ("the disk is read-only", _ACCESS),
    errno.ENOENT: ("no such file or folder", "Check the path."),
    errno.ENOTDIR: ("a part of the path is a file, not a folder", "Check the path."),
    errno.EEXIST: ("a file of this name is in the way of a folder", "Check the path."),
    errno.EISDIR: ("this is a folder", "Name a file."),
    errno.ENAMETOOLONG: ("the name is too long", f"Choose a shorter {named('exp_name')} or path."),
    errno.EMFILE: ("too many files are open", _FILES),
    errno.ENFILE: ("too many files are open on this machine", _FILES),
    errno.EIO: ("the disk reports an error", "Choose another place; everything finished is kept."),
}


@contextmanager
def write_atomically(path: Path) -> Iterator[TextIO]:
    """Open a text file that replaces `path` once the `with` block ends without an error.

    On any error `path` stays as it was. What is no regular file, such as /dev/null, is written to directly.

    Raises:
        UserError: where the disk refuses.
    """
    target = path.resolve()  # a symbolic link stays one, and what it leads to is replaced
    aside = target.with_name(f".{target.name[:200]}.{secrets.token_hex(4)}.tmp")
    try:
        replaced = target.is_file() or not target.exists()
        with (aside if replaced else target).open("w", encoding="utf-8", newline="\n", errors=ESCAPE) as file:
            yield file
            if replaced:
                file.flush()
                os.fsync(file.fileno())
        if replaced:
            aside.replace(target)
    except OSError as error:
        if error.errno not in _DISK_ERRORS or error.filename not in (None, str(aside), str(target)):
            raise  # not of this file: what is written may come from other files, or over the network
        raise disk_error(error, path) from error
    finally:
        with suppress(OSError):
            aside.unlink()


def make_folder(path: Path) -> None:
    """Create a folder and those above it, where they are missing.

    Raises:
        UserError: where the disk refuses.
    """
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise disk_error(error, path) from error


def disk_error(error: OSError, path: Path) -> UserError:
    """Turn an error of the disk at `path` into the line that the user gets."""
    what, fix = _DISK_ERRORS.get(error.errno, (error.strerror or str(error), ""))
    return UserError(what, where=str(path), fix=fix)
