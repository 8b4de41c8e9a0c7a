"""Questions to an engine in one line, and their completions in order."""

import asyncio
from collections.abc import Sequence

from inference_kit.models.base import Engine
from inference_kit.records import Completion, GenerationConfig, Message, Prompt


def ask(text: str, *seeds: int, prefix: str = "", prefix_tokens: Sequence[int] = ()) -> Prompt:
    return Prompt((Message("user", text),), prefix, seeds or (0,), tuple(prefix_tokens))


async def answers(engine: Engine, prompt: Prompt, config: GenerationConfig) -> list[Completion]:
    found = {place: completion async for place, completion in engine.generate(prompt, config)}
    return [found[place] for place in range(prompt.n)]


def write(engine: Engine, prompts: Sequence[Prompt], config: GenerationConfig) -> list[list[Completion]]:
    async def all_at_once() -> list[list[Completion]]:
        return await asyncio.gather(*(answers(engine, prompt, config) for prompt in prompts))

    return asyncio.run(all_at_once())
