"""Progress of a run on standard error: a bar in a terminal, a plain line now and then elsewhere."""

import sys
import time
from types import TracebackType
from typing import Any

from inference_kit.experiment.progress import Progress

SECONDS_BETWEEN_LINES = 5.0


class ProgressLine:
    """Shows the progress of a run while it is entered; nothing where `shown` is false."""

    def __init__(self, progress: Progress, *, shown: bool = True) -> None:
        self._progress, self._shown = progress, shown
        self._last_line = time.perf_counter()
        self._bar: Any = None
        self._task: Any = None

    def __enter__(self) -> "ProgressLine":
        if self._shown and sys.stderr.isatty():
            from rich.console import Console
            from rich.progress import BarColumn, TextColumn
            from rich.progress import Progress as Bar

            columns = (BarColumn(), TextColumn("{task.description}"))
            self._bar = Bar(*columns, console=Console(stderr=True), transient=True)
            line = write_line(self._progress)
            self._task = self._bar.add_task(line, total=self._progress.total, completed=self._progress.done)
            self._bar.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._bar:
            self._bar.stop()
        elif self._shown and self._progress.new:
            print(write_line(self._progress), file=sys.stderr)

    def show(self, progress: Progress) -> None:
        """Show that one more problem is done."""
        if self._bar:
            self._bar.update(self._task, completed=progress.done, description=write_line(progress))
        elif self._shown and time.perf_counter() - self._last_line > SECONDS_BETWEEN_LINES:
            self._last_line = time.perf_counter()
            print(write_line(progress), file=sys.stderr)


def write_line(progress: Progress) -> str:
    """Write what is known so far as one line."""
    seconds = max(progress.seconds, 1e-9)
    calls = progress.usage.calls + progress.usage.reward_calls
    cached = progress.usage.cached_calls + progress.usage.cached_reward_calls
    parts = [f"{progress.done}/{progress.total} problems"]
    if progress.graded:
        whose = "" if progress.done == progress.new else f" of the {progress.graded:,} of this time"
        parts.append(f"accuracy {100 * progress.correct / progress.graded:.1f} %{whose}")
    if progress.failed:
        parts.append(f"{progress.failed} failed")
    parts.append(f"{progress.usage.generated_tokens / seconds:,.0f} tokens/s")
    if calls:
        parts.append(f"{100 * cached / calls:.0f} % cached")
    if progress.new:
        left = (progress.total - progress.done) * seconds / progress.new
        parts.append(f"{left // 60:.0f}:{left % 60:02.0f} left")
    return " · ".join(parts)
