"""Rewrite: one file, record by record, into an output that is the same but for what was asked for.

Why: many records are in flight, they end in any order, and the process may be killed at any of them.
Promises: the output has the records in their order; a slow one holds up a window of others, not all, and memory stays
level; once a second a checkpoint is on the disk, from which the next process goes on; what was answered behind it is
in the call log; failed records stay as they were and are tried again by the next run, and only they.
"""

import asyncio
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import takewhile
from pathlib import Path
from typing import Any

from loguru import logger

from inference_kit.dataset.compression import open_unpacked, skip
from inference_kit.errors import UserError, named
from inference_kit.flow import for_each
from inference_kit.store.run_config import list_changes
from inference_kit.transform.failures import Failure, Failures
from inference_kit.transform.part import Part, State, identify_file, read_state
from inference_kit.transform.plan import FilePlan
from inference_kit.transform.records import Fate, Outcome, Transformer
from inference_kit.transform.rows import ANY_BYTE, BadRecord, Row, RowReader

WINDOW = 4
"""How many times as many records as are in flight may wait for a slow one before them."""

CHECKPOINT_SECONDS = 1.0
FLUSH_BYTES = 1 << 20

See = Callable[[Row, Outcome], None]
"""Shown each record and what became of it, in order."""


@dataclass(frozen=True, slots=True)
class Stretch:
    """Bytes of an output that are taken over as they are."""

    start: int
    end: int


@dataclass
class Rewriter:
    """Rewrites the files of one output folder.

    Args:
        transformer: What transforms a record.
        settings: What the output depends on, by name.
        failures: Where failed records are noted.
        places: What each record that is asked for takes one of, over all files.
        in_flight: How many places there are.
        see: Shown each outcome.
        resume: Whether to go on with what is there.
        skip_bad: Whether a record that cannot be read stays as it is, instead of ending its file.
        limit: The first records of each file only; the others stay as they are.
    """

    transformer: Transformer
    settings: Mapping[str, Any]
    failures: Failures
    places: asyncio.Semaphore
    in_flight: int
    see: See
    resume: bool = True
    skip_bad: bool = False
    limit: int | None = None

    def open_state(self, plan: FilePlan) -> State:
        """Return how far the output of a file is.

        Raises:
            UserError: where it was begun with other settings; each difference is named.
        """
        source = identify_file(plan.source)
        fresh = State(self.settings, source)
        state = read_state(plan.state)
        if state is None or not self.resume:
            return fresh
        if changes := list_changes(state.settings, self.settings):
            raise UserError(
                f"it was begun with other settings ({'; '.join(changes)})",
                where=str(plan.output),
                fix=f"Use the old ones, another {named('output')}, or --no-resume to begin anew.",
            )
        expected = state.output if plan.in_place and state.done else state.source
        if expected != source:
            logger.info("{}: has changed, so it is gone through again", plan.source)
            return fresh
        lost = not plan.part.exists() if not state.done else not _is_whole(plan, state)
        return fresh if lost else state

    async def rewrite(self, plan: FilePlan) -> State:
        """Rewrite one file, or go on with it; of one that is whole already only what failed is tried again.

        Returns:
            What is done.

        Raises:
            BadRecord: where a record cannot be read; what is before it is kept for the next run.
            UserError: where the disk refuses, the template does not fit, or the engine cannot work at all.
        """
        state = self.open_state(plan)
        if state.done:
            return await self._retry(plan, state)
        self.failures.drop(plan.name, start=state.unpacked)
        reader = RowReader(plan.source, start=state.read, number=state.number)
        part = Part(plan.part, written=state.written, unpacked=state.unpacked)
        try:
            self._count_before(plan, state)
            writer = _Writer(plan, state, part, self.failures, self.see)
            await self._run(_take(reader, self.limit), reader, writer)
            if self.limit is not None and state.number >= self.limit:
                part.copy(plan.source, state.read, sys.maxsize)
                return self._finish(plan, state, part, whole=False)
            part.add(reader.tail.encode("utf-8", ANY_BYTE))
            return self._finish(plan, state, part)
        finally:
            part.close()

    async def _retry(self, plan: FilePlan, state: State) -> State:
        """Try again what failed, and take over everything else."""
        failed = self.failures.read(plan.name)
        if not failed:
            return state
        reader = _FailedRows(plan.output, failed)
        part = Part(plan.part)
        fresh = State(state.settings, state.source, number=state.number, counts=dict(state.counts))
        fresh.counts["failed"] = 0
        again: list[Failure] = []
        try:
            writer = _Writer(plan, fresh, part, None, self.see, again.append)
            await self._run(reader, reader, writer)
            part.copy(plan.output, failed[-1].end, state.unpacked)
            done = self._finish(plan, fresh, part)
        finally:
            part.close()
        self.failures.drop(plan.name)
        for each in again:
            self.failures.add(each)
        return done

    async def _run(self, rows: Iterable[Row], reader: "RowReader | _FailedRows", writer: "_Writer") -> None:
        numbered = enumerate(rows)
        window = WINDOW * self.in_flight

        async def work(item: tuple[int, Row]) -> None:
            place, row = item
            await writer.wait_for(place - window)
            async with self.places:
                outcome = await self._transform(row, reader.describe(row))
            await writer.put(place, row, outcome)

        await for_each(numbered, work, self.in_flight)
        await writer.checkpoint()

    async def _transform(self, row: Row, where: str) -> Outcome:
        try:
            return await self.transformer.transform(row.text, where)
        except ValueError as error:
            if self.skip_bad:
                logger.warning("{}: left as it is, {}", where, error)
                return Outcome(row.text, Fate.SKIPPED, str(error))
            raise BadRecord(f"{where}: {error}") from error

    def _count_before(self, plan: FilePlan, state: State) -> None:
        """Have the transformer take note of what is done, where its seeds depend on that."""
        if state.number and self.transformer.counts_occurrences:
            for row in _take(RowReader(plan.source), state.number):
                self.transformer.count_before(row.text)

    def _finish(self, plan: FilePlan, state: State, part: Part, *, whole: bool = True) -> State:
        """Move the output to its place; of one that holds the first records only nothing is remembered."""
        part.move(plan.output)
        if not whole:
            plan.state.unlink(missing_ok=True)
            return state
        state.written, state.unpacked, state.output = part.written, part.unpacked, identify_file(plan.output)
        state.save(plan.state)
        return state


class _Writer:
    """Puts outcomes into their order, and keeps the checkpoint."""

    def __init__(
        self,
        plan: FilePlan,
        state: State,
        part: Part,
        failures: Failures | None,
        see: See,
        note: Callable[[Failure], None] | None = None,
    ) -> None:
        self._plan, self._state, self._part, self._see = plan, state, part, see
        self._resumable = failures is not None
        self._note = failures.add if failures else note
        self._waiting: dict[int, tuple[Row, Outcome]] = {}
        self._next, self._moved = 0, asyncio.Event()
        self._counts = Counter(state.counts)
        self._saved, self._flushed = time.monotonic(), part.unpacked

    async def wait_for(self, place: int) -> None:
        """Wait until the record at a place is written."""
        while place >= self._next:
            self._moved.clear()
            await self._moved.wait()

    async def put(self, place: int, row: Row, outcome: Outcome) -> None:
        """Take one outcome, and write those whose turn it is."""
        self._waiting[place] = row, outcome
        while (ready := self._waiting.pop(self._next, None)) is not None:
            self._write(*ready)
            self._next += 1
            self._moved.set()
        if time.monotonic() - self._saved >= CHECKPOINT_SECONDS:
            await self.checkpoint()
        elif self._part.unpacked - self._flushed >= FLUSH_BYTES:
            self._flush()

    async def checkpoint(self) -> None:
        """Have everything written on the disk, and then how far it is."""
        self._saved = time.monotonic()
        state = self._state
        self._flush()
        state.written, state.unpacked, state.counts = self._part.written, self._part.unpacked, dict(self._counts)
        if self._resumable:
            self._part.sync()
            state.save(self._plan.state)

    def _flush(self) -> None:
        self._part.flush()
        self._flushed = self._part.unpacked

    def _write(self, row: Row, outcome: Outcome) -> None:
        if isinstance(row, _FailedRow):
            self._part.copy(self._plan.output, row.copied.start, row.copied.end)
        self._part.add(row.before.encode("utf-8", ANY_BYTE))
        start = self._part.unpacked
        self._part.add(outcome.text.encode("utf-8", ANY_BYTE))
        self._counts[outcome.fate.value] += 1
        if outcome.fate is Fate.FAILED and self._note:
            end = self._part.unpacked
            self._note(Failure(self._plan.name, row.number, start, end, outcome.reason, outcome.attempts))
        if self._resumable:
            self._state.number, self._state.read = row.number, row.end
        self._see(row, outcome)


@dataclass(frozen=True, slots=True)
class _FailedRow(Row):
    """A record that failed, with what stands before it in the output."""

    copied: Stretch = Stretch(0, 0)


class _FailedRows:
    """The records of an output that failed."""

    def __init__(self, path: Path, failed: list[Failure]) -> None:
        self._path, self._failed = path, failed

    def __iter__(self) -> Iterator[_FailedRow]:
        place = 0
        with open_unpacked(self._path) as file:
            for each in self._failed:
                skip(file, each.start - place)
                text = file.read(each.end - each.start).decode("utf-8", ANY_BYTE)
                yield _FailedRow("", text, each.number, each.end, Stretch(place, each.start))
                place = each.end

    def describe(self, row: Row) -> str:
        """Name the place of a row for a message."""
        return f"{self._path} record {row.number}"


def _take(reader: RowReader, limit: int | None) -> Iterator[Row]:
    """Yield the rows of a reader up to a number."""
    return takewhile(lambda row: limit is None or row.number <= limit, reader)


def _is_whole(plan: FilePlan, state: State) -> bool:
    """Return whether the output is still the one that was written."""
    return plan.output.exists() and identify_file(plan.output) == state.output
