"""One writer for a folder.

Why: two runs that append to the same files would spoil both.
Promises: the second one is refused with the first one's PID. The kernel releases the lock when its process ends,
however it ends, so there is no stale lock to remove. Programs that a run starts do not inherit it.
"""

import fcntl
import os
import time
from pathlib import Path
from types import TracebackType

from inference_kit.errors import UserError, named
from inference_kit.store.atomic import disk_error

NAME = ".lock"
PID_ATTEMPTS, PID_WAIT_SECONDS = 20, 0.01
"""How often the PID in a lock file is read, and the wait between, before its holder counts as unknown."""


class FolderLock:
    """Holds a folder for this process while it is entered; the lock file stays behind, empty."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / NAME
        self._descriptor = -1

    def __enter__(self) -> "FolderLock":
        try:
            self._descriptor = os.open(self.path, os.O_RDWR | os.O_CREAT, 0o666)
            self._acquire()
        except OSError as error:
            raise disk_error(error, self.path) from error
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        os.ftruncate(self._descriptor, 0)
        os.close(self._descriptor)

    def _acquire(self) -> None:
        try:
            fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            holder = self._read_holder()
            os.close(self._descriptor)
            raise UserError(
                f"locked by PID {holder}, which is writing here",
                where=str(self.path.parent),
                fix=f"Wait for it, stop it, or choose another {named('exp_name')}.",
            ) from error
        os.ftruncate(self._descriptor, 0)
        os.pwrite(self._descriptor, f"{os.getpid()}\n".encode(), 0)

    def _read_holder(self) -> str:
        """Read the PID of whoever has the lock, which writes it a moment after it got the lock."""
        for _ in range(PID_ATTEMPTS):
            if holder := os.pread(self._descriptor, 20, 0).decode("ascii", "replace").strip():
                return holder
            time.sleep(PID_WAIT_SECONDS)
        return "unknown"
