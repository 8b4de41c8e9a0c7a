"""Replicas: many copies of one engine behind one face, on this machine or on a Ray cluster.

Why: an engine that fits on one GPU is fastest with a copy on each, and nothing above it should have to know.
Promises: to its caller it is the engine itself, with the same identity, so results and call log are the same; each
prompt goes to the copy with the least to do; a copy that dies loses nothing, because others take over what it had not
written; only when none is left does the run end.
"""

import asyncio
import threading
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Mapping, Sequence
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass, replace
from typing import Any

from loguru import logger

from inference_kit.errors import EngineError, UserError, named
from inference_kit.flow import all_of
from inference_kit.models.base import Capabilities, Engine
from inference_kit.models.replicas.local_processes import LocalProcesses
from inference_kit.models.replicas.ray_cluster import RayCluster
from inference_kit.models.replicas.replica import Answer, EngineFactory, Launcher, Replica, ReplicaLost, Request
from inference_kit.records import Completion, GenerationConfig, Message, Prompt
from inference_kit.registry import lookup

LAUNCHERS: dict[str, Callable[[], Launcher]] = {"processes": LocalProcesses, "ray": RayCluster}
"""Where copies can live: processes of this machine, or the actors of a Ray cluster."""


def replicate_engine(make: EngineFactory, n: int, distributed: str) -> Engine:
    """Return the engine itself, or `n` copies of it where `distributed` says.

    Raises:
        UserError: for fewer than one copy, or an unknown place.
    """
    if n < 1:
        raise UserError(f"replicas must be at least 1, got {n}", where=named("replicas"))
    launcher = lookup(LAUNCHERS, distributed, "place for replicas", where=named("distributed"))
    return make() if n == 1 and launcher is LocalProcesses else Replicas(make, n, launcher())


@dataclass(eq=False, slots=True)
class Copy:
    """A copy that is at work, and how many completions it has to write."""

    replica: Replica
    load: int = 0


class Replicas(Engine):
    """`n` copies of the engine that `make` makes; one more, here, says what they are and never loads."""

    def __init__(self, make: EngineFactory, n: int, launcher: Launcher) -> None:
        self._engine = make()
        self._make, self._n, self._launcher = make, n, launcher
        self._copies: list[Copy] = []
        self._started, self._lock = False, threading.Lock()
        self._lost: UserError | None = None
        self.separator, self.prices = self._engine.separator, self._engine.prices
        self.concurrency = n * self._engine.concurrency

    @property
    def identity(self) -> str:  # type: ignore[override]
        """That of the engine: copies write what one would write."""
        return self._engine.identity

    @property
    def former_identity(self) -> str:  # type: ignore[override]
        """That of the engine."""
        return self._engine.former_identity

    @property
    def served_name(self) -> str:  # type: ignore[override]
        """That of the engine."""
        return self._engine.served_name

    @property
    def capabilities(self) -> Capabilities:  # type: ignore[override]
        """Those of the engine."""
        return self._engine.capabilities

    @property
    def context_length(self) -> int | None:
        """That of the engine."""
        return self._engine.context_length

    def generation_defaults(self) -> Mapping[str, Any]:
        """Return those of the engine."""
        return self._engine.generation_defaults()

    def as_known_here(self) -> Engine | None:
        """Return what is known of the engine."""
        return self._engine.as_known_here()

    def render(self, messages: Sequence[Message]) -> str:
        """Return the prompt as each copy sees it."""
        return self._engine.render(messages)

    def check(self, config: GenerationConfig) -> None:
        """Refuse what the engine refuses, and say at once what is missing to start copies."""
        self._engine.check(config)
        self._launcher.check(self._make)

    async def generate(self, prompt: Prompt, config: GenerationConfig) -> AsyncIterator[tuple[int, Completion]]:
        """Write the completions of one prompt, each as it finishes; another copy goes on where one dies."""
        async with aclosing(self._ask_copies(prompt, config, streams=False)) as answers:
            async for position, completion in answers:
                assert isinstance(completion, Completion)
                yield position, completion

    async def stream(self, prompt: Prompt, config: GenerationConfig) -> AsyncIterator[tuple[int, str | Completion]]:
        """Write the completions of one prompt and show their texts while they grow.

        Another copy goes on where one dies, but not with a text of which something was shown.
        """
        async with aclosing(self._ask_copies(prompt, config, streams=True)) as answers:
            async for answer in answers:
                yield answer

    async def _ask_copies(self, prompt: Prompt, config: GenerationConfig, *, streams: bool) -> AsyncGenerator[Answer]:
        waiting = list(range(prompt.n))
        shown: set[int] = set()
        while waiting:
            asked = tuple(waiting)
            request = Request(replace(prompt, seeds=tuple(prompt.seeds[place] for place in asked)), config, streams)
            try:
                async with self._choose_copy(waiting) as copy, aclosing(copy.replica.ask(request)) as answers:
                    async for position, item in answers:
                        place = asked[position]
                        if isinstance(item, Completion):
                            waiting.remove(place)
                            copy.load -= 1
                        else:
                            shown.add(place)
                        yield place, item
                return
            except ReplicaLost:
                if not self._copies or shown.intersection(waiting):
                    raise

    async def close(self) -> None:
        """End all copies, those too that are just being started."""
        copies = await asyncio.to_thread(self._take_copies)
        try:
            await all_of([copy.replica.close() for copy in copies])
        finally:
            await asyncio.to_thread(self._launcher.end)

    @asynccontextmanager
    async def _choose_copy(self, waiting: Sequence[int]) -> AsyncIterator[Copy]:
        """Lend the copy with the fewest completions to write, while it writes those that are `waiting`.

        An error that concerns the whole run concerns that copy only, as long as there are others.
        """
        if not self._started:
            await asyncio.to_thread(self._start)
        if not self._copies:
            assert self._lost
            raise self._lost
        copy = min(self._copies, key=lambda each: each.load)
        copy.load += len(waiting)
        try:
            yield copy
        except EngineError:
            raise
        except UserError as error:
            await self._drop(copy, error)
            if not self._copies:
                raise
            raise ReplicaLost(str(error)) from error
        finally:
            copy.load -= len(waiting)

    def _start(self) -> None:
        with self._lock:
            if not self._started:
                self._copies = [Copy(replica) for replica in self._launcher.start(self._make, self._n)]
                self._started = True

    def _take_copies(self) -> list[Copy]:
        """Take all copies out of service and return them."""
        with self._lock:
            copies, self._copies, self._started, self._lost = self._copies, [], False, None
            return copies

    async def _drop(self, copy: Copy, error: UserError) -> None:
        if copy not in self._copies:
            return
        self._copies.remove(copy)
        self._lost = error
        if self._copies:
            logger.warning("{}; {} of {} replicas go on", error.what, len(self._copies), self._n)
        await copy.replica.close()
