"""VllmProcess: a process that vLLM runs in, as its callers see it: requests out, replies back, and no trace left.

Why: the engine of a policy and that of a reward model are started, asked and ended in the same way.
Promises: callers of any event loop may ask, and a caller that is cancelled takes its request back; what vLLM prints
goes to the log; nothing that was started stays, whether this process closes it, ends by itself or is killed.
"""

import asyncio
import contextlib
import importlib.util
import json
import os
import re
import signal
import subprocess
import sys
import threading
from collections import deque
from collections.abc import AsyncGenerator, Mapping
from concurrent.futures import Future
from itertools import count
from pathlib import Path
from typing import Any

from loguru import logger

from inference_kit.errors import EngineError, UserError
from inference_kit.registry import unknown

HOME = Path(__file__).resolve().parents[3]
ENVIRONMENT = HOME / ".venv-vllm"
SET_UP = "bash scripts/setup.sh --vllm"
HOST = "inference_kit.models.vllm.host"
CLOSING_SECONDS = 15.0
KEPT_LINES = 400

MEMORY = re.compile(
    r"out of memory|No available memory|Free memory on device|Available memory on node|KV cache (is needed|memory)",
    re.IGNORECASE,
)
ERROR_LINE = re.compile(r"(?:^|\s)(?:\w+\.)*\w*(?:Error|Exception): (.+)")
ROOT_ELSEWHERE = ("Engine core initialization failed", "WorkerProc initialization failed")

Queue = asyncio.Queue[dict[str, Any]]


def vllm_python() -> str | None:
    """The Python that has vLLM: this one, or that of `.venv-vllm` in the project's folder; None where neither has."""
    if importlib.util.find_spec("vllm"):
        return sys.executable
    own = ENVIRONMENT / "bin" / "python"
    return str(own) if own.exists() and any(ENVIRONMENT.glob("lib/python*/site-packages/vllm")) else None


def require_vllm(flag: str) -> str:
    """The Python that has vLLM.

    Raises:
        UserError: with the command that installs it.
    """
    python = vllm_python()
    if python is None:
        raise UserError("vLLM is not installed", where=flag, fix=f"Run: {SET_UP}.")
    return python


class VllmProcess:
    """One engine of vLLM, loading from the moment that this is made.

    Args:
        name: What it is called in messages.
        flag: Which option chose it.
        engine: vLLM's engine arguments by name.
        adapter: A folder with a LoRA adapter.
    """

    def __init__(self, name: str, flag: str, engine: Mapping[str, Any], adapter: str | None = None) -> None:
        self._name, self._flag = name, flag
        self._ready: Future[dict[str, Any]] = Future()
        self._asked: dict[int, tuple[asyncio.AbstractEventLoop, Queue]] = {}
        self._ids, self._lock, self._said = count(), threading.Lock(), deque[str](maxlen=KEPT_LINES)
        self._death: UserError | None = None
        self._closing = False
        self._process = subprocess.Popen(
            [require_vllm(flag), "-m", HOST],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=_environment(),
            start_new_session=True,
        )
        assert self._process.stdin and self._process.stdout and self._process.stderr
        self._requests, self._replies, self._log = self._process.stdin, self._process.stdout, self._process.stderr
        self._log_reader = threading.Thread(target=self._read_log, daemon=True)
        self._log_reader.start()
        threading.Thread(target=self._read_replies, daemon=True).start()
        threading.Thread(target=self._bury, daemon=True).start()
        self._write({"engine": dict(engine), "adapter": adapter})

    @property
    def pid(self) -> int:
        """The number of its process, which is that of its process group."""
        return self._process.pid

    async def ready(self) -> Mapping[str, Any]:
        """Wait until it is loaded; what it says of itself.

        Raises:
            UserError: where it does not load.
        """
        return await asyncio.shield(asyncio.wrap_future(self._ready))

    async def ask(self, request: Mapping[str, Any]) -> AsyncGenerator[dict[str, Any]]:
        """The replies to a request, up to the one that is marked `finished`.

        Raises:
            EngineError: where vLLM refuses the request.
            UserError: where the process has ended.
        """
        await self.ready()
        number, replies = next(self._ids), Queue()
        with self._lock:
            if self._death:
                raise self._death
            self._asked[number] = asyncio.get_running_loop(), replies
        finished = False
        try:
            self._write({"id": number, **request})
            while not finished:
                reply = await replies.get()
                finished = reply.get("finished", True)
                yield self._checked(reply)
        finally:
            del self._asked[number]
            if not finished:
                self._write({"cancel": number})

    async def close(self) -> None:
        """End the process and all that it has started."""
        await asyncio.to_thread(self._end)

    def _end(self) -> None:
        with self._lock:
            self._closing, self._death = True, self._death_of("it was closed")
        if self._ready.done() and not self._ready.cancelled() and not self._ready.exception():
            with contextlib.suppress(OSError):
                self._requests.close()
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._process.wait(CLOSING_SECONDS)
        self._kill_group()

    def _kill_group(self) -> None:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()

    def _bury(self) -> None:
        """Wait for the host to end; what it leaves would keep the pipes open."""
        self._process.wait()
        self._kill_group()

    def _checked(self, reply: dict[str, Any]) -> dict[str, Any]:
        if "refused" in reply:
            raise EngineError(f"vLLM refuses: {reply['refused']}", where=self._name)
        if "died" in reply:
            raise self._death_of(reply["died"])
        return reply

    def _write(self, message: Mapping[str, Any]) -> None:
        line = json.dumps(message, separators=(",", ":")).encode() + b"\n"
        with self._lock, contextlib.suppress(OSError, ValueError):  # whoever waits hears of its end by the other pipe
            self._requests.write(line)
            self._requests.flush()

    def _read_replies(self) -> None:
        for line in self._replies:
            reply = json.loads(line)
            if "id" in reply:
                self._deliver(reply["id"], reply)
            elif "ready" in reply:
                logger.info("{} is loaded by vLLM", self._name)
                self._ready.set_result(reply["ready"])
            else:
                self._ready.set_exception(self._not_loaded(reply))
        with self._lock:
            self._death = self._death_of("its process has ended")
            waiting = list(self._asked)
        if not self._ready.done():
            self._ready.set_exception(self._not_loaded({"failed": "its process has ended"}))
        for number in waiting:
            self._deliver(number, {"died": "its process has ended"})

    def _deliver(self, number: int, reply: dict[str, Any]) -> None:
        if number in self._asked:
            loop, replies = self._asked[number]
            with contextlib.suppress(RuntimeError):  # the loop of a caller that went away is closed
                loop.call_soon_threadsafe(replies.put_nowait, reply)

    def _read_log(self) -> None:
        for line in self._log:
            text = line.decode(errors="replace").rstrip()
            self._said.append(text)
            logger.debug("vllm: {}", text)

    def _not_loaded(self, reply: Mapping[str, Any]) -> UserError:
        """Why it did not load, for its user."""
        if "unknown" in reply:
            return unknown(reply["unknown"], reply["known"], "engine argument of vLLM", where="--engine-args")
        cause = self._cause(reply["failed"])
        if MEMORY.search(cause):
            return UserError(
                f"vLLM has too little memory for {self._name}: {cause}",
                where=self._flag,
                fix="Lower --max-model-len or --gpu-memory-utilization (two engines on one GPU share it), or use "
                "--quantization or --tensor-parallel-size.",
            )
        return UserError(f"vLLM does not load {self._name}: {cause}", where=self._flag, fix="--debug shows its log.")

    def _death_of(self, reason: str) -> UserError:
        if self._closing:
            return UserError(f"the vLLM engine of {self._name} is closed", where=self._flag)
        cause = self._cause(reason)
        fix = "Lower --max-model-len, or max_num_seqs by --engine-args." if MEMORY.search(cause) else ""
        return UserError(
            f"the vLLM engine of {self._name} has died: {cause}",
            where=self._flag,
            fix=fix or "What is finished is kept: the same command goes on. --debug shows its log.",
        )

    def _cause(self, reason: str) -> str:
        """The error that came first in the log, where the reason given is only that there was one."""
        if not any(each in reason for each in (*ROOT_ELSEWHERE, "EngineDeadError", "EngineCore", "has ended")):
            return reason.split("\n", 1)[0]
        self._log_reader.join(timeout=1.0)
        errors = [found[1].strip() for line in list(self._said) if (found := ERROR_LINE.search(line))]
        own = [error for error in errors if not any(each in error for each in ROOT_ELSEWHERE)]
        return next(iter(own), reason.split("\n", 1)[0])


def _environment() -> dict[str, str]:
    """The environment of the host: this one, with quiet logs, no statistics sent, and the package on its path."""
    path = os.pathsep.join([str(HOME), *filter(None, [os.environ.get("PYTHONPATH")])])
    quiet = {"VLLM_LOGGING_LEVEL": "WARNING", "VLLM_NO_USAGE_STATS": "1"}
    return quiet | os.environ | {"PYTHONPATH": path}
