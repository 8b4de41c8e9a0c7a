"""Copies of an engine on this machine, each in a process of its own with its share of the GPUs, or else of the cores.

Why: a copy with threads, memory and devices of its own does not wait for the others.
Promises: callers of any event loop may ask; a copy that dies says why; nothing that was started stays, whether this
process closes it, ends by itself or is killed.
"""

import os
import pickle
import shutil
import subprocess
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import aclosing

from inference_kit.errors import UserError, named
from inference_kit.models.replicas.replica import KEPT, Answer, EngineFactory, ReplicaLost, Request
from inference_kit.processes.child import ChildLost, ChildProcess
from inference_kit.processes.client import Client, NotLoaded
from inference_kit.processes.messages import Packed, pack

HOST = "inference_kit.models.replicas.host"
CLOSING_SECONDS = 10.0
"""What a copy is given to end by itself; what its engine has started then ends by losing it."""


class LocalProcesses:
    """Starts copies on this machine."""

    def check(self, make: EngineFactory) -> None:
        """Refuse a model that no other process can make."""
        pack_factory(make)

    def start(self, make: EngineFactory, n: int) -> Sequence["ReplicaProcess"]:
        """Start `n` processes; each loads its engine at the first request."""
        factory, gpus = pack_factory(make), list_visible_gpus()
        return [
            ReplicaProcess(f"replica {number + 1}", factory, divide_machine(number, n, gpus)) for number in range(n)
        ]

    def end(self) -> None:
        """Do nothing, because nothing but the processes was taken."""


def pack_factory(make: EngineFactory) -> Packed:
    """Return a factory in a form that another process can read.

    Raises:
        UserError: where it holds what has no name there, such as a lambda.
    """
    try:
        return pack(make)
    except (pickle.PicklingError, AttributeError, TypeError) as error:
        raise UserError(
            f"this model cannot be made in another process ({error})",
            where=named("replicas"),
            fix="Register a partial of an engine class that stands in a module.",
        ) from error


def list_visible_gpus() -> list[str]:
    """Return the GPUs that this process may use, by the names that CUDA_VISIBLE_DEVICES has for them."""
    named = os.environ.get("CUDA_VISIBLE_DEVICES")
    if named is not None:
        return [name.strip() for name in named.split(",") if name.strip() not in ("", "-1")]
    if not shutil.which("nvidia-smi"):
        return []
    listed = subprocess.run(["nvidia-smi", "--list-gpus"], capture_output=True, text=True, check=False).stdout
    return [str(number) for number in range(sum(line.startswith("GPU ") for line in listed.splitlines()))]


def divide_machine(number: int, n: int, gpus: Sequence[str]) -> dict[str, str]:
    """Return the environment that gives copy `number` of `n` its cores and GPUs; too few GPUs are shared."""
    cores = str(max(1, (os.cpu_count() or 1) // n))
    size = max(1, len(gpus) // n)
    first = number * size % max(1, len(gpus))
    own = {"CUDA_VISIBLE_DEVICES": ",".join(gpus[first : first + size])} if gpus else {}
    return {"OMP_NUM_THREADS": os.environ.get("OMP_NUM_THREADS", cores)} | own


class ReplicaProcess:
    """A copy in a process of its own."""

    def __init__(self, name: str, factory: Packed, environment: Mapping[str, str]) -> None:
        self.name = name
        self._child = ChildProcess(HOST, name, environment=environment)
        self._child.send(factory)
        self._client = Client(self._child)

    @property
    def pid(self) -> int:
        """The number of its process, which is that of its process group."""
        return self._child.pid

    async def ask(self, request: Request) -> AsyncGenerator[Answer]:
        """Yield the answers to a request as they come; what is closed before its end is taken back.

        Raises:
            ReplicaLost: where the process has ended.
        """
        try:
            async with aclosing(self._client.ask(request)) as answers:
                async for answer in answers:
                    yield answer
        except NotLoaded as failure:
            error = failure.cause.error
            raise (
                error if isinstance(error, UserError) else self._describe(f"{type(error).__name__}: {error}")
            ) from failure
        except ChildLost as loss:
            raise self._describe(loss.reason) from loss

    async def close(self) -> None:
        """End the process and all that it has started; one that has not answered has nothing to give back."""
        await self._client.close(CLOSING_SECONDS if self._client.has_answered else 0.0)

    def _describe(self, reason: str) -> ReplicaLost:
        return ReplicaLost(f"{self.name} has died ({reason})", where=named("replicas"), fix=KEPT)
