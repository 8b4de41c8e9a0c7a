"""Streams: standard input, output and error as commands find them, whatever they are connected to.

Why: a reader that leaves (`| head`), a stream that was closed (`>&-`) or a terminal that lacks a character must not
cost a run its results.
Promises: the three descriptors are open, so no file of a run takes their numbers. A character that the encoding lacks
is written as `\\uXXXX`, which JSON reads back; input that is no text of its encoding is replaced. What standard error
refuses is dropped. What standard output refuses is dropped where a command's results are files; elsewhere it is
`OutputLost`, once.
"""

import codecs
import io
import json
import os
import select
import sys
from typing import Any, TextIO

STANDARD_OUTPUT = 1


class OutputLost(BaseException):
    """Standard output takes no more; `error` says why. No boundary that goes on after an error catches it."""

    def __init__(self, error: OSError) -> None:
        self.error = error
        super().__init__(str(error))

    @property
    def reader_left(self) -> bool:
        """Whether whoever read it has closed it, as `head` does."""
        return isinstance(self.error, BrokenPipeError)


def prepare_streams(*, may_lose_output: bool) -> None:
    """Prepare the three streams of this process; streams that a test has put in their places keep their descriptors.

    Args:
        may_lose_output: Whether the command goes on where nobody reads its output.
    """
    _open_descriptors()
    codecs.register_error("inference_kit.escape", _escape)
    if isinstance(sys.stdin, io.TextIOWrapper):
        encoding = "utf-8" if codecs.lookup(sys.stdin.encoding).name == "ascii" else sys.stdin.encoding
        sys.stdin.reconfigure(encoding=encoding, errors="replace")
    sys.stdin = sys.stdin or open(0, encoding="utf-8", errors="replace", closefd=False)  # noqa: SIM115
    sys.stdout = _wrap(sys.stdout, STANDARD_OUTPUT, drops=may_lose_output)
    sys.stderr = _wrap(sys.stderr, 2, drops=True)


def _open_descriptors() -> None:
    """Open what was closed when this process began, to nowhere; the next file would get its number."""
    for descriptor in (0, 1, 2):
        try:
            os.fstat(descriptor)
        except OSError:
            opened = os.open(os.devnull, os.O_RDWR)
            if opened != descriptor:
                os.dup2(opened, descriptor)
                os.close(opened)
            os.set_inheritable(descriptor, True)


def _wrap(stream: TextIO | None, descriptor: int, *, drops: bool) -> TextIO:
    """Return a stream of the same encoding over `_Descriptor`."""
    if stream is not None and (type(stream) is not io.TextIOWrapper or stream.fileno() != descriptor):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="inference_kit.escape")
        return stream
    # An unbuffered stream (PYTHONUNBUFFERED) says `write_through` only, and that ends at the new buffer below it.
    at_once = stream is not None and (stream.line_buffering or stream.write_through)
    return io.TextIOWrapper(
        io.BufferedWriter(_Descriptor(descriptor, drops=drops)),
        encoding=stream.encoding if stream else "utf-8",
        errors="inference_kit.escape",
        line_buffering=at_once,
    )


class _Descriptor(io.RawIOBase):
    """Writes to a descriptor until it refuses; from then on what is written is dropped."""

    def __init__(self, descriptor: int, *, drops: bool) -> None:
        self._descriptor, self._drops = descriptor, drops
        self._lost = False
        self.name = "<stdout>" if descriptor == STANDARD_OUTPUT else "<stderr>"

    def write(self, data: Any, /) -> int:
        """Write as much of `data` as is taken, and return how many bytes that were.

        Raises:
            OutputLost: the first time that the descriptor refuses, unless what is refused may be dropped.
        """
        while not self._lost:
            try:
                return os.write(self._descriptor, data)
            except BlockingIOError:  # another program has made the terminal or pipe non-blocking
                waiting = select.poll()
                waiting.register(self._descriptor, select.POLLOUT)
                waiting.poll()
            except OSError as error:
                self._lost = True
                if not self._drops:
                    raise OutputLost(error) from error
        return memoryview(data).nbytes

    def writable(self) -> bool:
        return True

    def fileno(self) -> int:
        return self._descriptor

    def isatty(self) -> bool:
        return os.isatty(self._descriptor)


def _escape(error: UnicodeError) -> tuple[str, int]:
    if not isinstance(error, UnicodeEncodeError):
        raise error
    return json.dumps(error.object[error.start : error.end])[1:-1], error.end
