"""Measure what cached prefixes save the reward model in a beam-like search, and what they cost.

Run it as `python perf/reward_prefix.py [--model FOLDER] [--reward-model FOLDER] [--problems 24] [--n 16] [--rows 64]
[--threads 1] [--device auto]`. Each problem's n solutions are cut into steps, and round t scores the first t steps of
each, as a beam does whose children all survive; the problems move on together, `rows` solutions to a batch. The same
rounds are scored with and without cached prefixes, in turn, and the best of three is shown. Whole solutions, which
never grow, are scored the same two ways: that is the cost.
"""

import argparse
import asyncio
import itertools
import json
import sys
import time
from collections.abc import Sequence
from pathlib import Path

HOME = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(HOME))

import torch  # noqa: E402 - the path above comes first
from loguru import logger  # noqa: E402

from inference_kit.flow import all_of  # noqa: E402
from inference_kit.models.decode.huggingface import HuggingFace  # noqa: E402
from inference_kit.records import GenerationConfig, Message, Problem, Prompt  # noqa: E402
from inference_kit.reward_models.base import ScoreItem  # noqa: E402
from inference_kit.reward_models.formats.likelihood import Likelihood  # noqa: E402
from inference_kit.reward_models.local.transformer import CACHE_BYTES  # noqa: E402
from inference_kit.templates import fill, load_prompt  # noqa: E402

Batch = list[ScoreItem]


def main() -> None:
    """Print tokens and seconds of both ways, for growing and for whole solutions."""
    arguments = _arguments()
    logger.remove()
    torch.set_num_threads(arguments.threads)
    solved = asyncio.run(_write_solutions(arguments))
    whole = [(problem, steps) for problem, solutions in solved for steps in solutions]
    longest = max(len(steps) for _, steps in whole)
    rounds = [[(problem, steps[:t]) for problem, steps in whole if len(steps) >= t] for t in range(1, longest + 1)]
    print(f"{len(solved)} problems, {len(whole)} solutions, {longest} rounds, {arguments.rows} rows at once")
    for title, batches in (
        ("solutions that grow", [batch for each in rounds for batch in _split(each, arguments.rows)]),
        ("whole solutions", _split(whole, arguments.rows)),
    ):
        _compare(title, batches, arguments)


def _compare(title: str, batches: Sequence[Batch], arguments: argparse.Namespace) -> None:
    seconds: dict[int, list[float]] = {0: [], arguments.cache_bytes: []}
    tokens: dict[int, int] = {}
    scores: dict[int, list[float]] = {}
    for _ in range(3):
        for cache_bytes, taken in seconds.items():
            scorer = Likelihood(
                str(arguments.reward_model), separator="\n", cache_bytes=cache_bytes, device=arguments.device
            )
            scorer.score_batch(batches[0][:1])  # the weights load
            before, begin = scorer._forward.tokens_read, time.perf_counter()
            found = [score for batch in batches for each in scorer.score_batch(batch) for score in each.scores]
            taken.append(time.perf_counter() - begin)
            tokens[cache_bytes], scores[cache_bytes] = scorer._forward.tokens_read - before, found
    (plain, cached), (plain_seconds, cached_seconds) = tokens.values(), map(min, seconds.values())
    off = max(abs(one - other) for one, other in zip(*scores.values(), strict=True))
    print(f"{title}: {plain} tokens in {plain_seconds:.2f} s whole, {cached} tokens in {cached_seconds:.2f} s read on:")
    fewer, faster = plain / cached, plain_seconds / cached_seconds
    print(f"  {fewer:.2f} times fewer tokens, {faster:.2f} times as fast, scores off by {off:.0e}")


def _split(items: Sequence[ScoreItem], rows: int) -> list[Batch]:
    return [list(items[start : start + rows]) for start in range(0, len(items), rows)]


async def _write_solutions(arguments: argparse.Namespace) -> list[tuple[Problem, list[tuple[str, ...]]]]:
    """Write solutions of the first problems and cut them into steps."""
    engine = HuggingFace(str(arguments.model), separator="\n", max_batch_size=128, device=arguments.device)
    config = GenerationConfig(max_new_tokens=200, temperature=0.8)
    lines = [json.loads(line) for line in itertools.islice(arguments.data.open(encoding="utf-8"), arguments.problems)]
    template = load_prompt("cot_boxed")
    problems = [
        Problem(number, (Message("user", fill(template, {"question": line["question"]})),))
        for number, line in enumerate(lines)
    ]

    async def solve(problem: Problem) -> list[tuple[str, ...]]:
        prompt = Prompt(problem.messages, seeds=tuple(range(arguments.n)))
        texts = [completion.text async for _, completion in engine.generate(prompt, config)]
        return [tuple(step for step in text.split("\n") if step.strip()) for text in texts]

    return list(zip(problems, await all_of([solve(problem) for problem in problems]), strict=True))


def _arguments() -> argparse.Namespace:
    bundled = HOME / "inference_kit" / "bundled"
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", type=Path, default=bundled / "abacus")
    parser.add_argument("--reward-model", type=Path, default=bundled / "abacus_prm")
    parser.add_argument("--data", type=Path, default=HOME / "benchmark" / "abacus.jsonl")
    parser.add_argument("--problems", type=int, default=24)
    parser.add_argument("--n", type=int, default=16)
    parser.add_argument("--rows", type=int, default=64)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--device", default="auto")
    parser.add_argument("--cache-bytes", type=int, default=CACHE_BYTES)
    return parser.parse_args()


if __name__ == "__main__":
    main()
