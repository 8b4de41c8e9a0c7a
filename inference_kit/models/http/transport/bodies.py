"""Bodies of answers, read whole or line by line, up to a size.

Why: a server that never stops writing must not fill this machine's memory.
Promises: what is longer than allowed is cut or malformed, and its connection closed.
"""

from collections.abc import AsyncGenerator, Iterable
from typing import TYPE_CHECKING, Protocol, TypeVar

from inference_kit.models.http.untrusted_json import Malformed

if TYPE_CHECKING:
    from aiohttp import ClientResponse

Item = TypeVar("Item")
Read = TypeVar("Read", covariant=True)


class LineReader(Protocol[Read]):
    """Reads an answer that comes line by line; either method may raise `Malformed`."""

    def read(self, line: str) -> Iterable[Read]:
        """Return what one more line adds, where it adds anything."""

    def end(self) -> Iterable[Read]:
        """Return what is to be said once the last line has come."""


async def read_body(response: "ClientResponse", most_bytes: int, *, cut: bool = False) -> bytes:
    """Read the body of an answer; a longer one is cut, or malformed."""
    pieces: list[bytes] = []
    size = 0
    async for piece in response.content.iter_any():
        pieces.append(piece)
        size += len(piece)
        if size > most_bytes:
            response.close()
            if cut:
                break
            raise Malformed(f"it is longer than {most_bytes} bytes")
    return b"".join(pieces)


async def read_lines(
    response: "ClientResponse", reader: LineReader[Item], most_bytes: int
) -> AsyncGenerator[Item, None]:
    """Read the body of an answer line by line; a longer one is malformed."""
    size = 0
    async for line in response.content:
        size += len(line)
        if size > most_bytes:
            response.close()
            raise Malformed(f"it is longer than {most_bytes} bytes")
        for item in reader.read(line.decode("utf-8", "replace").strip()):
            yield item
    for item in reader.end():
        yield item
