"""Key index: which line of which file holds a call, sorted by key; packed in memory, and as a file beside the calls.

Why: a work folder holds millions of calls and a run needs a few; to read them all takes seconds and a gigabyte.
Promises: the file is derived, so it may be deleted at any time. It is written aside and moved when it is whole. What it
covers stands in it, and a part that is damaged raises `SpoiltIndex` before it is used. Little of it is in memory: a key
and a checksum for each block of entries. It is read, not mapped, because a map of a file that is cut short, or that a
network disk loses, ends the process by a signal.

The file: blocks of `BLOCK` entries, each three columns of 64-bit numbers (the key's two halves, the place); the last
one is filled up. Then the footer: what is covered as JSON, the first half of each block's first key, each block's
checksum. Then the trailer: the footer's sizes and checksum.
"""

import json
import os
import secrets
import struct
import sys
import time
import zlib
from array import array
from bisect import bisect_left
from collections.abc import Collection, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

if TYPE_CHECKING:
    import numpy as np

NAME = "index.bin"
BLOCK = 128
"""Entries of a block: what one look-up reads, 3 KiB."""

_BLOCK_BYTES = BLOCK * 24
_BLOCKS_AT_ONCE = 1024
_HALVES = struct.Struct(">QQ")
_TRAILER = struct.Struct("<QQQI4s8s")
_MAGIC = b"callidx1"
_BYTE_ORDER = sys.byteorder[:4].encode("ascii")
_OFFSET_BITS = 40
_STALE_SECONDS = 3600


class SpoiltIndex(Exception):
    """A part of the file is not as it was written; the files it stands for are to be read again."""


@dataclass(frozen=True, slots=True)
class Covered:
    """A file of calls as far as an index knows it: its name, the bytes that were read, the run that wrote it."""

    name: str
    size: int
    run: str | None


def pack_place(number: int, offset: int) -> int:
    """Pack the number of a file and the offset of a line into one number of 64 bits."""
    return number << _OFFSET_BITS | offset


def unpack_place(place: int) -> tuple[int, int]:
    """Return the number of the file and the offset of the line."""
    return place >> _OFFSET_BITS, place & (1 << _OFFSET_BITS) - 1


class Entries:
    """Entries in memory, sorted by the first half of their keys, 24 bytes each."""

    def __init__(self, columns: "np.ndarray[Any, np.dtype[np.uint64]]") -> None:
        """Take the columns, (3, entries): the halves of the keys and the places."""
        self.columns = columns
        self._views = [memoryview(column) for column in columns]

    def __len__(self) -> int:
        return len(self._views[0])

    @classmethod
    def sort(cls, places: Mapping[bytes, int]) -> "Entries":
        """Sort places by their keys of 16 bytes."""
        import numpy as np

        halves = np.frombuffer(b"".join(places), dtype=">u8").reshape(-1, 2)
        columns = np.empty((3, len(places)), np.uint64)
        columns[:2] = halves.T
        columns[2] = np.fromiter(places.values(), np.uint64, len(places))
        return cls(columns[:, np.argsort(columns[0], kind="stable")])

    def merge(self, other: "Entries") -> "Entries":
        """Return the entries of both."""
        import numpy as np

        places = np.searchsorted(self.columns[0], other.columns[0], side="right")
        return Entries(np.insert(self.columns, places, other.columns, axis=1))

    def find(self, key: bytes) -> list[int]:
        """Return the places of a key."""
        first, second, places = self._views
        high, low = _HALVES.unpack(key)
        found = []
        for position in range(bisect_left(first, high), len(first)):
            if first[position] != high:
                break
            if second[position] == low:
                found.append(places[position])
        return found


class KeyIndex:
    """An index file that is open for reading; it stays as it was when another takes its place."""

    def __init__(self, folder: Path) -> None:
        """Open the index of a folder.

        Raises:
            SpoiltIndex: where it is not whole.
            OSError: where there is none, or it cannot be read.
        """
        self._n = 0
        self._descriptor = os.open(folder / NAME, os.O_RDONLY)
        try:
            self._read_footer()
        except BaseException:
            self.close()
            raise

    def __len__(self) -> int:
        return self._n

    def find(self, key: bytes) -> list[int]:
        """Return the places of a key.

        Raises:
            SpoiltIndex: where the part of the file that is looked at is damaged.
        """
        high, low = _HALVES.unpack(key)
        places: list[int] = []
        block = max(0, bisect_left(self._firsts, high) - 1)
        while block < len(self._firsts) and self._firsts[block] <= high:
            view = memoryview(self._read_blocks(block, 1)).cast("Q")
            count = min(BLOCK, self._n - block * BLOCK)
            position = bisect_left(view, high, 0, count)
            while position < count and view[position] == high:
                if view[BLOCK + position] == low:
                    places.append(view[2 * BLOCK + position])
                position += 1
            block += 1
        return places

    def read_batches(self) -> Iterator[tuple["np.ndarray[Any, np.dtype[np.uint64]]", int | None]]:
        """Yield all entries in order, (3, entries) at a time, each with the first half of the key that comes next."""
        import numpy as np

        for block in range(0, len(self._firsts), _BLOCKS_AT_ONCE):
            data = self._read_blocks(block, min(_BLOCKS_AT_ONCE, len(self._firsts) - block))
            columns = np.frombuffer(data, np.uint64).reshape(-1, 3, BLOCK).transpose(1, 0, 2).reshape(3, -1)
            following = block + _BLOCKS_AT_ONCE
            yield (
                columns[:, : self._n - block * BLOCK],
                self._firsts[following] if following < len(self._firsts) else None,
            )

    def close(self) -> None:
        """Close the file."""
        os.close(self._descriptor)

    def _read_footer(self) -> None:
        size = os.fstat(self._descriptor).st_size
        trailer = self._pread(max(0, size - _TRAILER.size), _TRAILER.size)
        about_size, n_blocks, n, checksum, order, magic = _TRAILER.unpack(trailer)
        footer_size = about_size + 12 * n_blocks
        sound = magic == _MAGIC and order == _BYTE_ORDER and n_blocks == -(-n // BLOCK)
        if not sound or size != n_blocks * _BLOCK_BYTES + footer_size + _TRAILER.size:
            raise SpoiltIndex
        footer = self._pread(n_blocks * _BLOCK_BYTES, footer_size)
        if zlib.crc32(footer) != checksum:
            raise SpoiltIndex
        self.covered = [Covered(*each) for each in json.loads(footer[:about_size])]
        self._firsts = array("Q", footer[about_size : about_size + 8 * n_blocks])
        self._checksums = array("I", footer[about_size + 8 * n_blocks :])
        self._n, self._checked = n, bytearray(n_blocks)

    def _read_blocks(self, block: int, count: int) -> bytes:
        data = self._pread(block * _BLOCK_BYTES, count * _BLOCK_BYTES)
        for number in range(count):
            if not self._checked[block + number]:  # a block is checked at its first use
                part = memoryview(data)[number * _BLOCK_BYTES : (number + 1) * _BLOCK_BYTES]
                if zlib.crc32(part) != self._checksums[block + number]:
                    raise SpoiltIndex
                self._checked[block + number] = 1
        return data

    def _pread(self, offset: int, size: int) -> bytes:
        data = os.pread(self._descriptor, size, offset)
        if len(data) != size:
            raise SpoiltIndex
        return data


def write_index(
    folder: Path, covered: list[Covered], old: KeyIndex | None, new: Entries, *, gone: Collection[int] = ()
) -> KeyIndex:
    """Write the index of a folder, of the entries of an older one and new ones, and open it.

    Args:
        folder: Where the files of calls are, too.
        covered: What is read of each file, by its number.
        old: The index that is there, if one is used.
        new: What is to be added.
        gone: Numbers of files that are no more; their entries are left out.

    Raises:
        SpoiltIndex: where the older one is damaged.
        OSError: where the disk refuses; the older one stays.
    """
    _delete_stale(folder)
    aside = folder / f".{NAME}.{secrets.token_hex(4)}.tmp"
    try:
        with aside.open("wb") as file:
            _write(file, covered, _merge_batches(old, new, gone))
        aside.replace(folder / NAME)
    finally:
        with suppress(OSError):
            aside.unlink()
    return KeyIndex(folder)


def _merge_batches(
    old: KeyIndex | None, new: Entries, gone: Collection[int]
) -> "Iterator[np.ndarray[Any, np.dtype[np.uint64]]]":
    """Yield the entries of both in order, a batch of the older index at a time."""
    import numpy as np

    done = 0
    for batch, following in old.read_batches() if old else ():
        end = len(new) if following is None else int(np.searchsorted(new.columns[0], np.uint64(following)))
        part = new.columns[:, done:end]
        done = end
        yield _drop(np.insert(batch, np.searchsorted(batch[0], part[0], side="right"), part, axis=1), gone)
    yield _drop(new.columns[:, done:], gone)


def _drop(
    columns: "np.ndarray[Any, np.dtype[np.uint64]]", gone: Collection[int]
) -> "np.ndarray[Any, np.dtype[np.uint64]]":
    import numpy as np

    if not gone:
        return columns
    numbers = columns[2] >> np.uint64(_OFFSET_BITS)
    return columns[:, ~np.isin(numbers, np.array(sorted(gone), np.uint64))]


def _write(file: BinaryIO, covered: list[Covered], batches: "Iterator[np.ndarray[Any, np.dtype[np.uint64]]]") -> None:
    """Write the blocks, the footer and the trailer; what is left of a batch goes before the next one."""
    import numpy as np

    firsts, checksums, n = array("Q"), array("I"), 0
    rest = np.empty((3, 0), np.uint64)
    for batch in batches:
        entries = np.concatenate([rest, batch], axis=1)
        whole = entries.shape[1] // BLOCK * BLOCK
        _write_blocks(file, entries[:, :whole], firsts, checksums)
        rest, n = entries[:, whole:], n + whole
    if left := rest.shape[1]:
        _write_blocks(file, np.pad(rest, ((0, 0), (0, BLOCK - left))), firsts, checksums)
    about = json.dumps([[each.name, each.size, each.run] for each in covered]).encode("utf-8")
    footer = about + firsts.tobytes() + checksums.tobytes()
    file.write(footer)
    file.write(_TRAILER.pack(len(about), len(firsts), n + left, zlib.crc32(footer), _BYTE_ORDER, _MAGIC))
    file.flush()


def _write_blocks(
    file: BinaryIO, entries: "np.ndarray[Any, np.dtype[np.uint64]]", firsts: "array[int]", checksums: "array[int]"
) -> None:
    blocks = entries.reshape(3, -1, BLOCK).transpose(1, 0, 2)
    data = memoryview(blocks.tobytes())
    firsts.frombytes(blocks[:, 0, 0].tobytes())
    checksums.extend(zlib.crc32(data[start : start + _BLOCK_BYTES]) for start in range(0, len(data), _BLOCK_BYTES))
    file.write(data)


def _delete_stale(folder: Path) -> None:
    """Delete what killed processes began to write."""
    for path in folder.glob(f".{NAME}.*.tmp"):
        with suppress(OSError):
            if time.time() - path.stat().st_mtime > _STALE_SECONDS:
                path.unlink()
