"""Progress: what a run has done by now, as figures."""

import time
from dataclasses import dataclass, field

from inference_kit.records import Record, Usage


@dataclass(slots=True)
class Progress:
    """Counts problems that are `done` of `total`, and what was `new` in this process; accuracy is over `graded`."""

    total: int
    done: int
    usage: Usage = field(default_factory=Usage)
    correct: int = 0
    graded: int = 0
    failed: int = 0
    new: int = 0
    _started: float = field(default_factory=time.perf_counter)

    def add(self, record: Record, correct: bool | None) -> None:
        """Count one more problem; `correct` is None where that is not known."""
        self.done += 1
        self.new += 1
        self.usage += record.usage
        self.failed += record.error is not None
        if correct is not None:
            self.graded += 1
            self.correct += correct

    @property
    def seconds(self) -> float:
        """Time since the progress began."""
        return time.perf_counter() - self._started
