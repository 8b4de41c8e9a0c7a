"""What an engine streams, put together for a test."""

import asyncio
from contextlib import aclosing
from dataclasses import dataclass, field

from inference_kit.models.base import Engine
from inference_kit.records import Completion, GenerationConfig, Prompt


@dataclass
class Streamed:
    """The pieces and the completion of each position."""

    pieces: list[list[str]] = field(default_factory=list)
    completions: list[Completion] = field(default_factory=list)

    @property
    def texts(self) -> list[str]:
        """What the pieces join to."""
        return ["".join(pieces) for pieces in self.pieces]


async def stream(engine: Engine, prompt: Prompt, config: GenerationConfig) -> Streamed:
    """Stream a prompt to its end, and see that each completion comes last and is what its pieces join to."""
    pieces: list[list[str]] = [[] for _ in prompt.seeds]
    completions: dict[int, Completion] = {}
    async with aclosing(engine.stream(prompt, config)) as items:  # type: ignore[type-var]
        async for position, item in items:
            assert position not in completions
            if isinstance(item, Completion):
                completions[position] = item
            else:
                pieces[position].append(item)
    streamed = Streamed(pieces, [completions[position] for position in range(prompt.n)])
    assert streamed.texts == [completion.text for completion in streamed.completions]
    return streamed


def stream_and_close(engine: Engine, prompt: Prompt, config: GenerationConfig) -> Streamed:
    """Stream a prompt in an event loop of its own."""

    async def all_of_it() -> Streamed:
        try:
            return await stream(engine, prompt, config)
        finally:
            await engine.close()

    return asyncio.run(all_of_it())
