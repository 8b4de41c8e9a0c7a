"""A channel: one end of two pipes, through which whole messages pass in both directions.

Why: a deadline must hold in the middle of a message too, because a process can stop anywhere.
Promises: messages arrive whole and in order, all that were sent before the other end was closed included; several
threads may send; one thread receives.

A message is its length in eight bytes and then its content.
"""

import os
import select
import threading
import time
from io import FileIO
from typing import Any

from inference_kit.processes.messages import decode, encode

HEAD_BYTES = 8
PIECE_BYTES = 1 << 16
"""What a pipe holds on Linux."""


class Channel:
    """One end of two pipes, by the numbers of their files. Deadlines are times of `time.monotonic`, None for never."""

    def __init__(self, reading: int, writing: int) -> None:
        for descriptor in (reading, writing):
            os.set_inheritable(descriptor, False)
            os.set_blocking(descriptor, False)
        self._reading, self._writing = FileIO(reading, "r"), FileIO(writing, "w")
        self._received = bytearray()
        self._sending = threading.Lock()

    def send(self, message: Any, deadline: float | None = None) -> None:
        """Send a message.

        Raises:
            TimeoutError: at the deadline; a part of the message may be sent, so the channel is of no more use.
            OSError: where the other end is closed.
        """
        content = encode(message)
        rest = memoryview(len(content).to_bytes(HEAD_BYTES, "big") + content)
        with self._sending:
            if self._writing.closed:
                raise BrokenPipeError
            while rest:
                written = self._writing.write(rest)
                if written is None:
                    _wait(self._writing, select.POLLOUT, deadline)
                else:
                    rest = rest[written:]

    def receive(self, deadline: float | None = None) -> Any:
        """Return the next message.

        Raises:
            TimeoutError: at the deadline; what has arrived by then is kept.
            EOFError: where the other end is closed and everything is read.
        """
        while (message := self._next_whole()) is None:
            piece = self._reading.read(PIECE_BYTES)
            if piece is None:
                _wait(self._reading, select.POLLIN, deadline)
            elif piece:
                self._received += piece
            else:
                raise EOFError
        return message

    def close(self) -> None:
        """Close this end; not while a thread receives."""
        with self._sending:
            self._writing.close()
            self._reading.close()

    def __del__(self) -> None:
        self._writing.close()
        self._reading.close()

    def fileno(self) -> int:
        """The file that can be read when something has arrived."""
        return self._reading.fileno()

    def _next_whole(self) -> Any:
        """The first of the messages that have arrived whole, None where there is none."""
        end = HEAD_BYTES + int.from_bytes(self._received[:HEAD_BYTES], "big")
        if len(self._received) < end:
            return None
        content = bytes(self._received[HEAD_BYTES:end])
        del self._received[:end]
        return decode(content)


def _wait(file: FileIO, event: int, deadline: float | None) -> None:
    """Wait until a file can be read or written, or its other end is closed."""
    poll = select.poll()
    poll.register(file, event)
    milliseconds = None if deadline is None else max(0.0, deadline - time.monotonic()) * 1000
    if not poll.poll(milliseconds):
        raise TimeoutError
