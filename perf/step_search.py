"""Measure what writing in steps costs beside writing whole replies: the same model, problems, tree width and machine.

Run it as `python perf/step_search.py [--model FOLDER] [--problems 32] [--slots 128] [--repeats 5] [--threads 2]`. Whole
replies: 16 for each problem, uninterrupted. Steps: a beam of 4 paths with 4 next steps each, a line at a time, all
problems at once; which paths go on is drawn, not scored, so only the engine is measured. The two take turns and the
medians are shown; on a machine that does other things too, trust the ratios.
"""

import argparse
import asyncio
import itertools
import json
import random
import statistics
import sys
import time
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

HOME = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(HOME))

import torch  # noqa: E402 - the path above comes first
from loguru import logger  # noqa: E402

from inference_kit.models.decode.huggingface import HuggingFace  # noqa: E402
from inference_kit.records import Completion, GenerationConfig, Message, Prompt  # noqa: E402

BEAM, N, MAX_STEPS = 4, 4, 40


@dataclass(frozen=True, slots=True)
class Speed:
    """Tokens written, and their number for each second of wall and of CPU time."""

    tokens: int
    rate: float
    cpu_rate: float

    @classmethod
    def of(cls, engine: HuggingFace, write: Callable[[], Coroutine[Any, Any, int]]) -> "Speed":
        """Measure one turn, which begins with nothing read."""
        asyncio.run(engine.close())
        engine._load()
        wall, cpu = time.perf_counter(), time.process_time()
        tokens = asyncio.run(write())
        return cls(tokens, tokens / (time.perf_counter() - wall), tokens / (time.process_time() - cpu))


def main() -> None:
    """Print both speeds and their ratio."""
    arguments = _arguments()
    logger.remove()
    torch.set_num_threads(arguments.threads)
    questions = _read_questions(arguments.data, arguments.problems)
    engine = HuggingFace(str(arguments.model), max_batch_size=arguments.slots, separator="\n")
    print(f"{len(questions)} problems, beam {BEAM} x {N}, {arguments.slots} rows at once, {arguments.threads} threads")
    turns = [
        (
            Speed.of(engine, lambda: _write_whole(engine, questions)),
            Speed.of(engine, lambda: _write_in_steps(engine, questions)),
        )
        for _ in range(arguments.repeats + 1)
    ][1:]  # the first turn warms both up
    for name, speeds in zip(("whole replies", "in steps"), zip(*turns, strict=True), strict=True):
        rate, cpu_rate = (statistics.median(getattr(speed, kind) for speed in speeds) for kind in ("rate", "cpu_rate"))
        print(f"  {name:14} {rate:8.0f} tokens/s, {cpu_rate:8.0f} per CPU second  ({speeds[0].tokens} tokens)")
    for kind in ("rate", "cpu_rate"):
        ratios = [getattr(steps, kind) / getattr(whole, kind) for whole, steps in turns]
        shown = f"{statistics.median(ratios):.2f} ({min(ratios):.2f} to {max(ratios):.2f})"
        print(f"  ratio of {'wall' if kind == 'rate' else 'CPU'} time {shown}", flush=True)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Measure steps beside whole replies.")
    parser.add_argument("--model", type=Path, default=HOME / "inference_kit/bundled/abacus")
    parser.add_argument("--data", type=Path, default=HOME / "benchmark/abacus.jsonl")
    parser.add_argument("--problems", type=int, default=32)
    parser.add_argument("--slots", type=int, default=128)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    return parser.parse_args()


def _read_questions(path: Path, wanted: int) -> list[str]:
    with path.open(encoding="utf-8") as lines:
        return [json.loads(line)["question"] for line in itertools.islice(lines, wanted)]


CONFIG = GenerationConfig(max_new_tokens=200, temperature=0.8)


async def _write_whole(engine: HuggingFace, questions: Sequence[str]) -> int:
    async def write(number: int, question: str) -> int:
        seeds = tuple(range(1000 * number, 1000 * number + BEAM * N))
        prompt = Prompt((Message("user", question),), seeds=seeds)
        return sum([completion.tokens async for _, completion in engine.generate(prompt, CONFIG)])

    return sum(await asyncio.gather(*itertools.starmap(write, enumerate(questions))))


@dataclass(frozen=True, slots=True)
class _Path:
    text: str = ""
    ids: tuple[int, ...] = ()

    def extend(self, step: Completion) -> "_Path":
        return _Path(self.text + step.text, self.ids + step.token_ids)


async def _write_in_steps(engine: HuggingFace, questions: Sequence[str]) -> int:
    async def steps(question: str, path: _Path, seeds: tuple[int, ...]) -> list[Completion]:
        prompt = Prompt((Message("user", question),), path.text, seeds, path.ids)
        config = replace(CONFIG, boundary="\n", max_new_tokens=CONFIG.max_new_tokens - len(path.ids))
        return [completion async for _, completion in engine.generate(prompt, config)]

    async def search(number: int, question: str) -> int:
        chance, tokens, beam, width = random.Random(number), 0, [_Path()], BEAM * N
        for _ in range(MAX_STEPS):
            asked = [steps(question, path, tuple(chance.getrandbits(32) for _ in range(width))) for path in beam]
            families = await asyncio.gather(*asked)
            tokens += sum(step.tokens for family in families for step in family)
            grown = {
                path.extend(step): None
                for path, family in zip(beam, families, strict=True)
                for step in sorted(family, key=lambda step: step.token_ids)
                if step.finish_reason == "boundary"
            }
            beam, width = chance.sample(list(grown), min(BEAM, len(grown))), N
            if not beam:
                break
        return tokens

    return sum(await asyncio.gather(*itertools.starmap(search, enumerate(questions))))


if __name__ == "__main__":
    main()
