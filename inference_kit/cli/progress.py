"""Progress of a run on standard error: a bar in a terminal, a plain line now and then elsewhere."""

import sys
import time
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any

from inference_kit.records import Record, Usage

SECONDS_BETWEEN_LINES = 5.0


@dataclass(slots=True)
class Progress:
    """Counts what is done; `shown` is false where progress chatter is silenced."""

    total: int
    done: int
    shown: bool = True
    usage: Usage = field(default_factory=Usage)
    correct: int = 0
    graded: int = 0
    failed: int = 0
    new: int = 0
    _started: float = field(default_factory=time.perf_counter)
    _last_line: float = field(default_factory=time.perf_counter)
    _bar: Any = None
    _task: Any = None

    def __enter__(self) -> "Progress":
        if self.shown and sys.stderr.isatty():
            from rich.console import Console
            from rich.progress import BarColumn, TextColumn
            from rich.progress import Progress as Bar

            columns = (BarColumn(), TextColumn("{task.description}"))
            self._bar = Bar(*columns, console=Console(stderr=True), transient=True)
            self._task = self._bar.add_task(self.line(), total=self.total, completed=self.done)
            self._bar.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._bar:
            self._bar.stop()
        elif self.shown and self.new:
            print(self.line(), file=sys.stderr)

    def finished(self, record: Record, correct: bool | None) -> None:
        """Count one more problem."""
        self.done += 1
        self.new += 1
        self.usage += record.usage
        self.failed += record.error is not None
        if correct is not None:
            self.graded += 1
            self.correct += correct
        if self._bar:
            self._bar.update(self._task, completed=self.done, description=self.line())
        elif self.shown and time.perf_counter() - self._last_line > SECONDS_BETWEEN_LINES:
            self._last_line = time.perf_counter()
            print(self.line(), file=sys.stderr)

    @property
    def seconds(self) -> float:
        """Since the progress was made."""
        return time.perf_counter() - self._started

    def line(self) -> str:
        """What is known so far, in one line."""
        seconds = max(self.seconds, 1e-9)
        calls = self.usage.calls + self.usage.reward_calls
        cached = self.usage.cached_calls + self.usage.cached_reward_calls
        parts = [f"{self.done}/{self.total} problems"]
        if self.graded:
            parts.append(f"accuracy {100 * self.correct / self.graded:.1f} %")
        if self.failed:
            parts.append(f"{self.failed} failed")
        parts.append(f"{self.usage.generated_tokens / seconds:,.0f} tokens/s")
        if calls:
            parts.append(f"{100 * cached / calls:.0f} % cached")
        if self.new:
            left = (self.total - self.done) * seconds / self.new
            parts.append(f"{left // 60:.0f}:{left % 60:02.0f} left")
        return " · ".join(parts)
