"""Children for the tests of `processes`: the first message names the function here that says what a child does."""

import asyncio
import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import AsyncGenerator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from inference_kit.processes.child import ChildProcess
from inference_kit.processes.messages import wrap_error
from inference_kit.processes.owner import Owner
from inference_kit.processes.server import LoadFailure, serve


@dataclass(frozen=True)
class Role:
    """What a child is to do."""

    name: str
    words: tuple[str, ...] = ()


@dataclass(frozen=True)
class Said:
    """Anything that is said between a test and its child."""

    value: Any = None


class Foreign(Exception):
    """An error that no other process can read."""

    def __init__(self, first: str, second: str) -> None:
        super().__init__(first)


def start(name: str, *words: str, **variables: str) -> ChildProcess:
    """Start a child in the role of that name."""
    path = {"PYTHONPATH": str(Path(__file__).parent)}
    child = ChildProcess("child_fakes", "the child", environment=path | variables)
    child.send(Role(name, words))
    return child


def main(owner: Owner) -> None:
    """Play the role."""
    role: Role = owner.receive()
    globals()[role.name](owner, *role.words)


def repeat(owner: Owner) -> None:
    """Send back what comes."""
    while (message := owner.receive()) is not None:
        owner.send(message)


def tell(owner: Owner, *names: str) -> None:
    """Send variables of the environment, and the working directory's part in the import path."""
    owner.send(Said([*(os.environ.get(name) for name in names), str(Path.cwd()) in sys.path or "" in sys.path]))
    owner.receive()


def say_and_end(owner: Owner, how: str) -> None:
    """Send a few messages, print a line, and end in some way."""
    for number in range(100):
        owner.send(Said(number))
    print("the last words", file=sys.stderr, flush=True)  # noqa: T201
    if how == "error":
        raise ValueError("the weights are damaged")
    if how == "signal":
        os.kill(os.getpid(), signal.SIGTERM)
    os._exit(7)


def fail(owner: Owner) -> None:
    """Tell of an error, and stay."""
    owner.send(wrap_error(ValueError("a bug")))
    owner.receive()


def log(owner: Owner) -> None:
    """Log, print, and wait."""
    from loguru import logger

    owner.forward_log()
    logger.warning("half of it is missing")
    print("printed")  # noqa: T201
    sys.stdout.flush()
    owner.send(Said())
    owner.receive()


def start_another(owner: Owner, then: str) -> None:
    """Start a process that would stay for minutes, tell its number, and wait or end."""
    other = subprocess.Popen(["sleep", "600"])
    owner.send(Said(other.pid))
    if then == "end":
        os._exit(0)
    owner.receive()


def work_without_listening(owner: Owner) -> None:
    """Keep the processor busy for ever; a thread looks for the owner."""
    owner.watch()
    owner.send(Said())
    while True:
        pass


def sleep(owner: Owner) -> None:
    """Neither work nor answer."""
    time.sleep(600)


def answer(owner: Owner, mark: str = "") -> None:
    """Serve as `Repeater`."""
    serve(owner, partial(_load, mark))


async def _load(mark: str) -> "Repeater":
    if mark == "unknown":
        raise LoadFailure(Said("no such thing"))
    if mark == "error":
        raise ValueError("a bug")
    if mark == "slow":
        time.sleep(600)  # noqa: ASYNC251 - as an import that takes long
    return Repeater(mark)


class Repeater:
    """Answers a request with its words, one by one; some words mean something else."""

    def __init__(self, mark: str) -> None:
        self.about, self._mark = Said("ready"), mark

    async def answer(self, request: Said) -> AsyncGenerator[Said]:
        """Yield the words of a request."""
        for word in request.value.split():
            match word:
                case "bug":
                    raise ZeroDivisionError("a bug")
                case "foreign":
                    raise Foreign("one", "two")
                case "die":
                    print("torch.OutOfMemoryError: no memory", flush=True)  # noqa: T201
                    os._exit(1)
                case "wait":
                    with contextlib.suppress(asyncio.CancelledError):
                        await asyncio.sleep(600)
                    self._leave_mark("cancelled")
                    return
            yield Said(word)

    async def close(self) -> None:
        """Leave a mark."""
        self._leave_mark("closed")

    def _leave_mark(self, text: str) -> None:
        if self._mark:
            Path(self._mark).write_text(text, encoding="utf-8")
