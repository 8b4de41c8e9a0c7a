"""Pencil and paper: draws lines of thought from the world one by one, for the definitions that the methods must equal.

It shares nothing with the package but two rules that its pages promise: which seed a draw has, and that equal steps
below one line are one.
"""

import hashlib
import math
import random
from collections import Counter
from dataclasses import dataclass, field

from search.world import PROBLEM, SEPARATOR, World

from inference_kit.records import GenerationConfig


@dataclass(frozen=True)
class Line:
    """A line of thought: where it stands in the tree, its text, and its newest piece."""

    place: tuple[int, ...] = ()
    text: str = ""
    finished: bool = False
    tokens: int = 0
    newest: str = ""
    newest_tokens: int = 0
    newest_logprob: float = 0.0

    @property
    def depth(self) -> int:
        """Pieces from the root."""
        return len(self.place)


ROOT = Line()


@dataclass
class Paper:
    """Draws lines and looks up what they are worth."""

    world: World
    room: int = 24
    step_tokens: int = 0
    aggregate: str = "last"
    run_seed: int = 0
    drawn: Counter[tuple[int, ...]] = field(default_factory=Counter)

    def dice(self) -> random.Random:
        """The random numbers of the problem."""
        return random.Random(f"{self.run_seed}|int|{PROBLEM.index}")

    def steps(self, line: Line, n: int, *, greedy: bool = False) -> list[Line]:
        """Draw n next steps behind a line; equal ones count once."""
        distinct: list[Line] = []
        for _ in range(n):
            new = self._draw(line, step=True, greedy=greedy)
            if not any((new.newest, new.finished) == (old.newest, old.finished) for old in distinct):
                distinct.append(new)
        return distinct

    def end(self, line: Line, *, greedy: bool = False) -> Line:
        """Write a line to its end."""
        return self._draw(line, step=False, greedy=greedy)

    def _draw(self, line: Line, *, step: bool, greedy: bool) -> Line:
        ordinal = self.drawn[line.place]
        self.drawn[line.place] += 1
        name = f"{self.run_seed}|int|{PROBLEM.index}|{'.'.join(map(str, line.place))}"
        first = int.from_bytes(hashlib.sha256(name.encode()).digest()[:8], "big") % (2**31 - 2**16)
        left = self.room - line.tokens
        most = min(left, self.step_tokens or left) if step else left
        boundary = SEPARATOR if step and not self.step_tokens else ""
        config = GenerationConfig(most, 0.0 if greedy else 1.0, boundary=boundary)
        written = self.world.write(line.text, 0 if greedy else first + ordinal, config)
        tokens = line.tokens + written.tokens
        return Line(
            (*line.place, ordinal),
            line.text + written.text,
            written.finish_reason == "stop" or tokens >= self.room,
            tokens,
            written.text,
            written.tokens,
            written.logprob or 0.0,
        )

    def rewards(self, line: Line) -> list[float]:
        """What the reward model says of each step."""
        steps = [piece.strip() for piece in line.text.split(SEPARATOR) if piece.strip()]
        return [self.world.reward(steps[: place + 1]) for place in range(len(steps))]

    def worth(self, line: Line) -> float:
        """The rewards as one number."""
        rewards = self.rewards(line) or [0.0]
        total = {"last": rewards[-1], "min": min(rewards), "prod": math.prod(rewards)}
        return total[self.aggregate] if self.aggregate in total else math.fsum(rewards) / len(rewards)

    def ranked(self, lines: list[Line]) -> list[Line]:
        """Best first; ties go to the newest reward, then to the earlier line."""
        places = sorted(
            range(len(lines)),
            key=lambda at: (-self.worth(lines[at]), -(self.rewards(lines[at]) or [0.0])[-1], at),
        )
        return [lines[at] for at in places]


def read(lines: list[Line]) -> list[str]:
    """The texts of lines."""
    return [line.text for line in lines]


def answer(text: str) -> str | None:
    """The boxed answer of a finished text."""
    return text.rpartition("\\boxed{")[2].rstrip("}") if "\\boxed{" in text else None


def best(paper: Paper, lines: list[Line]) -> str:
    """The text with the highest worth among those with an answer, the first of equals."""
    voters = [line for line in lines if answer(line.text) is not None] or lines
    return max(voters, key=paper.worth).text
