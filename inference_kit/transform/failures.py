"""Failures: which records were given up, and where they stand, so that the next run tries just those.

Why: among 300,000 records some fail, and nobody wants to look for them or to pay for the others again.
Promises: a line for each record that failed, of all files of an output; what failed is in no other place.
"""

import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

from inference_kit.store.append_file import AppendFile
from inference_kit.store.atomic import make_folder, write_atomically

NAME = "failures.jsonl"


@dataclass(frozen=True, slots=True)
class Failure:
    """A record that failed: its file and number, its bytes in the unpacked output, why, and how often it was asked."""

    file: str
    number: int
    start: int
    end: int
    error: str
    attempts: int


class Failures:
    """The failures of one output folder."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / NAME
        self._file: AppendFile | None = None

    def read(self, file: str) -> list[Failure]:
        """Read those of one file, in the order of its records."""
        return sorted((each for each in self._read_all() if each.file == file), key=lambda each: each.start)

    def add(self, failure: Failure) -> None:
        """Add a line.

        Raises:
            UserError: where the disk refuses.
        """
        if self._file is None:
            make_folder(self.path.parent)
            size = self.path.stat().st_size if self.path.exists() else 0
            self._file = AppendFile(self.path, size=size)
        self._file.append(json.dumps(asdict(failure), ensure_ascii=False))

    def drop(self, file: str, *, start: int = 0) -> None:
        """Drop those of one file from a byte of its output on.

        Raises:
            UserError: where the disk refuses.
        """
        self.close()
        if not self.path.exists():
            return
        kept = (each for each in self._read_all() if each.file != file or each.start < start)
        with write_atomically(self.path) as lines:
            lines.writelines(json.dumps(asdict(each), ensure_ascii=False) + "\n" for each in kept)
        if not self.path.stat().st_size:
            self.path.unlink()

    def close(self) -> None:
        """Close the file; it may be used again."""
        if self._file:
            self._file.close()
            self._file = None

    def _read_all(self) -> Iterator[Failure]:
        if not self.path.exists():
            return
        with self.path.open(encoding="utf-8", errors="replace") as lines:
            for line in lines:
                try:
                    yield Failure(**json.loads(line))
                except (ValueError, TypeError):
                    continue  # a torn line; that record's failure shows again when it is asked for
