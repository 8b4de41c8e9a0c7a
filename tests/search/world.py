"""A small world in which every token and every reward is known beforehand: an engine and a reward model over hashes.

What follows a text depends on that text and on `seed % streams` alone, so equal siblings are common; a line of thought
ends at any depth with a boxed answer, or gives up without one, or runs out of room. Rewards are binary fractions, so
that sums of them are exact and ties are common.
"""

import asyncio
import hashlib
import math
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from functools import partial

from hypothesis import strategies as st

from inference_kit.context import Rules
from inference_kit.grader import GraderPool
from inference_kit.models.base import Engine
from inference_kit.records import (
    Completion,
    FinishReason,
    GenerationConfig,
    Message,
    Problem,
    Prompt,
    Solution,
    StepScores,
    Token,
)
from inference_kit.records.events import Event
from inference_kit.reward_models.base import RewardModel, ScoreItem
from inference_kit.search import METHODS
from inference_kit.solver import Solver
from inference_kit.store.call_log import CallLog

SEPARATOR = "\n\n"
GIVES_UP = "no idea."
LETTERS = "ABCDE"
PROBLEM = Problem(17, (Message("user", "What is it?"),), answer="B", answer_kind="choice")
GRADER = GraderPool(1)


@dataclass(frozen=True, slots=True)
class World:
    """What is written behind a text, and what a text is worth.

    `words` and `streams` say how often siblings are equal, `ending` how early a line ends, `giving_up` how often
    without an answer, `levels` how fine rewards are and `highest` how high.
    """

    seed: int = 0
    words: int = 2
    streams: int = 5
    answers: int = 3
    ending: float = 0.3
    levels: int = 8
    giving_up: float = 0.5
    highest: float = 1.0

    def chance(self, *what: object) -> float:
        """A number in [0, 1) that belongs to `what`."""
        return int.from_bytes(hashlib.sha256(repr((self.seed, *what)).encode()).digest()[:6], "big") / 2**48

    def next_token(self, text: str, stream: object) -> str:
        """What follows `text`."""
        thinking = bool(text) and not text.endswith(SEPARATOR)
        chance = self.chance("token", text, stream)
        if thinking and chance < 0.6:
            return SEPARATOR
        if chance > 1 - self.ending:
            which = int(self.chance("answer", text, stream) * (self.answers + self.giving_up))
            return f"\\boxed{{{LETTERS[which]}}}" if which < self.answers else GIVES_UP
        return ("go ", "on ", "then ", "so ")[int(self.chance("word", text, stream) * self.words)]

    def write(self, prefix: str, seed: int, config: GenerationConfig) -> Completion:
        """Go on behind `prefix`, as an engine does."""
        tokens: list[str] = []
        reason: FinishReason = "length"
        while len(tokens) < config.max_new_tokens:
            ranked = config.branch_first and not tokens
            stream = ("rank", seed) if ranked else seed % self.streams if config.temperature else "greedy"
            tokens.append(self.next_token(prefix + "".join(tokens), stream))
            if tokens[-1] == GIVES_UP or tokens[-1].startswith("\\boxed"):
                reason = "stop"
                break
            if config.boundary and tokens[-1] == config.boundary:
                reason = "boundary"
                break
        text = "".join(tokens)
        places = [prefix + "".join(tokens[: place + 1]) for place in range(len(tokens))]
        details = tuple(self._detail(token, place) for token, place in zip(tokens, places, strict=True))
        return Completion(
            text,
            reason,
            tokens=len(tokens),
            logprob=math.fsum(each.logprob for each in details),
            prompt_tokens=3,
            token_ids=tuple(ID_OF[token] for token in tokens) if reason != "stop" else (),
            details=details if config.token_details else (),
        )

    def _detail(self, token: str, place: str) -> Token:
        sure = self.chance("sure", place)
        return Token(token, math.log((1 + sure) / 2), margin=sure, confidence=3 * sure, certainty=5 * sure)

    def reward(self, steps: Sequence[str]) -> float:
        """What a line of `steps` is worth."""
        return round(self.chance("reward", tuple(steps)) * self.levels) / self.levels * self.highest


TOKENS = ("go ", "on ", "then ", "so ", SEPARATOR, GIVES_UP, *(f"\\boxed{{{letter}}}" for letter in LETTERS))
ID_OF = {token: number for number, token in enumerate(TOKENS)}

worlds = st.builds(
    World,
    seed=st.integers(0, 10**6),
    words=st.integers(1, 4),
    streams=st.integers(1, 7),
    ending=st.sampled_from([0.1, 0.3, 0.6]),
    levels=st.sampled_from([1, 2, 8]),
    highest=st.sampled_from([1.0, 0.75]),
)


class WorldEngine(Engine):
    """Writes what the world says, and remembers what it was asked."""

    def __init__(self, world: World) -> None:
        self.identity, self.world = f"world:{world}", world
        self.asked: list[tuple[tuple[Message, ...], str, int, GenerationConfig]] = []
        self.tokens = 0

    async def generate(self, prompt: Prompt, config: GenerationConfig) -> AsyncIterator[tuple[int, Completion]]:
        """Yield the completions in order."""
        if prompt.prefix_tokens:
            assert "".join(TOKENS[token] for token in prompt.prefix_tokens) == prompt.prefix
        for position in self.order(prompt.n):
            await self.wait()
            yield position, self._write(prompt, position, config)

    def order(self, n: int) -> Sequence[int]:
        """In which order completions come."""
        return range(n)

    async def wait(self) -> None:
        """Do not wait."""

    def _write(self, prompt: Prompt, position: int, config: GenerationConfig) -> Completion:
        self.asked.append((prompt.messages, prompt.prefix, prompt.seeds[position], config))
        # Another conversation than the problem's is another world.
        world = self.world
        if prompt.messages != PROBLEM.messages:
            world = World(int(world.chance(prompt.messages) * 1e9), words=4, streams=3)
        completion = world.write(prompt.prefix, prompt.seeds[position], config)
        self.tokens += completion.tokens
        return completion


class OutOfOrder(WorldEngine):
    """The same, but the last completion comes first and every call gives way to a number of others."""

    def order(self, n: int) -> Sequence[int]:
        """Backwards."""
        return range(n - 1, -1, -1)

    async def wait(self) -> None:
        """Let others go first, now more of them and now fewer."""
        for _ in range(7 * len(self.asked) % 5):
            await asyncio.sleep(0)


class Streaming(WorldEngine):
    """The same, but it shows its texts while they grow, a few characters of each in turn."""

    async def stream(self, prompt: Prompt, config: GenerationConfig) -> AsyncIterator[tuple[int, str | Completion]]:
        """Yield pieces of all texts, and then the completions."""
        completions = {position: completion async for position, completion in self.generate(prompt, config)}
        for start in range(0, max(len(each.text) for each in completions.values()), 4):
            for position, completion in completions.items():
                await asyncio.sleep(0)
                if piece := completion.text[start : start + 4]:
                    yield position, piece
        for position, completion in completions.items():
            yield position, completion


class WorldRewards(RewardModel):
    """Scores each step of a line, and counts the batches in which it was asked."""

    def __init__(self, world: World) -> None:
        self.identity, self.world = f"world:{world}", world
        self.batches: list[list[tuple[str, ...]]] = []

    def score_batch(self, items: Sequence[ScoreItem]) -> list[StepScores]:
        """Score each line up to each of its steps."""
        self.batches.append([steps for _, steps in items])
        return [
            StepScores(tuple(self.world.reward(steps[: place + 1]) for place in range(len(steps))), tokens=len(steps))
            for _, steps in items
        ]


def solver_of(
    world: World,
    method: str,
    *,
    engine: WorldEngine | None = None,
    scored: bool = True,
    rules: Rules | None = None,
    log: CallLog | None = None,
    max_new_tokens: int = 24,
    temperature: float = 1.0,
    token_details: bool = False,
    **settings: object,
) -> Solver:
    """A method with `settings` in `world`."""
    return Solver(
        engine or WorldEngine(world),
        partial(METHODS[method].function, **settings),
        GenerationConfig(max_new_tokens, temperature, token_details=token_details),
        GRADER,
        WorldRewards(world) if scored else None,
        log,
        rules or Rules(),
        keep_trees=True,
    )


def solved(solver: Solver, problem: Problem = PROBLEM) -> Solution:
    """What the solver makes of the problem."""
    return asyncio.run(solver.solve(problem))


def watch(solver: Solver, problem: Problem = PROBLEM, *, pieces: bool = True) -> list[Event]:
    """What a watcher of the search is told."""

    async def watch() -> list[Event]:
        return [event async for event in solver.watch(problem, pieces=pieces)]

    return asyncio.run(watch())


def texts(solution: Solution) -> list[str]:
    """The candidates' texts in order."""
    return [candidate.text for candidate in solution.candidates]
