"""What the tests of vLLM ask, and how: by the bundled model, all prompts at once."""

import asyncio
import json
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from inference_kit.models.decode.local_model import LocalModel
from inference_kit.records import Completion, GenerationConfig, Message, Prompt
from model_config import bundled

ROOT = Path(__file__).resolve().parents[1]
ABACUS = str(bundled / "abacus")
QUESTIONS = [
    json.loads(line)["question"] for line in (ROOT / "benchmark" / "abacus.jsonl").read_text().splitlines()[:12]
]
SMALL = ("kv_cache_memory_bytes=1000000000",)
"""Two workers of pytest-xdist share the device."""
GREEDY = GenerationConfig(max_new_tokens=120, temperature=0.0)


def ask(text: str, *seeds: int, prefix: str = "", prefix_tokens: Sequence[int] = ()) -> Prompt:
    return Prompt((Message("user", text),), prefix, seeds or (0,), tuple(prefix_tokens))


async def answers(engine: LocalModel, prompt: Prompt, config: GenerationConfig) -> list[Completion]:
    found = {place: completion async for place, completion in engine.generate(prompt, config)}
    return [found[place] for place in range(prompt.n)]


def write(engine: LocalModel, prompts: Sequence[Prompt], config: GenerationConfig) -> list[list[Completion]]:
    async def all_at_once() -> list[list[Completion]]:
        return await asyncio.gather(*(answers(engine, prompt, config) for prompt in prompts))

    return asyncio.run(all_at_once())


def wait_for(true: Callable[[], bool], seconds: float) -> None:
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end, "it took too long"
        time.sleep(0.2)
