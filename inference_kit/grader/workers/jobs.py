"""What a worker is asked, with its limits, and what it answers.

Why: how long a job takes on the clock depends on what else the machine does, so a limit counts processor time; the
clock is a far backstop against a worker that waits for something.
"""

import signal
from dataclasses import dataclass

from inference_kit.grader.grading import Grade, GradeItem
from inference_kit.records import AnswerKind

LEAST_WALL_SECONDS, WALL_FACTOR = 60.0, 20.0
"""What loading may take on the clock, and how many times its processor time a job may take beside that."""
LIMIT_SIGNALS = (signal.SIGPROF, signal.SIGALRM)
"""What the kernel sends to a worker whose processor time is used up, and to one whose time on the clock is."""


class WorkerDied(Exception):
    """A worker ended without an answer, at its memory limit above all."""


class WorkerLate(Exception):
    """A worker had no answer at the limit of its job, and is dead."""


@dataclass(frozen=True, slots=True)
class Memory:
    """The first message to a worker: the address space that it may use."""

    limit_bytes: int


@dataclass(frozen=True, slots=True)
class Job:
    """What a worker is asked, and the processor time that it may take."""

    cpu_seconds: float

    @property
    def wall_seconds(self) -> float:
        """The time on the clock after which it is given up."""
        return LEAST_WALL_SECONDS + WALL_FACTOR * self.cpu_seconds


@dataclass(frozen=True, slots=True)
class GradeJob(Job):
    """Asks for the grades of items, as far as these need no proof."""

    items: tuple[GradeItem, ...]


@dataclass(frozen=True, slots=True)
class Grades:
    """The grade of each item, None where it needs a proof."""

    grades: tuple[Grade | None, ...]


@dataclass(frozen=True, slots=True)
class ProofJob(Job):
    """Asks for the `Comparison` of two answers with all means."""

    gold: str
    answer: str
    kind: AnswerKind
