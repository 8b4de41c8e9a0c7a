"""Measure what the runner costs: whole runs beside a bare loop over the same engine, prompts and seeds.

Run it as `python perf/runner.py [--model FOLDER] [--problems 48] [--n 16] [--repeats 5] [--threads 2]`. A whole run is
solver, call log, extraction, grouping, verdict and records on disk as in real runs; no reward model. The two take
turns in one process; CPU time is that of this process.
"""

import argparse
import asyncio
import json
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from functools import partial
from itertools import islice
from pathlib import Path

HOME = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(HOME))

import torch  # noqa: E402 - the path above comes first
from loguru import logger  # noqa: E402

from inference_kit.context.seeds import derive_seed  # noqa: E402
from inference_kit.evaluation import judge_answer  # noqa: E402
from inference_kit.grader import GraderPool  # noqa: E402
from inference_kit.models.decode.huggingface import HuggingFace  # noqa: E402
from inference_kit.records import GenerationConfig, Message, Problem, Prompt, Record  # noqa: E402
from inference_kit.runner import run  # noqa: E402
from inference_kit.search.best_of_n import best_of_n  # noqa: E402
from inference_kit.solver import Solver  # noqa: E402
from inference_kit.store.call_log import CallLog  # noqa: E402
from inference_kit.store.results import PartialFile  # noqa: E402

CONFIG = GenerationConfig(max_new_tokens=200, temperature=0.8)


def main() -> None:
    """Print the ratio of both, by wall and by CPU time."""
    arguments = _arguments()
    logger.remove()
    torch.set_num_threads(arguments.threads)
    problems = _read_problems(arguments.data, arguments.problems)
    engine = HuggingFace(str(arguments.model), max_batch_size=arguments.slots)
    found = []
    with GraderPool() as grader:
        for _ in range(arguments.repeats + 1):
            engine._start_pump()._loop.prefixes.clear()
            bare = _time(lambda: _run_bare(engine, problems, arguments.n))
            engine._start_pump()._loop.prefixes.clear()
            whole = _time(lambda: _run_whole(engine, problems, arguments.n, grader))
            found.append((bare, whole))
    print(f"{len(problems)} problems, n={arguments.n}, {arguments.slots} rows at once, {arguments.threads} threads")
    for place, kind in enumerate(("wall", "CPU")):
        ratios = [whole[place] / bare[place] for bare, whole in found[1:]]  # the first turn warms both up
        bare_seconds = statistics.median(bare[place] for bare, _ in found[1:])
        print(
            f"  {kind} time: bare loop {bare_seconds:.2f} s, runner {100 * statistics.median(ratios) - 100:+.1f} % "
            f"({100 * min(ratios) - 100:+.1f} to {100 * max(ratios) - 100:+.1f})"
        )


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Measure what the runner costs beside a bare loop over the engine.")
    parser.add_argument("--model", type=Path, default=HOME / "inference_kit/bundled/abacus")
    parser.add_argument("--data", type=Path, default=HOME / "benchmark/abacus.jsonl")
    parser.add_argument("--problems", type=int, default=48)
    parser.add_argument("--n", type=int, default=16)
    parser.add_argument("--slots", type=int, default=64)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    return parser.parse_args()


def _read_problems(path: Path, wanted: int) -> list[Problem]:
    with path.open(encoding="utf-8") as lines:
        rows = [json.loads(line) for line in islice(lines, wanted)]
    return [
        Problem(number, (Message("user", row["question"]),), answer=row["answer"].rpartition("#### ")[2])
        for number, row in enumerate(rows)
    ]


def _time(work: Callable[[], None]) -> tuple[float, float]:
    """Measure the seconds of wall and of CPU time that `work` takes."""
    wall, cpu = time.perf_counter(), time.process_time()
    work()
    return time.perf_counter() - wall, time.process_time() - cpu


def _run_bare(engine: HuggingFace, problems: Sequence[Problem], n: int) -> None:
    async def write(problem: Problem) -> int:
        first = derive_seed(0, problem.index, ())
        prompt = Prompt(problem.messages, seeds=tuple(range(first, first + n)))
        return len([completion async for _, completion in engine.generate(prompt, CONFIG)])

    async def write_all() -> None:
        await asyncio.gather(*map(write, problems))

    asyncio.run(write_all())


def _run_whole(engine: HuggingFace, problems: Sequence[Problem], n: int, grader: GraderPool) -> None:
    def show(record: Record) -> None:
        judge_answer(record, "majority_vote", grader, strict=False)

    with tempfile.TemporaryDirectory() as folder:
        records, calls = PartialFile(Path(folder, "run.jsonl")), CallLog(Path(folder, "calls"), "run")
        solver = Solver(engine, partial(best_of_n, n=n), CONFIG, grader, call_log=calls)
        asyncio.run(run(problems, solver, records, concurrency=engine.concurrency, show=show))
        records.close()
        calls.close()


if __name__ == "__main__":
    main()
