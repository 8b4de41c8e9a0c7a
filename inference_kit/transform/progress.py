"""Progress of a transformation: a line now and then, and a summary at the end."""

import time
from collections import Counter
from collections.abc import Callable, Sequence

from inference_kit.records import Usage
from inference_kit.transform.plan import FilePlan
from inference_kit.transform.records import Fate, Outcome

SECONDS_BETWEEN_LINES = 5.0


class TransformProgress:
    """Counts what became of records; `broken` are files that could not be read to their end."""

    def __init__(self, say: Callable[[str], None]) -> None:
        """Begin to count; `say` takes the lines."""
        self._say = say
        self.counts: Counter[Fate] = Counter()
        self.usage = Usage()
        self.broken: list[str] = []
        self.share = 0.0
        self._started = self._last = time.perf_counter()

    @property
    def failed(self) -> int:
        """Records that failed, and failed again."""
        return self.counts[Fate.FAILED]

    def see(self, outcome: Outcome) -> None:
        """Count one record."""
        self.counts[outcome.fate] += 1

    def show(self, share: float, usage: Usage) -> None:
        """Show how far everything is: the share of the input's bytes that are done, and what it cost."""
        self.share, self.usage = share, usage
        now = time.perf_counter()
        if now - self._last >= SECONDS_BETWEEN_LINES:
            self._last = now
            self._say(self._write_line(now - self._started))

    def summarize(self, files: Sequence[FilePlan] = ()) -> str:
        """Write what was done."""
        seconds = time.perf_counter() - self._started
        counts = ", ".join(f"{self.counts[fate]} {fate.value}" for fate in Fate if self.counts[fate] or fate in _ALWAYS)
        usage = self.usage
        lines = [
            f"{counts}; {seconds:.1f} s, {usage.prompt_tokens} tokens read, {usage.generated_tokens} generated, "
            f"{usage.cached_tokens} taken from the cache"
        ]
        lines += [f"not read to its end: {each}" for each in self.broken]
        if self.failed:
            lines.append("What failed stands in .transform/failures.jsonl; the same command tries just that again.")
        if files and not self.counts:
            lines.append("Nothing was left to do.")
        if files:
            shown = files[0].output if len(files) == 1 else f"{len(files)} files in {files[0].state_folder.parent}"
            lines.append(f"output: {shown}")
        return "\n".join(lines)

    def _write_line(self, seconds: float) -> str:
        done = sum(self.counts.values())
        parts = [
            f"{done} records",
            f"{done / seconds:,.0f}/s",
            f"{self.usage.generated_tokens / seconds:,.0f} tokens/s",
        ]
        parts += [f"{self.counts[fate]} {fate.value}" for fate in (Fate.CACHED, Fate.FAILED) if self.counts[fate]]
        if 0 < self.share < 1:
            left = seconds * (1 - self.share) / self.share
            parts.append(f"{100 * self.share:.0f} % · {left // 60:.0f}:{left % 60:02.0f} left")
        return " · ".join(parts)


_ALWAYS = (Fate.TRANSFORMED, Fate.CACHED, Fate.SKIPPED, Fate.FAILED)
