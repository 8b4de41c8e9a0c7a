"""Compression: the bytes of a data file, whether it is packed by gzip, by zstandard or not at all.

Why: data sets are handed on packed, and nobody should have to unpack one to try a prompt on it.
Promises: a packed file is streamed; one that is torn or no packed file is one line.
"""

import gzip
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from io import BufferedReader
from pathlib import Path
from typing import BinaryIO, cast

from inference_kit.errors import UserError

PACKED = {".gz": "gzip", ".zst": "zstandard"}
"""What a suffix behind that of the format says."""

_SKIPPED = 1 << 20


def split_suffix(path: Path) -> tuple[str, str]:
    """Return the suffix of the format, and that of the packing or an empty text; both in lower case."""
    suffix = path.suffix.lower()
    return (Path(path.stem).suffix.lower(), suffix) if suffix in PACKED else (suffix, "")


def name_data(path: Path) -> str:
    """Return the name of a data file without the suffixes of format and packing."""
    return Path(path.stem).stem if split_suffix(path)[1] else path.stem


@contextmanager
def open_unpacked(path: Path) -> Iterator[BinaryIO]:
    """Open a file for reading its unpacked bytes.

    Raises:
        UserError: where it cannot be unpacked, at any time while it is read.
    """
    packing = split_suffix(path)[1]
    if not packing:
        with path.open("rb") as file:
            yield file
        return
    try:
        if packing == ".gz":
            with gzip.open(path) as unpacked:
                yield cast(BinaryIO, unpacked)
        else:
            import pyarrow

            with pyarrow.input_stream(str(path), compression="zstd") as stream:
                yield cast(BinaryIO, BufferedReader(stream))
    except (OSError, EOFError, zlib.error) as error:
        raise UserError(
            f"not a {PACKED[packing]} file that can be unpacked ({error})",
            where=str(path),
            fix="It may be torn: copy or fetch it again.",
        ) from error


def skip(file: BinaryIO, count: int) -> None:
    """Pass over bytes of what `open_unpacked` has opened; where it cannot jump, they are read."""
    if file.seekable():
        file.seek(count, 1)
        return
    while count > 0 and (data := file.read(min(count, _SKIPPED))):
        count -= len(data)
