"""Measure how full a search keeps the engine: whole runs on a simulated engine whose clock is virtual.

Run it as `python perf/search.py [--problems 100] [--slots 256]`. The engine serves first come first; a step takes 20 to
80 ms by a hash of what is asked, a reward call 20 ms. The bound is "everything in flight": the same calls with the same
dependencies, every problem begun at once, placed in the slots by an event queue that knows nothing of our program. CPU
time is that of the whole run: solver, call log, votes' groups, records on disk.
"""

import argparse
import asyncio
import heapq
import selectors
import sys
import tempfile
import time
from collections import defaultdict, deque
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from hashlib import blake2b
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from loguru import logger

from inference_kit.grader import GraderPool
from inference_kit.models.base import Engine
from inference_kit.records import Completion, GenerationConfig, Message, Problem, Prompt, StepScores
from inference_kit.reward_models.base import RewardModel
from inference_kit.runner import run
from inference_kit.search import METHODS
from inference_kit.solver import Solver
from inference_kit.store.call_log import CallLog
from inference_kit.store.results import PartialFile

REWARD_SECONDS = 0.02
RUNS: dict[str, dict[str, Any]] = {
    "best_of_n n=16": {"method": "best_of_n", "n": 16},
    "beam_search 4 x 4": {"method": "beam_search", "beam_width": 4, "n": 4},
    "mcts, 1 leaf": {"method": "mcts", "iterations": 16, "n": 4},
    "mcts, 4 leaves": {"method": "mcts", "iterations": 16, "n": 4, "leaves": 4},
}


class VirtualLoop(asyncio.SelectorEventLoop):
    """An event loop whose clock jumps to the next thing that is due; what belongs on a thread is done at once."""

    def __init__(self) -> None:
        self.now = 0.0
        super().__init__(_Jumping(self))

    def time(self) -> float:
        """Virtual seconds."""
        return self.now

    def run_in_executor(self, executor: Any, function: Callable[..., Any], *arguments: Any) -> "asyncio.Future[Any]":
        """Call `function` now."""
        future = self.create_future()
        future.set_result(function(*arguments))
        return future


class _Jumping(selectors.DefaultSelector):
    """Waits for nothing: it moves the clock on by as long as it was to wait."""

    def __init__(self, loop: VirtualLoop) -> None:
        super().__init__()
        self._loop = loop

    def select(self, timeout: float | None = None) -> list[Any]:
        """Jump."""
        if timeout is None:
            raise RuntimeError("everything waits and nothing is due")
        self._loop.now += max(0.0, timeout)
        return []


@dataclass(slots=True)
class Trace:
    """The calls of each problem in the order of their rounds: seconds in a slot, or 0 slots for a reward call."""

    rounds: dict[str, list[tuple[float, list[float]]]] = field(default_factory=lambda: defaultdict(list))

    def add(self, problem: str, now: float, seconds: float) -> None:
        """Add a call that a problem makes now; those of one moment are one round."""
        rounds = self.rounds[problem]
        if not rounds or rounds[-1][0] != now:
            rounds.append((now, []))
        rounds[-1][1].append(seconds)


@dataclass(slots=True)
class Slots:
    """Serves calls first come first; nothing but timers, so that its own CPU time stays small."""

    free: int
    busy_seconds: float = 0.0
    waiting: "deque[tuple[float, Callable[[], None]]]" = field(default_factory=deque)

    def serve(self, seconds: float, finished: Callable[[], None]) -> None:
        """Call `finished` when a slot has worked `seconds`."""
        if not self.free:
            self.waiting.append((seconds, finished))
            return
        self.free -= 1
        self.busy_seconds += seconds
        asyncio.get_running_loop().call_later(seconds, self._end, finished)

    def _end(self, finished: Callable[[], None]) -> None:
        self.free += 1
        finished()
        if self.waiting:
            self.serve(*self.waiting.popleft())


class SimulatedEngine(Engine):
    """Writes solutions of 3 to 6 steps; what and how long follows from a hash of problem, beginning and seed."""

    separator = "\n\n"

    def __init__(self, slots: int, trace: Trace) -> None:
        self.identity, self.concurrency, self.trace = "simulated", slots, trace
        self.slots = Slots(slots)

    async def generate(self, prompt: Prompt, config: GenerationConfig) -> AsyncIterator[tuple[int, Completion]]:
        """Yield completions as they finish."""
        written = [_written(prompt, seed, whole=not config.boundary) for seed in prompt.seeds]
        now, done = asyncio.get_running_loop().time(), asyncio.Queue[int]()
        for place, (_, seconds) in enumerate(written):
            self.trace.add(prompt.messages[0].content, now, seconds)
            self.slots.serve(seconds, partial(done.put_nowait, place))
        for _ in written:
            place = await done.get()
            yield place, written[place][0]


class SimulatedReward(RewardModel):
    """Scores the newest step by a hash, in 20 ms, as many at once as are asked."""

    identity = "simulated"

    def __init__(self, trace: Trace) -> None:
        self.trace = trace

    async def scores(self, problem: Problem, steps: Sequence[str]) -> StepScores:
        """Wait, then score every step."""
        self.trace.add(problem.question, asyncio.get_running_loop().time(), -REWARD_SECONDS)
        await asyncio.sleep(REWARD_SECONDS)
        return StepScores(
            tuple(_hash(problem.question, *steps[: place + 1]) % 997 / 997 for place in range(len(steps)))
        )


def _hash(*parts: Any) -> int:
    return int.from_bytes(blake2b(repr(parts).encode(), digest_size=6).digest(), "big")


def _written(prompt: Prompt, seed: int, *, whole: bool) -> tuple[Completion, float]:
    """A step, or all steps to the end, and how long that takes."""
    problem, text, seconds = prompt.messages[0].content, "", 0.0
    while True:
        beginning = prompt.prefix + text
        number = _hash(problem, beginning, seed)
        seconds += 0.02 + number % 6001 / 100_000
        last = beginning.count("\n\n") >= 2 + _hash(problem, beginning) % 4
        text += f"So \\boxed{{{number % 7}}}." if last else f"Step {number}.\n\n"
        if last or not whole:
            return Completion(text, "stop" if last else "boundary", tokens=8, logprob=-1.0), seconds


def bound_seconds(trace: Trace, slots: int) -> float:
    """When the last call of the trace ends, if every round begins the moment the one before it has ended."""
    rounds = {problem: deque(calls for _, calls in each) for problem, each in trace.rounds.items()}
    open_calls: dict[str, int] = dict.fromkeys(rounds, 0)
    queue: deque[tuple[str, float]] = deque()
    running: list[tuple[float, int, str, bool]] = []
    now, free, serial = 0.0, slots, 0

    def begin(problem: str) -> None:
        nonlocal serial
        for seconds in rounds[problem].popleft() if rounds[problem] else ():
            open_calls[problem] += 1
            if seconds < 0:
                serial += 1
                heapq.heappush(running, (now - seconds, serial, problem, False))
            else:
                queue.append((problem, seconds))

    for problem in rounds:
        begin(problem)
    while queue or running:
        while queue and free:
            problem, seconds = queue.popleft()
            free, serial = free - 1, serial + 1
            heapq.heappush(running, (now + seconds, serial, problem, True))
        now, _, problem, had_slot = heapq.heappop(running)
        free += had_slot
        open_calls[problem] -= 1
        if not open_calls[problem]:
            begin(problem)
    return now


@dataclass(frozen=True, slots=True)
class Measured:
    """A run: virtual seconds, the bound, the share of the slots' time in use, and CPU seconds."""

    seconds: float
    bound: float
    in_use: float
    cpu_seconds: float


def measure(settings: dict[str, Any], n_problems: int, slots: int, grader: GraderPool) -> Measured:
    """Run a method over made-up problems in virtual time."""
    trace, loop = Trace(), VirtualLoop()
    method = partial(METHODS[settings["method"]], **{name: each for name, each in settings.items() if name != "method"})
    problems = [Problem(number, (Message("user", f"problem {number}"),)) for number in range(n_problems)]
    with tempfile.TemporaryDirectory() as folder, asyncio.Runner(loop_factory=lambda: loop) as runner:
        engine = SimulatedEngine(slots, trace)
        log = CallLog(Path(folder), "perf", fsync_seconds=None)
        solver = Solver(engine, method, GenerationConfig(), grader, SimulatedReward(trace), log)
        partial_file = PartialFile(Path(folder) / "run.jsonl", fsync_seconds=None)
        began = time.process_time()
        runner.run(
            run(
                problems,
                solver,
                partial_file,
                concurrency=slots,
                judged=lambda _record: None,
                watch=lambda _record, _correct: None,
            )
        )
        cpu_seconds = time.process_time() - began
        partial_file.close()
        log.close()
    return Measured(loop.now, bound_seconds(trace, slots), engine.slots.busy_seconds / (slots * loop.now), cpu_seconds)


def main() -> None:
    """Print one line for each method."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--problems", type=int, default=100)
    parser.add_argument("--slots", type=int, default=256)
    arguments = parser.parse_args()
    logger.remove()
    print(f"{arguments.problems} problems, {arguments.slots} slots")
    with GraderPool() as grader:
        for name, settings in RUNS.items():
            found = measure(settings, arguments.problems, arguments.slots, grader)
            ratio = found.seconds / found.bound
            print(
                f"  {name:18s} {found.seconds:5.2f} s, bound {found.bound:5.2f} s, ratio {ratio:.2f}, slots in use"
                f" {100 * found.in_use:3.0f} %, CPU {found.cpu_seconds:.2f} s"
            )


if __name__ == "__main__":
    main()
