"""Replica: one copy of an engine in another process, as its owner and its host both see it.

Why: whether a copy lives on this machine or on a Ray cluster, it is asked the same and answers the same.
"""

from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from typing import Protocol, cast

from inference_kit.errors import UserError
from inference_kit.models.base import Engine
from inference_kit.records import Completion, GenerationConfig, Prompt

EngineFactory = Callable[[], Engine]
"""Makes an engine; it must mean the same in another process."""

Answer = tuple[int, str | Completion]
"""A completion, or a piece of its text, with its position, as of `Engine.stream`."""

KEPT = "What is finished is kept: the same command goes on."


class ReplicaLost(UserError):
    """A copy has ended; what it had not answered may be asked of another one."""


@dataclass(frozen=True, slots=True)
class Request:
    """What a copy is asked: completions, maybe piece by piece."""

    prompt: Prompt
    config: GenerationConfig
    streams: bool = False


class Replica(Protocol):
    """The owner's end of a copy; `name` is what it is called in messages."""

    name: str

    def ask(self, request: Request) -> AsyncGenerator[Answer]:
        """Yield the answers to a request as they come; what is closed before its end is taken back.

        Raises:
            ReplicaLost: where the copy has ended.
        """

    async def close(self) -> None:
        """End the copy and all that it has started."""


class Launcher(Protocol):
    """A place where copies can be started."""

    def check(self, make: EngineFactory) -> None:
        """Say at once what is missing.

        Raises:
            UserError: with what to do.
        """

    def start(self, make: EngineFactory, n: int) -> Sequence[Replica]:
        """Start `n` copies; blocking, though not until they have loaded."""

    def end(self) -> None:
        """Give back what `start` took besides the copies."""


async def answer_request(engine: Engine, request: Request) -> AsyncGenerator[Answer]:
    """Yield what `engine` answers, and raise what it raises."""
    ask = engine.stream if request.streams else engine.generate
    async with aclosing(cast("AsyncGenerator[Answer]", ask(request.prompt, request.config))) as written:
        async for answer in written:
            yield answer
