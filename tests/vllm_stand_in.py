"""A stand-in for the process that vLLM runs in: it answers by rules, and starts a process that would stay."""

import asyncio
import os
import subprocess
import sys
from collections.abc import AsyncGenerator
from functools import partial

from inference_kit.flow import as_finished
from inference_kit.models.vllm.messages import (
    EngineSettings,
    Loaded,
    LoadError,
    Refused,
    Rivals,
    UnknownArgument,
    Write,
    Written,
)
from inference_kit.processes.owner import Owner
from inference_kit.processes.server import LoadFailure, serve

ENDLESS_SEED = 60
NAMES = {"LoadError": LoadError, "LoadFailure": LoadFailure, "UnknownArgument": UnknownArgument}


def main(owner: Owner) -> None:
    """Serve."""
    settings: EngineSettings = owner.receive()
    serve(owner, partial(load, settings.arguments["loading"]))


async def load(loading: str) -> "StandIn":
    """Do what a test has written as `loading`."""
    exec(loading, {"os": os, "log": log, **NAMES})
    return StandIn()


def log(text: str) -> None:
    print(text, file=sys.stderr, flush=True)  # noqa: T201


class StandIn:
    """Says what it is asked with; some prompts and seeds mean something else."""

    def __init__(self) -> None:
        child = subprocess.Popen(["sleep", "600"])
        self.about = Loaded(child.pid)  # so that a test knows it

    async def answer(self, request: Write) -> AsyncGenerator[Written | Refused]:
        """Write, refuse or die."""
        if request.ids == (0,):
            yield Refused("too long")
            return
        if request.ids == (1,):
            log("ValueError: Engine core initialization failed")
            log("(EngineCore pid=7) torch.OutOfMemoryError: CUDA out of memory, tried 2 GiB")
            os._exit(1)
        try:
            async for written in as_finished([write(request, place) for place in range(len(request.seeds))]):
                yield written
        except asyncio.CancelledError:
            log(f"cancelled {request.ids}")
            raise

    async def close(self) -> None:
        """Leave the process that was started, which has to end with this one."""


async def write(request: Write, place: int) -> Written:
    """A completion that says its prompt; prompt 2 and one of the seeds have none that ends."""
    if request.ids == (2,) or request.seeds[place] == ENDLESS_SEED:
        await asyncio.sleep(600)
    ranked = tuple((token, -1.0) for token in range(request.sampling.get("logprobs") or 0))
    rivals = (Rivals(-1.0, ranked),) if ranked else ()
    return Written(place, list(request.ids), -1.0, "stop", rivals=rivals)
