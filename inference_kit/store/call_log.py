"""The call log: what was generated or scored, by key, so that nothing is paid for twice.

Why: an interrupted search goes on where it was, a larger N re-uses the smaller, a second method re-uses what matches.
Promises: an appended payload outlives a killed process; each writing process has its own file; what a model wrote is in
a sub-folder of its own, which is opened at the first use, and no other model's. Files beside the sub-folders are older,
of any model, and are read as well. Empty files in a sub-folder name the token limits of its calls. Of a key that is
there twice a line of the same run comes first. Threads may share a log.
"""

import hashlib
import json
import re
from binascii import unhexlify
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from threading import Lock
from typing import Any

from inference_kit.store.atomic import disk_error, make_folder
from inference_kit.store.call_folder import CallFolder, LoggedCall
from inference_kit.store.encoding import encode

_LIMIT = "limit-"
_MOST_LIMITS = 16
"""Token limits that are looked under; a search with budgets asks with ever another one."""

_READABLE = 60
"""Characters of an identity that stand in the name of its folder."""
_CANONICAL = json.JSONEncoder(sort_keys=True, separators=(",", ":"))


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
        self.folder, self._run, self._fsync_seconds = folder, run, fsync_seconds
        self._lock = Lock()
        self._folders: dict[str, CallFolder] = {}
        self._limits: dict[str, set[int]] = {}

    def find(self, identity: str, key: str) -> LoggedCall | None:
        """Return what was logged under `key`, which names a call of the model `identity`; None if nothing was.

        Raises:
            UserError: where the disk refuses.
        """
        wanted = unhexlify(key)
        found = self._open(identity).find(wanted)
        if found and found.same_run:
            return found
        older = self._open("").find(wanted)
        return older if older and (older.same_run or not found) else found

    def append(self, identity: str, key: str, payload: Mapping[str, Any]) -> None:
        """Log `payload` of the model `identity` under `key`; it is safe from a kill when this returns.

        Raises:
            UserError: where the disk refuses.
        """
        self._open(identity).append(key, encode(dict(payload)))

    def read_own(self, identity: str) -> Iterator[dict[str, Any]]:
        """Yield what this run, in whichever process, has logged of the model `identity`.

        Raises:
            UserError: where the disk refuses.
        """
        return self._open(identity).read_own()

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
        for folder in list(self._folders.values()):
            folder.close()

    def _read_limits(self, identity: str) -> set[int]:
        if identity not in self._limits:
            names = [
                path.name.removeprefix(_LIMIT) for path in (self.folder / folder_name(identity)).glob(f"{_LIMIT}*")
            ]
            self._limits[identity] = {int(name) for name in names if name.isdecimal()}
        return self._limits[identity]

    def _open(self, identity: str) -> CallFolder:
        """Open the folder of a model, or without a name the one of before there were any."""
        if (known := self._folders.get(identity)) is not None:
            return known
        with self._lock:
            if identity not in self._folders:
                folder = self.folder / folder_name(identity) if identity else self.folder
                self._folders[identity] = CallFolder(
                    folder, self._run, model=identity, fsync_seconds=self._fsync_seconds
                )
            return self._folders[identity]


class Cache(CallLog):
    """A call log in which everything found was paid for by an earlier call."""

    def find(self, identity: str, key: str) -> LoggedCall | None:
        """Return what was logged, as another run's."""
        found = super().find(identity, key)
        return replace(found, same_run=False) if found else None
