"""A file that only grows, by a whole line at a time.

Why: the partial file and the call log hold paid work; each line must be safe once its `append` has returned.
Promises: an appended line is with the operating system, so it outlives a killed process. It is on the disk after
`fsync_seconds` at the latest, as long as lines keep coming. A line that does not fit leaves no trace.
"""

import fcntl
import os
import time
from contextlib import suppress
from pathlib import Path

from inference_kit.store.atomic import ESCAPE, disk_error


class AppendFile:
    """One writer's end of a file; not to be shared between threads without a lock."""

    def __init__(self, path: Path, *, size: int = 0, fsync_seconds: float | None = 1.0) -> None:
        """Open the file, or create it.

        Args:
            path: Where it is.
            size: Bytes to keep of what is there; the rest is cut off, because half a line would spoil the next one.
            fsync_seconds: Least time between two calls of fsync, which wait for the disk; None never calls it.

        Raises:
            UserError: where the disk refuses.
        """
        self.path, self.size, self._fsync_seconds = path, size, fsync_seconds
        self._synced_at = float("-inf")
        try:
            self._descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o666)
            os.ftruncate(self._descriptor, size)
        except OSError as error:
            raise disk_error(error, path) from error
        if size and os.pread(self._descriptor, 1, size - 1) != b"\n":
            self.append("")  # ends a last line that is whole but for its line break

    def append(self, line: str) -> int:
        """Add a line and return the offset it starts at.

        Raises:
            UserError: where the disk refuses; the file is then as it was.
        """
        data = f"{line}\n".encode("utf-8", ESCAPE)
        start, end = self.size, self.size + len(data)
        try:
            self._write(data)
            self._sync()
            self.size = end
        except OSError as error:
            raise disk_error(error, self.path) from error
        finally:
            if self.size != end:
                os.ftruncate(self._descriptor, self.size)
        return start

    def hold(self) -> None:
        """Mark the file as in use until it is closed, however its process ends; some network disks know no marks."""
        with suppress(OSError):
            fcntl.flock(self._descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)

    def close(self) -> None:
        """Wait for the disk, unless that is switched off, and close.

        Raises:
            UserError: where the disk refuses.
        """
        try:
            if self._fsync_seconds is not None:
                os.fsync(self._descriptor)
        except OSError as error:
            raise disk_error(error, self.path) from error
        finally:
            os.close(self._descriptor)

    def _write(self, data: bytes) -> None:
        rest = memoryview(data)
        while rest:
            rest = rest[os.write(self._descriptor, rest) :]

    def _sync(self) -> None:
        if self._fsync_seconds is not None and time.monotonic() - self._synced_at >= self._fsync_seconds:
            os.fsync(self._descriptor)
            self._synced_at = time.monotonic()
