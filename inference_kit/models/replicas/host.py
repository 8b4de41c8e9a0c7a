"""The process of one copy of an engine: it makes the engine as its owner would, and answers with it.

Why: Python does one thing at a time, and a copy that dies must not take the run with it.
Promises: what is logged here is logged by the owner; what is printed is not lost in results.
"""

from collections.abc import AsyncGenerator
from functools import partial

from inference_kit.models.base import Engine
from inference_kit.models.replicas.replica import Answer, Request, answer_request
from inference_kit.processes.messages import Packed
from inference_kit.processes.owner import Owner
from inference_kit.processes.server import serve


def main(owner: Owner) -> None:
    """Serve with the engine that the first message makes."""
    owner.forward_log()
    factory = owner.receive()
    if factory is not None:
        serve(owner, partial(load, factory))


async def load(factory: Packed) -> "EngineService":
    """Make the engine; its weights load at the first request."""
    return EngineService(factory.unpack()())


class EngineService:
    """An engine as a service."""

    about = None

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def answer(self, request: Request) -> AsyncGenerator[Answer]:
        """Yield what the engine answers."""
        return answer_request(self._engine, request)

    async def close(self) -> None:
        """Close the engine."""
        await self._engine.close()
