"""Calls: what is asked of an engine and a reward model; each call is keyed, looked up, logged and counted here.

Why: resume, a larger n, prices and budgets are about single calls, whether a search tree, a conversation or a row of a
file stands above them.
Promises: a key names everything that the outcome depends on, and does not depend on how it is asked for; every
completion and every score is in the call log before the caller sees it; what was asked before is looked up, and what
two callers ask at the same time at temperature 0 is written once; a call counts once, as paid where this run has paid
for it, and a resumed run counts what an undisturbed one does.
"""

import asyncio
from collections import defaultdict
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterable, Mapping, Sequence
from contextlib import aclosing, nullcontext
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any, TypeVar, cast

from inference_kit.budget import RunBudget
from inference_kit.models.base import Engine
from inference_kit.models.local.images import digest_file
from inference_kit.records import Completion, GenerationConfig, Message, Problem, Prompt, StepScores, Usage
from inference_kit.reward_models.base import RewardModel
from inference_kit.store.call_folder import LoggedCall
from inference_kit.store.call_log import CallLog, call_key

ENDED_BY_THEMSELVES = ("stop", "boundary")
"""Finish reasons of completions that a higher token limit leaves as they are."""

Item = TypeVar("Item", Completion, str | Completion)
Ask = Callable[[Prompt, GenerationConfig], AsyncIterator[tuple[int, Item]]]
"""How an engine is asked: its `generate` or its `stream`."""


@dataclass
class Calls:
    """The calls of one problem, or of whatever else is counted by itself; `usage` is what they cost so far.

    The engine, the reward model and the log are borrowed. Once `run_budget` is spent, only what is known is answered.
    """

    engine: Engine
    reward_model: RewardModel | None = None
    log: CallLog | None = None
    run_budget: RunBudget = field(default_factory=RunBudget)
    usage: Usage = field(default_factory=Usage)
    _known: dict[str, Completion] = field(default_factory=dict)
    _asking: defaultdict[str, asyncio.Lock] = field(default_factory=lambda: defaultdict(asyncio.Lock))
    _question: tuple[Problem, str] | None = None
    _asker: object = field(default_factory=object)

    async def complete(self, prompt: Prompt, config: GenerationConfig) -> list[Completion]:
        """Return a completion for each of the prompt's seeds, in their order."""
        found: dict[int, Completion] = {}
        async with aclosing(self.generate(prompt, config)) as answers:
            async for position, completion in answers:
                found[position] = completion
        return [found[position] for position in range(prompt.n)]

    def generate(self, prompt: Prompt, config: GenerationConfig) -> AsyncGenerator[tuple[int, Completion], None]:
        """Yield the completions of `complete` as they finish, each with its position."""
        return self._ask(prompt, config, self.engine.generate)

    async def stream(
        self, prompt: Prompt, config: GenerationConfig
    ) -> AsyncGenerator[tuple[int, str | Completion], None]:
        """Yield what `generate` does, each completion after the pieces of its text.

        A text that is known already, or that the engine does not stream, is one piece.
        """
        shown: set[int] = set()
        async with aclosing(self._ask(prompt, config, self.engine.stream)) as answers:
            async for position, item in answers:
                if isinstance(item, str):
                    shown.add(position)
                elif position not in shown and item.text:
                    yield position, item.text
                if item:
                    yield position, item

    async def score(self, problem: Problem, steps: Sequence[str]) -> StepScores:
        """Score one solution of `problem`, which is cut into steps."""
        assert self.reward_model is not None
        identity, key = self.reward_model.identity, call_key(asked=self._digest_question(problem), steps=steps)
        if logged := self._find(identity, key):
            scores = StepScores(tuple(logged.payload["scores"]), logged.payload["tokens"])
            paid = logged.same_run
        else:
            self.run_budget.check()
            with self.run_budget.watch(identity, self._asker):
                scores, paid = await self.reward_model.scores(problem, steps), True
            self.run_budget.failures.note_answer(identity)
            self._log(identity, key, {"scores": scores.scores, "tokens": scores.tokens})
        self.usage += Usage(reward_tokens=scores.tokens, reward_calls=1, cached_reward_calls=0 if paid else 1)
        return scores

    async def _ask(
        self, prompt: Prompt, config: GenerationConfig, ask: Ask[Item]
    ) -> AsyncGenerator[tuple[int, Item], None]:
        """Yield what is known, then what the engine answers to the rest; completions are logged and counted first."""
        asked = self._digest_prompt(prompt, config)
        places: dict[str, list[int]] = {}
        seed_of: dict[str, int] = {}
        for position, seed in enumerate(prompt.seeds):
            key = call_key(asked=asked, seed=seed)
            places.setdefault(key, []).append(position)
            seed_of[key] = seed
        # Only at temperature 0 do two callers ask the same; the second one waits for what the first one gets.
        async with self._asking[asked] if config.temperature == 0 else nullcontext():
            reading = _Reading(shared=self._shares_prompt)
            self._look_up(seed_of, reading)
            self._take_over(prompt, config, seed_of)
            for key in [key for key in seed_of if key in self._known]:
                for position in places[key]:
                    yield position, self._known[key]
            missing = [key for key in seed_of if key not in self._known]
            if not missing:
                return
            self.run_budget.check()
            rest = replace(prompt, seeds=tuple(seed_of[key] for key in missing))
            asked_for = cast("AsyncGenerator[tuple[int, Item]]", ask(rest, config))
            if self.run_budget.failures.awaits_answer(self._engine_identity):
                asked_for = self._watch(asked_for)
            async with aclosing(asked_for) as answers:
                async for place, item in answers:
                    key = missing[place]
                    if isinstance(item, Completion):
                        self._log(self._engine_identity, key, item.to_json())
                        self._note_limit(config)
                        self._known[key] = item
                        self.run_budget.count(self._count(item, reading.new_tokens(item.prompt_tokens), paid=True))
                    for position in places[key]:
                        yield position, item

    async def _watch(self, answers: AsyncGenerator[tuple[int, Item]]) -> AsyncGenerator[tuple[int, Item], None]:
        """Yield what the engine answers, and note whether it does."""
        with self.run_budget.watch(self._engine_identity, self._asker):
            async with aclosing(answers):
                async for found in answers:
                    self.run_budget.failures.note_answer(self._engine_identity)
                    yield found

    def _look_up(self, keys: Iterable[str], reading: "_Reading") -> None:
        """Take from the log what is there, and count it."""
        for key in [key for key in keys if key not in self._known]:
            if logged := self._find(self._engine_identity, key):
                self._known[key] = completion = Completion.from_json(logged.payload)
                by_then = "read_tokens" not in logged.payload
                read = reading.new_tokens(completion.prompt_tokens, by_then=by_then) if logged.same_run else 0
                self._count(completion, read, paid=logged.same_run)

    def _take_over(self, prompt: Prompt, config: GenerationConfig, seed_of: Mapping[str, int]) -> None:
        """Take what ended by itself under a lower token limit of another run; a higher limit would not change it."""
        limits = self.log.find_lower_limits(self._engine_identity, config.max_new_tokens) if self.log else ()
        for limit in limits:
            missing = [key for key in seed_of if key not in self._known]
            asked = self._digest_prompt(prompt, replace(config, max_new_tokens=limit)) if missing else ""
            for key in missing:
                logged = self._find(self._engine_identity, call_key(asked=asked, seed=seed_of[key]))
                if logged and not logged.same_run and logged.payload["finish_reason"] in ENDED_BY_THEMSELVES:
                    self._known[key] = completion = Completion.from_json(logged.payload)
                    self._count(completion, 0, paid=False)

    def _note_limit(self, config: GenerationConfig) -> None:
        if self.log:
            self.log.note_limit(self._engine_identity, config.max_new_tokens)

    def _count(self, completion: Completion, prompt_tokens: int, *, paid: bool) -> Usage:
        """Count a completion, and return what it counts as; the run's budget has counted what is in the log."""
        usage = Usage(
            prompt_tokens=prompt_tokens,
            generated_tokens=completion.tokens if paid else 0,
            cached_tokens=0 if paid else completion.tokens,
            calls=1,
            cached_calls=0 if paid else 1,
        )
        self.usage += usage
        return usage

    def _digest_prompt(self, prompt: Prompt, config: GenerationConfig) -> str:
        """Digest all that the completions of a prompt have in common, so that sixteen keys cost about one."""
        return call_key(
            engine=self._engine_identity,
            messages=[message.to_json() for message in prompt.messages],
            prefix=prompt.prefix,
            prefix_tokens=prompt.prefix_tokens,
            settings=config.to_json(),
            **_digest_images(prompt.messages),
        )

    def _digest_question(self, problem: Problem) -> str:
        """Digest all that the scores of a problem's solutions have in common, and keep that for the next one."""
        assert self.reward_model is not None
        if self._question is None or self._question[0] is not problem:
            key = call_key(
                reward_model=self.reward_model.identity,
                problem=[message.to_json() for message in problem.messages],
                question=problem.question,
                gold=problem.answer,
            )
            self._question = problem, key
        return self._question[1]

    @cached_property
    def _engine_identity(self) -> str:
        return self.engine.identity

    @cached_property
    def _shares_prompt(self) -> bool:
        return self.engine.capabilities.shares_prompt

    def _find(self, identity: str, key: str) -> LoggedCall | None:
        return self.log.find(identity, key) if self.log else None

    def _log(self, identity: str, key: str, payload: Mapping[str, Any]) -> None:
        if self.log:
            self.log.append(identity, key, payload)


@dataclass(slots=True)
class _Reading:
    """Counts the tokens of one prompt, which each of its completions names.

    Where it is `shared` they all name the same reading. An older log holds, where the prompt was read for each of them,
    all that had been read by then.
    """

    shared: bool
    known: int = 0

    def new_tokens(self, tokens: int, *, by_then: bool = False) -> int:
        """Return how many of `tokens` were not counted yet."""
        if not self.shared and not by_then:
            return tokens
        new = max(0, tokens - self.known)
        self.known += new
        return new


def _digest_images(messages: Sequence[Message]) -> dict[str, dict[str, str]]:
    """Name the images that are files by their content; without any, a key says nothing of images."""
    names = [name for message in messages for name in message.images]
    digests = {name: digest for name in names if (digest := digest_file(name))}
    return {"images": digests} if digests else {}
