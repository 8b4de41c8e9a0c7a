"""Copies of an engine on this machine, each in a process of its own with its share of the GPUs, or else of the cores.

Why: a process group of its own survives a Ctrl-C that was meant for the run, and can be ended with all it has started.
Promises: callers of any event loop may ask; nothing that was started stays, whether this process closes it, ends by
itself or is killed.
"""

import asyncio
import contextlib
import os
import pickle
import shutil
import signal
import subprocess
import sys
import threading
from collections.abc import AsyncGenerator, Mapping, Sequence
from itertools import count
from pathlib import Path
from typing import Any

from loguru import logger

from inference_kit.errors import UserError
from inference_kit.models.replicas.host import DEATH, END, LOG
from inference_kit.models.replicas.replica import KEPT, Answer, Failure, Maker, ReplicaLost, Request, unwrapped

HOST = "inference_kit.models.replicas.host"
HOME = Path(__file__).resolve().parents[3]
CLOSING_SECONDS = 10.0
"""What a copy is given to end by itself; what its engine has started then ends by losing it."""


class Processes:
    """Starts copies on this machine."""

    def check(self, make: Maker) -> None:
        """Refuse a model that no other process can make."""
        packed(make)

    def start(self, make: Maker, n: int) -> Sequence["ReplicaProcess"]:
        """Start `n` processes; each loads its engine at the first request."""
        maker, gpus = packed(make), visible_gpus()
        return [
            ReplicaProcess(f"replica {number + 1}", maker, share_of_machine(number, n, gpus)) for number in range(n)
        ]

    def end(self) -> None:
        """Nothing but the processes was taken."""


def packed(make: Maker) -> bytes:
    """A maker as another process can read it.

    Raises:
        UserError: where it holds what has no name there, such as a lambda.
    """
    try:
        return pickle.dumps(make)
    except (pickle.PicklingError, AttributeError, TypeError) as error:
        raise UserError(
            f"this model cannot be made in another process ({error})",
            where="--replicas",
            fix="Register a partial of an engine class that stands in a module.",
        ) from error


def visible_gpus() -> list[str]:
    """The GPUs that this process may use, by the names that CUDA_VISIBLE_DEVICES has for them."""
    named = os.environ.get("CUDA_VISIBLE_DEVICES")
    if named is not None:
        return [name.strip() for name in named.split(",") if name.strip() not in ("", "-1")]
    if not shutil.which("nvidia-smi"):
        return []
    listed = subprocess.run(["nvidia-smi", "--list-gpus"], capture_output=True, text=True, check=False).stdout
    return [str(number) for number in range(sum(line.startswith("GPU ") for line in listed.splitlines()))]


def share_of_machine(number: int, n: int, gpus: Sequence[str]) -> dict[str, str]:
    """The environment that gives copy `number` of `n` its part of the cores and GPUs; too few GPUs are shared."""
    cores = str(max(1, (os.cpu_count() or 1) // n))
    size = max(1, len(gpus) // n)
    first = number * size % max(1, len(gpus))
    own = {"CUDA_VISIBLE_DEVICES": ",".join(gpus[first : first + size])} if gpus else {}
    return {"OMP_NUM_THREADS": os.environ.get("OMP_NUM_THREADS", cores)} | own


class ReplicaProcess:
    """A copy in a process of its own."""

    def __init__(self, name: str, maker: bytes, environment: Mapping[str, str]) -> None:
        from multiprocessing import Pipe

        self.name = name
        self._asked: dict[int, tuple[asyncio.AbstractEventLoop, asyncio.Queue[Any]]] = {}
        self._numbers, self._lock = count(), threading.Lock()
        self._last_words, self._has_answered = "", False
        self._lost: UserError | None = None
        self._pipe, theirs = Pipe()
        path = os.pathsep.join([str(HOME), *filter(None, [os.environ.get("PYTHONPATH")])])
        self._process = subprocess.Popen(
            [sys.executable, "-P", "-m", HOST, str(theirs.fileno())],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            env=os.environ | environment | {"PYTHONPATH": path},
            pass_fds=[theirs.fileno()],
            start_new_session=True,
        )
        theirs.close()
        self._log_reader = threading.Thread(target=self._read_log, daemon=True)
        self._log_reader.start()
        threading.Thread(target=self._listen, daemon=True).start()
        self._send((sys.path, maker))

    @property
    def pid(self) -> int:
        """The number of its process, which is that of its process group."""
        return self._process.pid

    async def ask(self, request: Request) -> AsyncGenerator[Answer]:
        """The answers to a request as they come; what is closed before its end is taken back.

        Raises:
            ReplicaLost: where the process has ended.
        """
        number, replies = next(self._numbers), asyncio.Queue[Any]()
        with self._lock:
            if self._lost:
                raise self._lost
            self._asked[number] = asyncio.get_running_loop(), replies
        finished = False
        try:
            self._send((number, request))
            while (reply := await replies.get()) is not None:
                finished = isinstance(reply, Failure)
                yield unwrapped(reply)
            finished = True
        finally:
            self._asked.pop(number)
            if not finished:
                self._send((number, None))

    async def close(self) -> None:
        """End the process and all that it has started."""
        self._send((END, None))
        await asyncio.to_thread(self._end)

    def _end(self) -> None:
        """Give it time to give back what it holds; while it loads, that is nothing."""
        if self._has_answered:
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._process.wait(CLOSING_SECONDS)
        self._kill_group()

    def _kill_group(self) -> None:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.pid, signal.SIGKILL)
        self._process.wait()

    def _send(self, message: Any) -> None:
        with self._lock, contextlib.suppress(OSError):  # whoever waits hears of its end from the other side
            self._pipe.send(message)

    def _listen(self) -> None:
        with contextlib.suppress(EOFError, OSError):
            while True:
                self._receive(*self._pipe.recv())
        self._kill_group()  # whatever ended the host may have left what it had started
        self._log_reader.join(timeout=1.0)
        with self._lock:
            self._pipe.close()
            self._lost = self._lost or self._death()
            waiting = list(self._asked)
        for number in waiting:
            self._deliver(number, Failure(self._lost))

    def _receive(self, number: int, content: Any) -> None:
        if number == LOG:
            level, text = content
            logger.log(level, "{}: {}", self.name, text)
        elif number == DEATH:
            self._lost = content if isinstance(content, UserError) else self._death(content)
        else:
            self._has_answered = True
            self._deliver(number, content)

    def _deliver(self, number: int, content: Any) -> None:
        asked = self._asked.get(number)
        if asked:
            loop, replies = asked
            with contextlib.suppress(RuntimeError):  # the loop of a caller that went away is closed
                loop.call_soon_threadsafe(replies.put_nowait, content)

    def _read_log(self) -> None:
        assert self._process.stdout
        with self._process.stdout as lines:
            for line in lines:
                if text := line.decode(errors="replace").rstrip():
                    self._last_words = text
                    logger.debug("{}: {}", self.name, text)

    def _death(self, error: Exception | None = None) -> ReplicaLost:
        status = self._process.returncode
        if error:
            reason = f"{type(error).__name__}: {error}"
        elif status < 0:
            reason = f"ended by {signal.Signals(-status).name}"
        else:
            reason = self._last_words or f"ended with status {status}"
        return ReplicaLost(f"{self.name} has died ({reason})", where="--replicas", fix=KEPT)
