"""Measure what the runner costs on vLLM: whole runs beside direct, blocking calls of `LLM.generate`.

Run it with the Python that has vLLM, as `.venv-vllm/bin/python perf/vllm_overhead.py [best_of_n|beam_search]
[--problems 64] [--n 16] [--batch 25] [--repeats 3] [--reward free|abacus_prm] [--baseline default|inprocess]`. Both
sides hold the same weights with the same engine arguments, get the same prompts, settings and seeds, and take turns, so
they write the same tokens. best_of_n stands beside one call with all prompts; beam_search beside a loop that asks for
the next steps of all live paths of `--batch` problems in one call, scores them, and goes round again when the last of
them is there. A whole run is solver, call log, extraction, grouping and records on disk. `--reward free` scores by a
hash, which costs nothing.
"""

import argparse
import asyncio
import hashlib
import json
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any

HOME = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(HOME))

from loguru import logger  # noqa: E402 - the path above comes first

from inference_kit.context.seeds import derive_seed  # noqa: E402
from inference_kit.grader import GraderPool  # noqa: E402
from inference_kit.models.vllm.engine import VLLM  # noqa: E402
from inference_kit.models.vllm.host import complete_arguments  # noqa: E402
from inference_kit.records import GenerationConfig, Message, Problem, Prompt, StepScores  # noqa: E402
from inference_kit.reward_models.base import RewardModel, ScoreItem  # noqa: E402
from inference_kit.reward_models.formats.likelihood import Likelihood  # noqa: E402
from inference_kit.runner import run  # noqa: E402
from inference_kit.search.beam_search import beam_search  # noqa: E402
from inference_kit.search.best_of_n import best_of_n  # noqa: E402
from inference_kit.solver import Solver  # noqa: E402
from inference_kit.store.call_log import CallLog  # noqa: E402
from inference_kit.store.results import PartialFile  # noqa: E402

SEPARATOR = "\n"
BUNDLED = HOME / "inference_kit/bundled"
RESTING_SECONDS = 2.0
"""Between turns, so that the idle side's processes have gone to sleep."""

Turn = tuple[int, float]
"""Tokens and seconds."""


class Free(RewardModel):
    """Scores a step by a hash of the text up to it."""

    identity = "free"

    def score_batch(self, items: Sequence[ScoreItem]) -> list[StepScores]:
        """Score a text the same on both sides."""
        return [StepScores((_hash(SEPARATOR.join(steps)),)) for _, steps in items]


def main() -> None:
    """Print both sides' tokens/s and their ratio."""
    arguments = _arguments()
    logger.remove()
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    os.environ["VLLM_LOGGING_LEVEL"] = "ERROR"
    problems = _read_problems(arguments.data, arguments.problems)
    config = GenerationConfig(max_new_tokens=arguments.max_new_tokens, temperature=arguments.temperature)
    reward = Free() if arguments.reward == "free" else Likelihood(str(BUNDLED / "abacus_prm"), separator=SEPARATOR)
    engine = VLLM(str(arguments.model), separator=SEPARATOR)
    _limit_torch_threads()
    with GraderPool() as grader:
        llm = _load_llm(engine, inprocess=arguments.baseline == "inprocess")
        if arguments.method == "best_of_n":
            sides = (
                lambda: _run_whole(engine, config, problems, grader, partial(best_of_n, n=arguments.n), None),
                lambda: _run_direct(llm, engine, config, problems, arguments.n),
            )
        else:
            method = partial(beam_search, beam_width=arguments.beam_width, n=arguments.n)
            sides = (
                lambda: _run_whole(engine, config, problems, grader, method, reward),
                lambda: Lockstep(llm, engine, config, reward, arguments.beam_width, arguments.n).write(
                    problems, arguments.batch
                ),
            )
        turns = [tuple(_time(llm, side) for side in sides) for _ in range(arguments.repeats + 1)][1:]
    asyncio.run(engine.close())
    ratios = [(ours[0] / ours[1]) / (direct[0] / direct[1]) for ours, direct in turns]
    print(f"{arguments.method}, {len(problems)} problems, n = {arguments.n}, baseline {arguments.baseline}")
    for name, side in (("whole run", 0), ("direct", 1)):
        tokens = {turn[side][0] for turn in turns}
        seconds = statistics.median(turn[side][1] for turn in turns)
        print(f"  {name}: {sorted(tokens)} tokens in {seconds:.2f} s, {max(tokens) / seconds:,.0f} tokens/s")
    print(f"  tokens/s of the run as a share of direct: {statistics.median(ratios):.2f}", end=" ")
    print(f"({min(ratios):.2f} to {max(ratios):.2f})")


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Measure what the runner costs beside direct calls of vLLM.")
    parser.add_argument("method", nargs="?", choices=("best_of_n", "beam_search"), default="best_of_n")
    parser.add_argument("--model", type=Path, default=BUNDLED / "abacus")
    parser.add_argument("--data", type=Path, default=HOME / "benchmark/abacus.jsonl")
    parser.add_argument("--problems", type=int, default=64)
    parser.add_argument("--n", type=int, default=16)
    parser.add_argument("--beam-width", type=int, default=4)
    parser.add_argument("--batch", type=int, default=25, help="problems that go round together in the loop")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--max-new-tokens", type=int, default=200)
    parser.add_argument("--temperature", type=float, default=0.8, help="at 1.4 the bundled model's steps are ragged")
    parser.add_argument("--reward", choices=("free", "abacus_prm"), default="free")
    parser.add_argument("--baseline", choices=("default", "inprocess"), default="default")
    return parser.parse_args()


def _read_problems(path: Path, wanted: int) -> list[Problem]:
    with path.open(encoding="utf-8") as lines:
        rows = [json.loads(line) for line in islice(lines, wanted)]
    return [
        Problem(number, (Message("user", row["question"]),), answer=row["answer"].rpartition("#### ")[2])
        for number, row in enumerate(rows)
    ]


def _limit_torch_threads() -> None:
    import torch

    torch.set_num_threads(1)


def _load_llm(engine: VLLM, *, inprocess: bool) -> Any:
    """Load vLLM's own blocking engine with the arguments that ours gets."""
    from vllm import LLM

    given = {name: value for name, value in engine._build_arguments().items() if name != "data_parallel_size"}
    arguments = complete_arguments(given)
    if not inprocess:
        os.environ["VLLM_ENABLE_V1_MULTIPROCESSING"] = "1"
        arguments.pop("distributed_executor_backend", None)
    return LLM(**arguments)


def _time(llm: Any, side: Callable[[], int]) -> Turn:
    llm.reset_prefix_cache()
    time.sleep(RESTING_SECONDS)
    start = time.perf_counter()
    tokens = side()
    return tokens, time.perf_counter() - start


def _run_whole(
    engine: VLLM,
    config: GenerationConfig,
    problems: Sequence[Problem],
    grader: GraderPool,
    method: Any,
    reward: RewardModel | None,
) -> int:
    """Run a method as `main.py run` does, and return the number of generated tokens."""
    with tempfile.TemporaryDirectory() as folder:
        records, calls = PartialFile(Path(folder, "run.jsonl")), CallLog(Path(folder, "calls"), "run")
        solver = Solver(engine, method, config, grader, reward_model=reward, call_log=calls)
        asyncio.run(run(problems, solver, records, concurrency=engine.concurrency, show=lambda _: None))
        records.close()
        calls.close()
        lines = Path(folder, "run.jsonl").read_text(encoding="utf-8").splitlines()
        return sum(json.loads(line)["usage"]["generated_tokens"] for line in lines)


def _run_direct(llm: Any, engine: VLLM, config: GenerationConfig, problems: Sequence[Problem], n: int) -> int:
    """Make one call with all prompts, and return the number of generated tokens."""
    prompts = [
        {"prompt_token_ids": list(engine.build_detokenizer(Prompt(problem.messages)).prompt_ids)}
        for problem in problems
    ]
    seeds = [derive_seed(0, problem.index, ()) for problem in problems]
    sampling = [_build_sampling(engine, config, seed, n, config.max_new_tokens) for seed in seeds]
    outputs = llm.generate(prompts, sampling, use_tqdm=False)
    return sum(len(written.token_ids) for output in outputs for written in output.outputs)


def _build_sampling(engine: VLLM, config: GenerationConfig, seed: int, n: int, room: int, **more: Any) -> Any:
    from vllm import SamplingParams

    ends = sorted(engine.end_ids)
    return SamplingParams(n=n, seed=seed, max_tokens=room, temperature=config.temperature, stop_token_ids=ends, **more)


@dataclass(frozen=True, slots=True)
class Partial:
    """A partial solution."""

    path: tuple[int, ...] = ()
    ids: tuple[int, ...] = ()
    text: str = ""
    score: float = 0.0
    finished: bool = False


@dataclass(frozen=True, slots=True)
class Lockstep:
    """Beam search as a loop over `LLM.generate`: every problem waits for the slowest step of all."""

    llm: Any
    engine: VLLM
    config: GenerationConfig
    reward: RewardModel
    beam_width: int
    n: int

    def write(self, problems: Sequence[Problem], batch: int) -> int:
        """Solve all problems, so many together, and return the number of generated tokens."""
        return sum(self._write_together(problems[start : start + batch]) for start in range(0, len(problems), batch))

    def _write_together(self, problems: Sequence[Problem]) -> int:
        prompts = {
            problem.index: self.engine.build_detokenizer(Prompt(problem.messages)).prompt_ids for problem in problems
        }
        live = {problem.index: [Partial()] for problem in problems}
        tokens = 0
        while live:
            asked = [(index, node) for index, beam in live.items() for node in beam]
            outputs = self.llm.generate(
                [{"prompt_token_ids": [*prompts[index], *node.ids]} for index, node in asked],
                [self._build_sampling(index, node) for index, node in asked],
                use_tqdm=False,
            )
            families: dict[Any, list[Partial]] = {index: [] for index in live}
            for (index, node), output in zip(asked, outputs, strict=True):
                tokens += sum(len(each.token_ids) for each in output.outputs)
                families[index] += self._write_children(node, output.outputs)
            live = self._select_survivors(problems, families)
        return tokens

    def _build_sampling(self, index: Any, node: Partial) -> Any:
        width = self.n if node.path else self.n * self.beam_width
        room = max(1, self.config.max_new_tokens - len(node.ids))
        stop = {"stop": [SEPARATOR], "include_stop_str_in_output": True}
        return _build_sampling(self.engine, self.config, derive_seed(0, index, node.path), width, room, **stop)

    def _write_children(self, node: Partial, outputs: Sequence[Any]) -> list[Partial]:
        distinct: dict[tuple[str, bool], Partial] = {}
        for ordinal, each in enumerate(outputs):
            ids = (*node.ids, *each.token_ids)
            finished = each.stop_reason != SEPARATOR or len(ids) >= self.config.max_new_tokens
            child = Partial((*node.path, ordinal), ids, node.text + each.text, finished=finished)
            distinct.setdefault((each.text, finished), child)
        return list(distinct.values())

    def _select_survivors(
        self, problems: Sequence[Problem], families: dict[Any, list[Partial]]
    ) -> dict[Any, list[Partial]]:
        by_index = {problem.index: problem for problem in problems}
        children = [(index, child) for index, family in families.items() for child in family]
        unique = list(dict.fromkeys((index, _split_steps(child)) for index, child in children if _split_steps(child)))
        scores: dict[Any, float] = {}
        for start in range(0, len(unique), self.reward.max_batch_size):
            part = unique[start : start + self.reward.max_batch_size]
            found = self.reward.score_batch([(by_index[index], steps) for index, steps in part])
            scores |= {each: scored.scores[-1] for each, scored in zip(part, found, strict=True)}
        live: dict[Any, list[Partial]] = {}
        for index, family in families.items():
            scored = [replace(child, score=scores.get((index, _split_steps(child)), 0.0)) for child in family]
            ranked = sorted(scored, key=lambda child: child.score, reverse=True)
            if beam := [child for child in ranked if not child.finished][: self.beam_width]:
                live[index] = beam
        return live


def _split_steps(node: Partial) -> tuple[str, ...]:
    return tuple(step.strip() for step in node.text.split(SEPARATOR) if step.strip())


def _hash(text: str) -> float:
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:6], "big") / 2**48


if __name__ == "__main__":
    main()
