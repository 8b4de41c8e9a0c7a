"""A conversation: history and a solver.

Why: the terminal, and later the browser, show the same turns in different clothes.
Promises: a reply that is interrupted leaves the history as it was; with a reward model the reply is searched and its
score told.
"""

import hashlib
import json
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing
from dataclasses import dataclass, field

from inference_kit.records import Message, Problem
from inference_kit.solver import Solver
from inference_kit.voting import VOTES


@dataclass(slots=True)
class Conversation:
    """The turns so far; `vote` names how a searched reply is chosen, None where replies are streamed."""

    solver: Solver
    vote: str | None = None
    system: str = ""
    history: list[Message] = field(default_factory=list)
    score: float | None = None

    async def reply(self, text: str, images: tuple[str, ...] = ()) -> AsyncIterator[str]:
        """Answer `text` and images piece by piece; the turn joins the history once the reply is whole."""
        asked = [*self.history, Message("user", text, images)]
        pieces: list[str] = []
        async with aclosing(self._write_reply(tuple(asked))) as stream:
            async for piece in stream:
                pieces.append(piece)
                yield piece
        self.history = [*asked, Message("assistant", "".join(pieces))]

    def clear(self) -> None:
        """Forget the history."""
        self.history = []

    async def _write_reply(self, turns: tuple[Message, ...]) -> AsyncGenerator[str, None]:
        messages = (Message("system", self.system), *turns) if self.system else turns
        problem = Problem(_digest_turns(messages), messages, answer_kind="text")
        self.score = None
        if self.vote is None:
            async with aclosing(self.solver.stream(problem)) as stream:
                async for piece in stream:
                    yield piece
            return
        candidates = (await self.solver.solve(problem)).candidates
        chosen = candidates[VOTES[self.vote].choose(candidates)]
        self.score = chosen.score
        yield chosen.text


def _digest_turns(messages: tuple[Message, ...]) -> str:
    """A turn's index: what was said so far, so that the same conversation gets the same seeds."""
    said = json.dumps([message.to_json() for message in messages])
    return hashlib.sha256(said.encode()).hexdigest()[:16]
