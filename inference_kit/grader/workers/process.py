"""One worker process, seen from outside: started warm, asked with a deadline, really killed.

Why: neither a thread nor an alarm can interrupt one long operation on big integers; a process can be killed. A plain
subprocess with pipes is safe beside torch's threads and needs no `if __name__ == "__main__"` in a user's script.
Promises: `ask` returns or raises within its limit; a worker that missed a deadline is dead; none outlives its parent.
"""

import json
import os
import select
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

START_SECONDS = 60.0
"""What starting, and importing sympy, may take; this is not counted against a comparison."""

PACKAGE_ROOT = str(Path(__file__).resolve().parents[3])


class WorkerDied(Exception):
    """The worker ended without an answer: its memory limit, or a deadline that it kept for itself."""


class WorkerLate(Exception):
    """The worker had no answer at its deadline and was killed."""


class WorkerProcess:
    """A running `inference_kit.grader.workers.worker`."""

    def __init__(self, memory_limit_bytes: int) -> None:
        # -P keeps the working directory, where anyone may have put a file of any name, off the import path.
        self._process = subprocess.Popen(
            [sys.executable, "-P", "-m", "inference_kit.grader.workers.worker", str(memory_limit_bytes)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env={**os.environ, "PYTHONPATH": _import_path(), "PYTHONHASHSEED": "0"},
            start_new_session=True,
        )
        self._received = bytearray()
        self._read(time.monotonic() + START_SECONDS)

    def ask(self, job: dict[str, Any], limit_seconds: float) -> Any:
        """Send a job and wait for its answer.

        Raises:
            WorkerLate, WorkerDied: the process is gone in both cases.
        """
        assert self._process.stdin is not None
        try:
            self._process.stdin.write(json.dumps({**job, "limit_seconds": limit_seconds}).encode() + b"\n")
            self._process.stdin.flush()
        except OSError as error:
            self.kill()
            raise WorkerDied from error
        answer = self._read(time.monotonic() + limit_seconds)
        if answer == "loading":
            answer = self._read(time.monotonic() + START_SECONDS)
        if answer == "loaded":
            answer = self._read(time.monotonic() + limit_seconds)
        return answer

    def kill(self) -> None:
        """End the process at once and collect it."""
        self._process.kill()
        self._process.wait()
        for stream in (self._process.stdin, self._process.stdout):
            try:
                if stream is not None:
                    stream.close()
            except OSError:  # what could not be flushed to a dead process is lost, as meant
                continue

    def _read(self, deadline: float) -> Any:
        assert self._process.stdout is not None
        descriptor = self._process.stdout.fileno()
        while b"\n" not in self._received:
            remaining = deadline - time.monotonic()
            ready = remaining > 0 and select.select([descriptor], [], [], remaining)[0]
            if not ready:
                self.kill()
                raise WorkerLate
            received = os.read(descriptor, 1 << 16)
            if not received:
                self.kill()
                raise WorkerDied
            self._received += received
        line, _, rest = bytes(self._received).partition(b"\n")
        self._received = bytearray(rest)
        return json.loads(line)


def _import_path() -> str:
    inherited = os.environ.get("PYTHONPATH")
    return f"{PACKAGE_ROOT}{os.pathsep}{inherited}" if inherited else PACKAGE_ROOT
