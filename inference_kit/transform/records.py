"""Records: one record through the model, from its text to its new text.

Why: what is asked, asked again, left alone or given up is decided here for each record by itself.
Promises: a record that is not transformed comes back as it was; what is already done is not asked again; what a model
wrote is in the call log before it is used, and an answer that is of no use is not asked for again but in another way.
"""

import asyncio
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum
from hashlib import blake2b
from typing import Any

from loguru import logger

from inference_kit.budget import RunBudget
from inference_kit.calls import Calls
from inference_kit.dataset.json_spans import Member, read_members, replace_value
from inference_kit.errors import EngineError
from inference_kit.models.base import Engine
from inference_kit.records import Completion, GenerationConfig, Message, Prompt, Usage
from inference_kit.store.call_log import CallLog
from inference_kit.transform.prompt import PromptTemplate
from inference_kit.transform.replies import strip_fences


class Fate(Enum):
    """What became of a record."""

    TRANSFORMED = "transformed"
    CACHED = "cached"
    DONE = "done before"
    SKIPPED = "skipped"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Outcome:
    """A record's text, new or as it was, and what became of it and why."""

    text: str
    fate: Fate
    reason: str = ""
    attempts: int = 0


@dataclass
class Transformer:
    """Transforms records, many at a time; `usage` is what all of them cost.

    Args:
        engine: What is asked.
        config: The generation settings.
        template: The instruction.
        backup: The field that keeps the original.
        log: Where answers are found and kept; None asks for everything.
        fences: Whether code is taken out of its fences.
        retry: How often an answer that is of no use is asked for again.
        seed: The run's seed.
        dedup: Whether equal prompts share an answer above temperature 0 as well.
        bare: Whether the engine is asked with the field alone, because it only repeats.
        again: Whether records that are done are done again, from their backup.
    """

    engine: Engine
    config: GenerationConfig
    template: PromptTemplate
    backup: str
    log: CallLog | None = None
    fences: bool = True
    retry: int = 3
    seed: int = 0
    dedup: bool = False
    bare: bool = False
    again: bool = False
    budget: RunBudget = field(default_factory=RunBudget)
    usage: Usage = field(default_factory=Usage)
    _occurrences: Counter[int] = field(default_factory=Counter)
    _asking: dict[bytes, "asyncio.Task[Completion]"] = field(default_factory=dict)

    @property
    def counts_occurrences(self) -> bool:
        """Whether a record's seed depends on the records before it."""
        return self.config.temperature > 0 and not self.dedup

    async def transform(self, text: str, where: str) -> Outcome:
        """Transform one record.

        Args:
            text: The record, a JSON object.
            where: Its place, for messages.

        Raises:
            ValueError: where it is no object.
            UserError: where the template does not fit it, or the engine cannot work at all.
            RunStopped: where a limit of the run is reached.
        """
        members, _ = read_members(text)
        member = find_target(members, self.template.target, self.backup, again=self.again)
        if isinstance(member, Left):
            if member.fate is Fate.SKIPPED:
                logger.info("{}: skipped, {}", where, member.why)
            return Outcome(text, member.fate, member.why)
        content = self._read_content(members, member)
        messages = self._fill(members, content)
        first = self._derive_seed(messages)
        problem = ""
        for attempt in range(self.retry + 1):
            try:
                completion, cached = await self._ask(messages, first + attempt if first else attempt)
            except EngineError as error:
                return self._give_up(text, str(error), where, attempt + 1)
            value = strip_fences(completion.text) if self.fences else completion.text
            if value.strip():
                new = replace_value(
                    text, members, member, value, backup=None if self._is_kept(members) else self.backup
                )
                return Outcome(new, Fate.CACHED if cached else Fate.TRANSFORMED, attempts=attempt + 1)
            problem = "the answer is empty"
            logger.debug("{}: {}, asked again", where, problem)
        return self._give_up(text, problem, where, self.retry + 1)

    def count_before(self, text: str) -> None:
        """Take note of a record that was transformed before, so that the ones behind it keep their seeds."""
        members, _ = read_members(text)
        member = find_target(members, self.template.target, self.backup, again=True)
        if isinstance(member, Member):
            self._derive_seed(self._fill(members, self._read_content(members, member)))

    def _read_content(self, members: list[Member], member: Member) -> str:
        """Return the text to transform: the field's, or what was kept of it where it is done again."""
        kept = find_last(members, self.backup)
        return str(kept.value if kept and self._is_kept(members) else member.value)

    def _is_kept(self, members: list[Member]) -> bool:
        kept = find_last(members, self.backup)
        return kept is not None and kept.value not in (None, "")

    def _fill(self, members: list[Member], content: str) -> tuple[Message, ...]:
        record: Mapping[str, Any] = {each.key: each.value for each in members} | {self.template.target: content}
        messages = self.template.fill(record, content)
        logger.trace("prompt: {}", messages)
        return (Message("user", content),) if self.bare else messages

    def _derive_seed(self, messages: tuple[Message, ...]) -> int:
        """Return the seed of a prompt's first attempt: of its content, and of how often it came before.

        At temperature 0 there is nothing to draw, and equal prompts share one answer.
        """
        if self.config.temperature == 0:
            return 0
        digest = blake2b(digest_size=8)
        for message in messages:
            digest.update(f"{message.role}\0{message.content}\0".encode("utf-8", "surrogatepass"))
        content = int.from_bytes(digest.digest(), "big")
        place = self._occurrences[content]
        if self.counts_occurrences:
            self._occurrences[content] += 1
        name = f"{self.seed}|{content}|{place}".encode()
        return 1 + int.from_bytes(blake2b(name, digest_size=8).digest(), "big") % (2**31 - 2**16)

    async def _ask(self, messages: tuple[Message, ...], seed: int) -> tuple[Completion, bool]:
        """Return an answer, and whether it cost nothing; what is being asked already is waited for."""
        name = blake2b(repr((messages, seed)).encode("utf-8", "surrogatepass"), digest_size=16).digest()
        if (known := self._asking.get(name)) is not None:
            return await asyncio.shield(known), True
        calls = Calls(self.engine, None, self.log, self.budget)
        task = asyncio.ensure_future(_complete(calls, Prompt(messages, seeds=(seed,)), self.config))
        self._asking[name] = task
        try:
            completion = await task
        finally:
            del self._asking[name]
            task.cancel()
            self.usage += calls.usage
        return completion, calls.usage.cached_calls > 0

    def _give_up(self, text: str, reason: str, where: str, attempts: int) -> Outcome:
        logger.warning("{}: failed, {}", where, reason)
        return Outcome(text, Fate.FAILED, reason, attempts)


@dataclass(frozen=True, slots=True)
class Left:
    """A record that is left as it is: what that makes of it, and why."""

    fate: Fate
    why: str


def find_target(members: Sequence[Member], target: str, backup: str, *, again: bool = False) -> Member | Left:
    """Return the member to transform, or why the record is left as it is.

    A field that keeps an original, and is not empty, says that a record is done.
    """
    member, kept = find_last(members, target), find_last(members, backup)
    if member is None:
        return Left(Fate.SKIPPED, f"it has no field {target!r}")
    if not isinstance(member.value, str):
        return Left(Fate.SKIPPED, f"its field {target!r} is no text")
    if kept and kept.value not in (None, "") and not again:
        return Left(Fate.DONE, "it is done")
    if not member.value.strip():
        return Left(Fate.SKIPPED, f"its field {target!r} is empty")
    return member


def find_last(members: Sequence[Member], key: str) -> Member | None:
    """Return the member of a key; of several the last, as JSON has it."""
    return next((each for each in reversed(members) if each.key == key), None)


async def _complete(calls: Calls, prompt: Prompt, config: GenerationConfig) -> Completion:
    with calls.run_budget.apply():
        [completion] = await calls.complete(prompt, config)
    return completion
