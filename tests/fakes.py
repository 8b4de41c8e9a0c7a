"""Scripted engines and reward models: real subclasses, no weights, every call counted."""

import asyncio
import zlib
from collections.abc import AsyncIterator, Callable, Sequence

from inference_kit.errors import EngineError
from inference_kit.models.base import Engine
from inference_kit.records import Completion, GenerationConfig, Problem, Prompt
from inference_kit.reward_models.base import RewardModel


class SeededEngine(Engine):
    """Answers `\\boxed{seed mod answers}` after two steps; what it writes follows from the prompt's seeds alone."""

    def __init__(self, model_path: str = "seeded", *, answers: int = 7, separator: str = "\n\n") -> None:
        """Make the engine.

        Args:
            answers: How many different answers it gives.
            separator: Text that ends a step.
        """
        self.identity, self.answers, self.separator = f"seeded:{model_path}:{answers}", answers, separator
        self.completions = 0

    def vanilla_generate(self, prompts: Sequence[Prompt], config: GenerationConfig) -> list[list[Completion]]:
        """Write one short solution for each seed."""
        return [[self._write(prompt, seed) for seed in prompt.seeds] for prompt in prompts]

    def _write(self, prompt: Prompt, seed: int) -> Completion:
        self.completions += 1
        text = self.separator.join(["Think.", f"So it is \\boxed{{{seed % self.answers}}}."])
        return Completion(
            text, "stop", tokens=8, logprob=-float(seed % 5), prompt_tokens=len(prompt.messages[-1].content)
        )


class OutOfOrderEngine(SeededEngine):
    """Finishes later candidates first, and later prompts before earlier ones."""

    async def generate(self, prompt: Prompt, config: GenerationConfig) -> AsyncIterator[tuple[int, Completion]]:
        """Yield the last seed first, giving way to others in between."""
        for position in reversed(range(prompt.n)):
            await asyncio.sleep(0)
            yield position, self._write(prompt, prompt.seeds[position])


class FailingEngine(SeededEngine):
    """Fails for problems whose text holds `fail_on`, until `healed` is set."""

    def __init__(self, model_path: str = "failing", *, fail_on: str = "impossible") -> None:
        super().__init__(model_path)
        self.fail_on, self.healed = fail_on, False

    def _write(self, prompt: Prompt, seed: int) -> Completion:
        if self.fail_on in prompt.messages[-1].content and not self.healed:
            raise EngineError("the engine has no answer to this one")
        return super()._write(prompt, seed)


class Talker(Engine):
    """Replies what `reply` says to a prompt's last message and one of its seeds; one token a word."""

    def __init__(self, reply: Callable[[str, int], str]) -> None:
        self.identity, self.reply = "talker", reply
        self.asked: list[Prompt] = []
        self.configs: list[GenerationConfig] = []

    async def generate(self, prompt: Prompt, config: GenerationConfig) -> AsyncIterator[tuple[int, Completion]]:
        """Reply once for each seed."""
        self.asked.append(prompt)
        self.configs.append(config)
        for position, seed in enumerate(prompt.seeds):
            text = self.reply(prompt.messages[-1].content, seed)
            yield position, Completion(text, "stop", tokens=len(text.split()), logprob=-1.0, prompt_tokens=1)


class Likes(RewardModel):
    """Scores the last step 0.9 where the solution's answer is `favourite`, else 0.2; every other step 0.5."""

    def __init__(self, model_path: str = "likes", *, favourite: str = "3") -> None:
        self.identity, self.favourite, self.scored = f"likes:{favourite}", favourite, 0

    def score(self, problem: Problem, steps: Sequence[str]) -> list[float]:
        """Look for the favourite in the last step."""
        self.scored += 1
        return [0.5] * (len(steps) - 1) + [0.9 if f"{{{self.favourite}}}" in steps[-1] else 0.2]


class Whims(RewardModel):
    """Scores each step by a checksum of all until there."""

    identity = "whims"

    def score(self, problem: Problem, steps: Sequence[str]) -> list[float]:
        """Ninety-seven different scores."""
        return [zlib.crc32("\n".join(steps[: place + 1]).encode()) % 97 / 96 for place in range(len(steps))]


class SlowEngine(SeededEngine):
    """Takes a few milliseconds for each completion, two problems at a time, so that a run can be killed half-way.

    It goes on behind a prefix: a few steps, then the answer.
    """

    concurrency = 2

    async def generate(self, prompt: Prompt, config: GenerationConfig) -> AsyncIterator[tuple[int, Completion]]:
        """Yield one completion after the other."""
        for position, seed in enumerate(prompt.seeds):
            await asyncio.sleep(0.008 if config.boundary else 0.03)
            self.completions += 1
            yield position, self._go_on(prompt, seed, config)

    def _go_on(self, prompt: Prompt, seed: int, config: GenerationConfig) -> Completion:
        text = ""
        while True:
            so_far = prompt.prefix + text
            chance = zlib.crc32(f"{prompt.messages[-1].content}|{so_far}|{seed}".encode())
            if chance % 3 == 0 or so_far.count(self.separator) == 4:
                text += f"So it is \\boxed{{{chance % self.answers}}}."
                return Completion(text, "stop", tokens=len(text.split()), logprob=-1.0)
            text += f"Try {chance % 10}.{self.separator}"
            if config.boundary:
                return Completion(text, "boundary", tokens=len(text.split()), logprob=-1.0)
