"""Sources: a file, a hub id or a snapshot of the hub, as a stream of rows and a digest of their content.

Why: a data set should not know where its rows come from, and a mistyped path should not become a download.
Promises: nothing is opened before rows or digest are asked for. Equal content has an equal digest.
"""

import hashlib
import json
import os
import re
from collections.abc import Iterator
from functools import cached_property
from pathlib import Path
from typing import Any, Protocol

from inference_kit.config import find_nearest
from inference_kit.dataset.files import LocatedRow, is_data_file, read_rows, to_json_types
from inference_kit.dataset.hub import find_snapshot, load_table
from inference_kit.errors import UserError

HUB_ID = re.compile(r"[\w-][\w.-]*/[\w-][\w.-]*")


class Source(Protocol):
    """Where rows come from; `location` is what error lines call it."""

    location: str

    def read_rows(self) -> Iterator[LocatedRow]:
        """Read the rows, in their order."""
        ...

    def compute_digest(self) -> str:
        """Compute a sha256 in hexadecimal; equal for equal content."""
        ...


def resolve_source(dataset_path: str, *, subset: str | None, split: str) -> Source:
    """Return the file, the snapshot folder or the data set of the hub that `dataset_path` names.

    A hub id is `org/name`, does not look like a path, and names nothing that exists here.
    """
    path = Path(os.path.expandvars(dataset_path)).expanduser()
    like_a_path = dataset_path.startswith((".", "/", "~", "$")) or is_data_file(path)
    if path.is_dir() and (snapshot := find_snapshot(path)):
        return HubSource(str(snapshot), subset, split)
    if like_a_path or path.exists() or not HUB_ID.fullmatch(dataset_path):
        return FileSource(path)
    return HubSource(dataset_path, subset, split)


class FileSource:
    """One file, in a format that `files.py` reads."""

    def __init__(self, path: Path) -> None:
        self.path, self.location = path, str(path)

    def read_rows(self) -> Iterator[LocatedRow]:
        """Read the rows, one at a time where the format can be streamed.

        Raises:
            UserError: where there is no such file, or a row is malformed.
        """
        self._check()
        return read_rows(self.path)

    def compute_digest(self) -> str:
        """Compute the sha256 of the file's bytes."""
        self._check()
        with self.path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()

    def _check(self) -> None:
        if self.path.is_dir():
            inside = ", ".join(sorted(each.name for each in self.path.iterdir() if is_data_file(each))[:8])
            raise UserError(
                "is a folder", where=self.location, fix=f"Give one file of it: {inside or 'it holds none'}."
            )
        if not self.path.exists():
            raise UserError("no such data set file", where=self.location, fix=find_nearest(self.path))
        if not os.access(self.path, os.R_OK):
            raise UserError("may not be read", where=self.location, fix="Ask its owner for the permission.")


class HubSource:
    """A data set of the Hugging Face hub, downloaded and cached by `datasets`, or a folder with a snapshot of one."""

    def __init__(self, hub_id: str, subset: str | None, split: str) -> None:
        self.hub_id, self.subset, self.split = hub_id, subset, split
        self.location = f"{hub_id} ({', '.join([*([subset] if subset else []), split])})"

    def read_rows(self) -> Iterator[LocatedRow]:
        """Read the rows out of the memory map that `datasets` keeps.

        Raises:
            UserError: where the hub does not give them.
        """
        for number, row in enumerate(self._table, start=1):
            yield LocatedRow(to_json_types(row), f"{self.location}: row {number}")

    def compute_digest(self) -> str:
        """Compute the sha256 of the rows, so that it changes with a revision and not with another machine's cache."""
        content = hashlib.sha256()
        for located in self.read_rows():
            content.update(json.dumps(located.row, sort_keys=True).encode())
        return content.hexdigest()

    @cached_property
    def _table(self) -> Any:
        return load_table(self.hub_id, self.subset, self.split, where=self.location)
