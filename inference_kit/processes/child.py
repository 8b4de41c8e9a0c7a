"""A child process, seen by its owner: started in a group of its own, sent messages, ended with all that it has started.

Why: a group of its own survives a Ctrl-C that was meant for the owner, and can be ended as a whole. A plain subprocess
is safe beside torch's threads, and needs no `if __name__ == "__main__"` in a user's script.
Promises: nothing that a child has started outlives it; what it prints goes to the log; once it has ended, everything it
had sent is received first, and then why it ended.
"""

import contextlib
import os
import select
import signal
import subprocess
import sys
import threading
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from inference_kit.processes.channel import Channel
from inference_kit.processes.messages import Log, Raised

HOME = Path(__file__).resolve().parents[2]
KEPT_LINES = 400
LONGEST_LINE_BYTES = 1 << 16
LAST_WORDS_SECONDS = 1.0
"""How long the end of a lost child, and then of its log, is waited for; what it has started may hold the log open."""


class ChildLost(Exception):
    """A child has ended: `reason` says why, and `status` is that of its process, negative where a signal ended it."""

    def __init__(self, reason: str, status: int) -> None:
        super().__init__(reason)
        self.reason, self.status = reason, status


class ChildProcess:
    """A process that runs `main` of a module.

    Args:
        module: The module, by its full name.
        name: What the child is called in the log.
        python: The Python to run; it may be that of another environment.
        environment: Variables of its own, beside those of this process.
    """

    def __init__(
        self, module: str, name: str, *, python: str = sys.executable, environment: Mapping[str, str] | None = None
    ) -> None:
        self.name = name
        self.last_lines = deque[str](maxlen=KEPT_LINES)
        its_reading, our_writing = os.pipe()
        our_reading, its_writing = os.pipe()
        self._channel = Channel(our_reading, our_writing)
        try:
            self._process = subprocess.Popen(
                # -P keeps the working directory, where anyone may have put a file of any name, off the import path.
                [python, "-P", "-m", __package__, module, *map(str, (os.getpid(), its_reading, its_writing))],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                env=extend_environment(environment or {}),
                pass_fds=(its_reading, its_writing),
                start_new_session=True,
            )
        except OSError:
            self._channel.close()
            raise
        finally:
            os.close(its_reading)
            os.close(its_writing)
        # The threads do not hold this object: a child that nobody holds any more loses its pipes, and ends.
        self._log_reader = _start_thread(_read_log, self._process, name, self.last_lines)
        self._group_ender = _start_thread(_end_group_after, self._process)

    @property
    def pid(self) -> int:
        """The number of its process, which is that of its process group."""
        return self._process.pid

    @property
    def status(self) -> int | None:
        """The status of its process, negative where a signal ended it; None while it runs."""
        return self._process.poll()

    def send(self, message: Any, deadline: float | None = None) -> None:
        """Send a message; to a child that has ended it is lost, and `receive` says so.

        Raises:
            TimeoutError: at the deadline, a time of `time.monotonic`.
        """
        with contextlib.suppress(BrokenPipeError):
            self._channel.send(message, deadline)

    def receive(self, deadline: float | None = None) -> Any:
        """Return the next message, and log what is meant for the log; raise what the child raised.

        Raises:
            TimeoutError: at the deadline, a time of `time.monotonic`.
            ChildLost: where the child has ended, and all that it had sent is received.
        """
        try:
            while isinstance(message := self._channel.receive(deadline), Log):
                _log(message.level, self.name, message.text)
        except EOFError:
            raise self._explain_loss() from None
        if isinstance(message, Raised):
            raise message.error
        return message

    def end(self, seconds: float = 0.0) -> None:
        """End the child and all that it has started, after `seconds` in which it may end by itself."""
        if seconds:
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._process.wait(seconds)
        if self._process.poll() is None:
            _kill_group(self.pid)
        self._group_ender.join()

    def close(self) -> None:
        """End the child, and close the channel; not while a thread receives."""
        self.end()
        self._channel.close()

    def wait_for_log(self) -> None:
        """Wait until what an ended child has printed is in `last_lines`."""
        self._log_reader.join(LAST_WORDS_SECONDS)

    def fileno(self) -> int:
        """The file that can be read when a message has arrived, or the child has ended."""
        return self._channel.fileno()

    def _explain_loss(self) -> ChildLost:
        self.end(LAST_WORDS_SECONDS)  # a child closes its end of the pipe just before it ends
        self.wait_for_log()
        status = self._process.returncode
        if status < 0:
            return ChildLost(f"ended by {signal.Signals(-status).name}", status)
        last_words = self.last_lines[-1] if self.last_lines else ""
        return ChildLost(last_words or f"ended with status {status}", status)


def receive_from_all(children: Sequence[ChildProcess]) -> list[Any]:
    """Return the next message of each child; raise what any of them raised, whatever the others do.

    Raises:
        ChildLost: where one of them has ended without a message.
    """
    received: dict[int, Any] = {}
    while True:
        for place, child in enumerate(children):
            if place not in received:
                with contextlib.suppress(TimeoutError):
                    received[place] = child.receive(deadline=0.0)
        if len(received) == len(children):
            return [received[place] for place in range(len(children))]
        poll = select.poll()
        for place, child in enumerate(children):
            if place not in received:
                poll.register(child, select.POLLIN)
        poll.poll()


def extend_environment(own: Mapping[str, str]) -> dict[str, str]:
    """Return the environment of a child: ours, its own, and this package on the import path."""
    whole = {**os.environ, **own}
    path = os.pathsep.join(filter(None, (str(HOME), whole.get("PYTHONPATH"))))
    return whole | {"PYTHONPATH": path}


def _start_thread(work: Callable[..., None], *arguments: Any) -> threading.Thread:
    thread = threading.Thread(target=work, args=arguments, daemon=True)
    thread.start()
    return thread


def _read_log(process: "subprocess.Popen[bytes]", name: str, last_lines: deque[str]) -> None:
    """Log what a child prints, and keep its last lines."""
    assert process.stdout
    with process.stdout as log:
        for line in iter(partial(log.readline, LONGEST_LINE_BYTES), b""):
            if text := line.decode(errors="replace").rstrip():
                last_lines.append(text)
                _log("DEBUG", name, text)


def _log(level: str, name: str, text: str) -> None:
    from loguru import logger  # costs more than starting a child that says nothing

    logger.log(level, "{}: {}", name, text)


def _end_group_after(process: "subprocess.Popen[bytes]") -> None:
    """End what a child leaves behind, at once: later its number may be that of another process."""
    process.wait()
    _kill_group(process.pid)


def _kill_group(number: int) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.killpg(number, signal.SIGKILL)
