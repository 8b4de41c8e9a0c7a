"""One writer for a folder.

Why: two runs that append to the same files would spoil both.
Promises: the second one is refused with the first one's PID; the kernel gives the lock back when its process ends,
however that comes, so there is no stale lock to remove; programs that a run starts do not inherit it.
"""

import fcntl
import os
import time
from pathlib import Path
from types import TracebackType

from inference_kit.errors import UserError
from inference_kit.store.atomic import disk_error

NAME = ".lock"
LOOKS, LOOK_SECONDS = 20, 0.01
"""How often, and how far apart, a lock without a PID is looked at before it counts as unknown."""


class FolderLock:
    """Holds a folder for this process while it is entered; the lock file stays behind, empty."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / NAME
        self._descriptor = -1

    def __enter__(self) -> "FolderLock":
        try:
            self._descriptor = os.open(self.path, os.O_RDWR | os.O_CREAT, 0o666)
            self._take()
        except OSError as error:
            raise disk_error(error, self.path) from error
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        os.ftruncate(self._descriptor, 0)
        os.close(self._descriptor)

    def _take(self) -> None:
        try:
            fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            holder = self._holder()
            os.close(self._descriptor)
            raise UserError(
                f"locked by PID {holder}, which is writing here",
                where=str(self.path.parent),
                fix="Wait for it, stop it, or choose another --exp-name.",
            ) from error
        os.ftruncate(self._descriptor, 0)
        os.pwrite(self._descriptor, f"{os.getpid()}\n".encode(), 0)

    def _holder(self) -> str:
        """The PID of whoever has the lock, which stands in the file a moment after it is taken."""
        for _ in range(LOOKS):
            if holder := os.pread(self._descriptor, 20, 0).decode("ascii", "replace").strip():
                return holder
            time.sleep(LOOK_SECONDS)
        return "unknown"
