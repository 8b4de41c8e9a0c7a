"""VllmProcess: a process that vLLM runs in, as its callers see it: requests out, answers back, and no trace left.

Why: the engine of a policy and that of a reward model are started, asked and ended in the same way.
Promises: callers of any event loop may ask, and a caller that is cancelled takes its request back; what vLLM prints
goes to the log, and where it fails, the error that came first there is the reason given; nothing that was started
stays, whether this process closes it, ends by itself or is killed.
"""

import importlib.util
import os
import re
import sys
from collections.abc import AsyncGenerator, Mapping
from contextlib import aclosing
from typing import Any

from loguru import logger

from inference_kit.errors import EngineError, UserError, named
from inference_kit.models.vllm.messages import EngineSettings, Failed, Loaded, Pool, Refused, UnknownArgument, Write
from inference_kit.processes.child import HOME, ChildLost, ChildProcess
from inference_kit.processes.client import ChildClosed, Client, NotLoaded
from inference_kit.registry import unknown

ENVIRONMENT = HOME / ".venv-vllm"
SET_UP = "bash scripts/setup.sh --vllm"
HOST = "inference_kit.models.vllm.host"
QUIET = {"VLLM_LOGGING_LEVEL": "WARNING", "VLLM_NO_USAGE_STATS": "1"}
CLOSING_SECONDS = 15.0

MEMORY = re.compile(
    r"out of memory|No available memory|Free memory on device|Available memory on node|KV cache (is needed|memory)",
    re.IGNORECASE,
)
ERROR_LINE = re.compile(r"(?:^|\s)(?:\w+\.)*\w*(?:Error|Exception): (.+)")
ROOT_ELSEWHERE = ("Engine core initialization failed", "WorkerProc initialization failed")
"""What stands for an error that is further up in the log."""


def find_vllm_python() -> str | None:
    """Return the Python that has vLLM: this one, or that of `.venv-vllm` in the project's folder; None without any."""
    if importlib.util.find_spec("vllm"):
        return sys.executable
    own = ENVIRONMENT / "bin" / "python"
    return str(own) if own.exists() and any(ENVIRONMENT.glob("lib/python*/site-packages/vllm")) else None


def require_vllm(flag: str) -> str:
    """Return the Python that has vLLM.

    Raises:
        UserError: with the command that installs it.
    """
    python = find_vllm_python()
    if python is None:
        raise UserError("vLLM is not installed", where=flag, fix=f"Run: {SET_UP}.")
    return python


class VllmProcess:
    """One engine of vLLM, loading from the moment that this is made.

    Args:
        name: What it is called in messages.
        flag: Which option chose it.
        arguments: vLLM's engine arguments by name.
        adapter: A folder with a LoRA adapter.
    """

    def __init__(self, name: str, flag: str, arguments: Mapping[str, Any], adapter: str | None = None) -> None:
        self._name, self._flag = name, flag
        self._child = ChildProcess(HOST, "vllm", python=require_vllm(flag), environment=choose_environment())
        self._child.send(EngineSettings(dict(arguments), adapter))
        self._client = Client(self._child)
        self._was_ready = False

    @property
    def pid(self) -> int:
        """The number of its process, which is that of its process group."""
        return self._child.pid

    async def wait_until_ready(self) -> Loaded:
        """Wait until it is loaded, and return what it says of itself.

        Raises:
            UserError: where it does not load.
        """
        try:
            loaded: Loaded = await self._client.wait_until_ready()
        except NotLoaded as error:
            raise self._describe_load_failure(error.cause) from error
        except ChildClosed as error:
            raise self._describe_closing() from error
        except ChildLost as error:
            raise self._describe_no_load(self._find_cause() or error.reason) from error
        if not self._was_ready:
            self._was_ready = True
            logger.info("{} is loaded by vLLM", self._name)
        return loaded

    async def ask(self, request: Write | Pool) -> AsyncGenerator[Any]:
        """Yield the answers to a request as they come.

        Raises:
            EngineError: where vLLM refuses the request.
            UserError: where it has ended, or cannot go on.
        """
        await self.wait_until_ready()
        try:
            async with aclosing(self._client.ask(request)) as answers:
                async for answer in answers:
                    yield self._check(answer)
        except ChildClosed as error:
            raise self._describe_closing() from error
        except ChildLost as error:
            raise self._describe_death(self._find_cause() or error.reason) from error

    async def close(self) -> None:
        """End the process and all that it has started; one that has not loaded has nothing to give back."""
        await self._client.close(CLOSING_SECONDS if self._client.is_ready else 0.0)

    def _check(self, answer: Any) -> Any:
        if isinstance(answer, Refused):
            raise EngineError(f"vLLM refuses: {answer.reason}", where=self._name)
        if isinstance(answer, Failed):
            raise self._describe_death(self._explain(answer.reason))
        return answer

    def _describe_load_failure(self, cause: Any) -> UserError:
        if isinstance(cause, UnknownArgument):
            return unknown(cause.name, cause.known, "engine argument of vLLM", where=named("engine_args"))
        return self._describe_no_load(self._explain(cause.reason))

    def _describe_no_load(self, cause: str) -> UserError:
        if MEMORY.search(cause):
            return UserError(
                f"vLLM has too little memory for {self._name}: {cause}",
                where=self._flag,
                fix=f"Lower {named('max_model_len')} or {named('gpu_memory_utilization')} (two engines on one GPU "
                f"share it), or use {named('quantization')} or {named('tensor_parallel_size')}.",
            )
        return UserError(f"vLLM does not load {self._name}: {cause}", where=self._flag, fix="--debug shows its log.")

    def _describe_death(self, cause: str) -> UserError:
        fix = (
            f"Lower {named('max_model_len')}, or max_num_seqs by {named('engine_args')}."
            if MEMORY.search(cause)
            else ""
        )
        return UserError(
            f"the vLLM engine of {self._name} has died: {cause}",
            where=self._flag,
            fix=fix or "What is finished is kept: the same command goes on. --debug shows its log.",
        )

    def _describe_closing(self) -> UserError:
        return UserError(f"the vLLM engine of {self._name} is closed", where=self._flag)

    def _explain(self, reason: str) -> str:
        """Return the first line of a reason, or its cause where the reason is only that there was an error."""
        is_elsewhere = any(each in reason for each in (*ROOT_ELSEWHERE, "EngineDeadError", "EngineCore"))
        return (self._find_cause() if is_elsewhere else "") or reason.split("\n", 1)[0]

    def _find_cause(self) -> str:
        """Return the error that came first in the log, which others follow from; empty where there is none."""
        self._child.wait_for_log()
        errors = [found[1].strip() for line in list(self._child.last_lines) if (found := ERROR_LINE.search(line))]
        return next((error for error in errors if not any(each in error for each in ROOT_ELSEWHERE)), "")


def choose_environment() -> dict[str, str]:
    """Return the variables that keep vLLM's logs quiet and its statistics at home, where ours do not say otherwise."""
    return {name: os.environ.get(name, value) for name, value in QUIET.items()}
