"""Measure how full a search keeps the engine: whole runs on a simulated engine whose clock is virtual.

Run it as `python perf/search.py [--problems 100] [--slots 256]`. The engine serves first come first; a step takes 20 to
80 ms by a hash of what is asked, a reward call 20 ms. What a run is compared with is worked out from the calls alone,
whenever our program made them. By the method's definition they fall into waves, each of which needs the rewards of the
one before: all of best_of_n is one, beam_search has one for each depth, mcts with one leaf one for each leaf.

    least   the larger of all work over all slots, and the longest problem on slots without end: no client is faster
    bound   everything in flight: each wave enters the engine's queue the moment the rewards before it are there

CPU time is that of the whole run: solver, call log, votes' groups, records on disk.
"""

import argparse
import asyncio
import heapq
import selectors
import sys
import tempfile
import time
from collections import Counter, defaultdict, deque
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from hashlib import blake2b
from itertools import count
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


@dataclass(frozen=True, slots=True)
class Setup:
    """A method with its settings, and how its definition cuts its calls into waves, by the reply so far."""

    method: str
    settings: Mapping[str, int]
    wave_of: Callable[[str], Any]


def _depth(beginning: str) -> int:
    return beginning.count("\n\n")


SETUPS = {
    "best_of_n n=16": Setup("best_of_n", {"n": 16}, lambda _: "the only one"),
    "beam_search 4 x 4": Setup("beam_search", {"beam_width": 4, "n": 4}, _depth),
    "mcts, 1 leaf": Setup("mcts", {"iterations": 16, "n": 4}, lambda beginning: beginning),
}
SEVERAL_LEAVES = "mcts, 4 leaves"
"""Compared with what one leaf at a time costs, which its definition no longer asks for."""


class VirtualLoop(asyncio.SelectorEventLoop):
    """An event loop whose clock jumps to the next thing that is due; what belongs on a thread is done at once."""

    def __init__(self) -> None:
        self.now = 0.0
        super().__init__(_JumpingSelector(self))

    def time(self) -> float:
        """Return the virtual time, in seconds."""
        return self.now

    def run_in_executor(self, executor: Any, function: Callable[..., Any], *arguments: Any) -> "asyncio.Future[Any]":
        """Call `function` at once, on this thread."""
        future = self.create_future()
        future.set_result(function(*arguments))
        return future


class _JumpingSelector(selectors.DefaultSelector):
    """Waits for nothing: it advances the clock by as long as it was to wait."""

    def __init__(self, loop: VirtualLoop) -> None:
        super().__init__()
        self._loop = loop

    def select(self, timeout: float | None = None) -> list[Any]:
        """Advance the virtual clock by `timeout` and wait for nothing."""
        if timeout is None:
            raise RuntimeError("everything waits and nothing is due")
        self._loop.now += max(0.0, timeout)
        return []


@dataclass(slots=True)
class Trace:
    """The seconds that each problem asks for, in the order of its waves; `wave_of` tells a wave by the reply so far."""

    wave_of: Callable[[str], Any]
    waves: dict[str, dict[Any, list[float]]] = field(default_factory=lambda: defaultdict(dict))

    def add(self, problem: str, beginning: str, seconds: float) -> None:
        """Add a call of `seconds` that goes on from `beginning`."""
        self.waves[problem].setdefault(self.wave_of(beginning), []).append(seconds)

    def least_seconds(self, slots: int) -> float:
        """Return a lower bound for any client: the work over the slots, or the longest problem on its own."""
        alone = [sum(max(calls) + REWARD_SECONDS for calls in waves.values()) for waves in self.waves.values()]
        work = sum(sum(calls) for waves in self.waves.values() for calls in waves.values())
        return max(work / slots, *alone)

    def bound_seconds(self, slots: int) -> float:
        """Return when the last wave ends, if each is queued the moment the rewards before it are there."""
        waves = {problem: deque(each.values()) for problem, each in self.waves.items()}
        open_calls: Counter[str] = Counter()
        serial, now, ends = count(), 0.0, 0.0
        queue: deque[tuple[str, float]] = deque()
        events = [(0.0, next(serial), problem, False) for problem in waves]
        while events:
            now, _, problem, gives_slot = heapq.heappop(events)
            slots += gives_slot
            open_calls[problem] -= gives_slot
            if not open_calls[problem] and gives_slot:
                heapq.heappush(events, (now + REWARD_SECONDS, next(serial), problem, False))
            elif not open_calls[problem]:
                wave = waves[problem].popleft() if waves[problem] else []
                open_calls[problem] = len(wave)
                queue += [(problem, seconds) for seconds in wave]
                ends = now
            while queue and slots:
                owner, seconds = queue.popleft()
                slots -= 1
                heapq.heappush(events, (now + seconds, next(serial), owner, True))
        return ends


@dataclass(slots=True)
class Slots:
    """Serves calls first come first; nothing but timers, so that its own CPU time stays small."""

    free: int
    busy_seconds: float = 0.0
    waiting: "deque[tuple[float, Callable[[], None]]]" = field(default_factory=deque)

    def serve(self, seconds: float, finished: Callable[[], None]) -> None:
        """Call `finished` once a slot has worked for `seconds`."""
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
        replies = [write_reply(prompt, seed, whole=not config.boundary) for seed in prompt.seeds]
        done = asyncio.Queue[int]()
        for place, (_, seconds) in enumerate(replies):
            self.trace.add(prompt.messages[0].content, prompt.prefix, seconds)
            self.slots.serve(seconds, partial(done.put_nowait, place))
        for _ in replies:
            place = await done.get()
            yield place, replies[place][0]


class SimulatedReward(RewardModel):
    """Scores the newest step by a hash, in 20 ms, as many at once as are asked."""

    identity = "simulated"

    async def scores(self, problem: Problem, steps: Sequence[str]) -> StepScores:
        """Wait, then score every step."""
        await asyncio.sleep(REWARD_SECONDS)
        return StepScores(
            tuple(_hash(problem.question, *steps[: place + 1]) % 997 / 997 for place in range(len(steps)))
        )


def _hash(*parts: Any) -> int:
    return int.from_bytes(blake2b(repr(parts).encode(), digest_size=6).digest(), "big")


def write_reply(prompt: Prompt, seed: int, *, whole: bool) -> tuple[Completion, float]:
    """Write a step, or all steps to the end; return it and the seconds that it takes."""
    problem, text, seconds = prompt.messages[0].content, "", 0.0
    while True:
        beginning = prompt.prefix + text
        number = _hash(problem, beginning, seed)
        seconds += 0.02 + number % 6001 / 100_000
        last = beginning.count("\n\n") >= 2 + _hash(problem, beginning) % 4
        text += f"So \\boxed{{{number % 7}}}." if last else f"Step {number}.\n\n"
        if last or not whole:
            return Completion(text, "stop" if last else "boundary", tokens=8, logprob=-1.0), seconds


@dataclass(frozen=True, slots=True)
class Measurement:
    """A run: virtual seconds, the two bounds, the share of the slots' time in use, and CPU seconds."""

    seconds: float
    least: float
    bound: float
    in_use: float
    cpu_seconds: float


def measure(setup: Setup, n_problems: int, slots: int, grader: GraderPool) -> Measurement:
    """Run a method over made-up problems in virtual time."""
    trace, loop = Trace(setup.wave_of), VirtualLoop()
    method = partial(METHODS[setup.method].function, **setup.settings)
    problems = [Problem(number, (Message("user", f"problem {number}"),)) for number in range(n_problems)]
    with tempfile.TemporaryDirectory() as folder, asyncio.Runner(loop_factory=lambda: loop) as runner:
        engine = SimulatedEngine(slots, trace)
        log = CallLog(Path(folder), "perf", fsync_seconds=None)
        solver = Solver(engine, method, GenerationConfig(), grader, SimulatedReward(), log)
        partial_file = PartialFile(Path(folder) / "run.jsonl", fsync_seconds=None)
        began = time.process_time()
        outcome = runner.run(
            run(
                problems,
                solver,
                partial_file,
                concurrency=slots,
                show=lambda _: None,
            )
        )
        cpu_seconds = time.process_time() - began
        partial_file.close()
        log.close()
        assert (outcome.done, outcome.failed) == (n_problems, 0), outcome
    in_use = engine.slots.busy_seconds / (slots * loop.now)
    return Measurement(loop.now, trace.least_seconds(slots), trace.bound_seconds(slots), in_use, cpu_seconds)


def measure_all(n_problems: int, slots: int) -> dict[str, Measurement]:
    """Measure every setup; several leaves get the bounds of one."""
    with GraderPool() as grader:
        found = {name: measure(setup, n_problems, slots, grader) for name, setup in SETUPS.items()}
        one_leaf = SETUPS["mcts, 1 leaf"]
        several = replace(one_leaf, settings={**one_leaf.settings, "leaves": 4})
        bounds = found["mcts, 1 leaf"]
        measured = measure(several, n_problems, slots, grader)
    return found | {SEVERAL_LEAVES: replace(measured, least=bounds.least, bound=bounds.bound)}


def main() -> None:
    """Print a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--problems", type=int, default=100)
    parser.add_argument("--slots", type=int, default=256)
    arguments = parser.parse_args()
    logger.remove()
    print(f"{arguments.problems} problems, {arguments.slots} slots\n")
    print("| run | wall, s | bound, s | wall / bound | least, s | wall / least | slots in use | CPU, s |")
    print("|---|---:|---:|---:|---:|---:|---:|---:|")
    for name, found in measure_all(arguments.problems, arguments.slots).items():
        wall, bound, least = found.seconds, found.bound, found.least
        compared = f"{wall:.2f} | {bound:.2f} | {wall / bound:.2f} | {least:.2f} | {wall / least:.2f}"
        print(f"| {name} | {compared} | {100 * found.in_use:.0f} % | {found.cpu_seconds:.2f} |")


if __name__ == "__main__":
    main()
