"""Measure our decode loop beside `transformers.generate`: the same model, prompts, machine and number of rows.

Run it as `python perf/engine.py [--model-path FOLDER] [--data FILE] [--problems 64] [--n 16] [--slots 128]
[--repeats 5] [--threads 2]`; the file has GSM8K's or SVAMP's fields. Equal lengths: nothing ends before the last token.
Mixed lengths: each completion ends where the model ends it. The two take turns and the medians are shown; on a machine
that does other things too, trust the ratio of CPU time with one thread. `generate` has the attention of `transformers`,
as it would without us.
"""

import argparse
import asyncio
import itertools
import json
import statistics
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

HOME = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(HOME))

import torch  # noqa: E402 - the path above comes first
from loguru import logger  # noqa: E402

from inference_kit.models.decode.huggingface import HuggingFace  # noqa: E402
from inference_kit.models.local.attention import GROUPED  # noqa: E402
from inference_kit.records import GenerationConfig, Message, Prompt  # noqa: E402


@dataclass(frozen=True, slots=True)
class Speed:
    """Tokens written, and their number for each second of wall and of CPU time."""

    tokens: int
    rate: float
    cpu_rate: float

    @classmethod
    def of(cls, write: Callable[[], int]) -> "Speed":
        wall, cpu = time.perf_counter(), time.process_time()
        tokens = write()
        return cls(tokens, tokens / (time.perf_counter() - wall), tokens / (time.process_time() - cpu))


def main() -> None:
    """Print both comparisons."""
    arguments = _arguments()
    logger.remove()
    torch.set_num_threads(arguments.threads)
    prompts = _read_prompts(arguments.data, arguments.problems, arguments.n)
    engine = HuggingFace(str(arguments.model_path), max_batch_size=arguments.slots)
    loop, tokenizer = engine._start_pump()._loop, engine.tokenizer
    model, end_ids = loop.model, loop.end_ids
    print(f"{len(prompts)} prompts, n={arguments.n}, {arguments.slots} rows at once, {arguments.threads} threads")
    lengths = (("equal lengths", arguments.equal_tokens, False), ("mixed lengths", arguments.mixed_tokens, True))
    at_once = arguments.slots // arguments.n
    for title, length, ends in lengths:
        loop.end_ids = end_ids if ends else frozenset()
        model.generation_config.eos_token_id = sorted(end_ids) if ends else None
        config = GenerationConfig(max_new_tokens=length, temperature=0.8)
        _compare(
            title,
            arguments.repeats,
            lambda config=config: _run_ours(engine, prompts, config),
            lambda config=config: _run_theirs(model, tokenizer, engine, prompts, config, at_once),
        )


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Measure our decode loop beside transformers.generate.")
    parser.add_argument("--model-path", type=Path, default=HOME / "inference_kit/bundled/abacus")
    parser.add_argument("--data", type=Path, default=HOME / "benchmark/abacus.jsonl")
    parser.add_argument("--problems", type=int, default=64)
    parser.add_argument("--n", type=int, default=16)
    parser.add_argument("--slots", type=int, default=128)
    parser.add_argument("--equal-tokens", type=int, default=64)
    parser.add_argument("--mixed-tokens", type=int, default=200)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    return parser.parse_args()


def _read_prompts(path: Path, wanted: int, n: int) -> list[Prompt]:
    with path.open(encoding="utf-8") as lines:
        rows = [json.loads(line) for line in itertools.islice(lines, wanted)]
    return [
        Prompt(
            (Message("user", row.get("question") or f"{row['Body']} {row['Question']}"),),
            seeds=tuple(range(n * number, n * number + n)),
        )
        for number, row in enumerate(rows)
    ]


def _compare(title: str, repeats: int, ours: Callable[[], Speed], theirs: Callable[[], Speed]) -> None:
    found = [(ours(), theirs()) for _ in range(repeats + 1)][1:]  # the first turn warms both up
    for name, speeds in (("ours", [mine for mine, _ in found]), ("transformers", [other for _, other in found])):
        tokens = sum(speed.tokens for speed in speeds) // len(speeds)
        rate = statistics.median(speed.rate for speed in speeds)
        cpu_rate = statistics.median(speed.cpu_rate for speed in speeds)
        print(f"  {title}: {name:12} {rate:8.0f} tokens/s, {cpu_rate:8.0f} per CPU second  ({tokens} tokens)")
    for kind in ("rate", "cpu_rate"):
        ratios = [getattr(mine, kind) / getattr(other, kind) for mine, other in found]
        shown = f"{statistics.median(ratios):.2f} ({min(ratios):.2f} to {max(ratios):.2f})"
        print(f"  {title}: ratio of {'wall' if kind == 'rate' else 'CPU'} time {shown}", flush=True)


def _run_ours(engine: HuggingFace, prompts: Sequence[Prompt], config: GenerationConfig) -> Speed:
    async def write(prompt: Prompt) -> int:
        return sum([completion.tokens async for _, completion in engine.generate(prompt, config)])

    async def write_all() -> int:
        return sum(await asyncio.gather(*map(write, prompts)))

    engine._start_pump()._loop.prefixes.clear()
    return Speed.of(lambda: asyncio.run(write_all()))


def _run_theirs(
    model: Any, tokenizer: Any, engine: HuggingFace, prompts: Sequence[Prompt], config: GenerationConfig, at_once: int
) -> Speed:
    """Generate with as many prompts in a call as fill the rows; what stands behind an end token is not counted."""
    ours = model.config._attn_implementation
    model.set_attn_implementation("sdpa" if ours == GROUPED else ours)
    pad = tokenizer.pad_token_id
    settings = {
        "max_new_tokens": config.max_new_tokens,
        "do_sample": True,
        "temperature": config.temperature,
        "top_k": 0,
        "num_return_sequences": len(prompts[0].seeds),
    }
    ends = model.generation_config.eos_token_id is not None

    def write() -> int:
        tokens = 0
        for start in range(0, len(prompts), at_once):
            texts = [engine.render(prompt.messages) for prompt in prompts[start : start + at_once]]
            inputs = tokenizer(texts, return_tensors="pt", padding=True, padding_side="left", add_special_tokens=False)
            asked = {"input_ids": inputs.input_ids, "attention_mask": inputs.attention_mask, "pad_token_id": pad}
            with torch.inference_mode():
                written = model.generate(**asked, **settings)[:, inputs.input_ids.shape[1] :]
            tokens += int((written != pad).sum()) if ends else written.numel()
            tokenizer.batch_decode(written, skip_special_tokens=True)
        return tokens

    speed = Speed.of(write)
    model.set_attn_implementation(ours)
    return speed


if __name__ == "__main__":
    main()
