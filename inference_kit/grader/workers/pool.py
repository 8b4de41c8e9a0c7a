"""GraderPool: grades and groups answers; what needs sympy goes to worker processes that are killed at a limit.

Why: nearly every comparison is settled here in microseconds; the rest may hang or explode, so it happens elsewhere.
Promises: workers start only when something needs them; a comparison past its limit is not equal and says `timeout`,
however busy the machine is; safe to use from several threads at once; the same answers get the same group numbers.
"""

import os
import threading
import weakref
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from types import TracebackType
from typing import TYPE_CHECKING, Any

from inference_kit.grader.comparing.texts import Comparison, build_equality_key, compare_texts
from inference_kit.grader.grading import Grade, GradeItem, grade_item
from inference_kit.grader.verdicts import NO, UNKNOWN
from inference_kit.grader.workers.jobs import GradeJob, Job, ProofJob, WorkerDied, WorkerLate
from inference_kit.records import AnswerKind

if TYPE_CHECKING:
    from inference_kit.grader.workers.process import WorkerProcess

__all__ = ["Grade", "GradeItem", "GraderPool"]

MEMORY_LIMIT_BYTES = 512 * 1024 * 1024
CHUNK_ITEMS = 512
CHUNK_BYTES = 2_000_000
CHUNK_SECONDS = 60.0
"""Processor time, in which a chunk of items is graded many times over."""
MOST_PROOFS = 8


class GraderPool:
    """Grades responses.

    Args:
        workers: Worker processes at most; all cores where not given.
        time_limit_seconds: Processor time that one comparison may take in a worker before that is killed.
        memory_limit_bytes: Address space of a worker.
    """

    def __init__(
        self,
        workers: int | None = None,
        *,
        time_limit_seconds: float = 1.0,
        memory_limit_bytes: int = MEMORY_LIMIT_BYTES,
    ) -> None:
        self.n_workers = workers or os.cpu_count() or 1
        self.time_limit_seconds = time_limit_seconds
        self.memory_limit_bytes = memory_limit_bytes
        self._free_places = threading.BoundedSemaphore(self.n_workers)
        self._idle: deque[WorkerProcess] = deque()
        self._finalizer = weakref.finalize(self, _kill_all, self._idle)

    def __enter__(self) -> "GraderPool":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """End the idle workers; those at work end with their job. The pool may be used again."""
        _kill_all(self._idle)

    def grade(
        self,
        gold: str | Sequence[str],
        response: str,
        *,
        kind: AnswerKind = "math",
        choices: Sequence[str] = (),
        strict: bool = False,
    ) -> Grade:
        """Grade one response against a gold answer, or against several of which any is right."""
        golds = gold if isinstance(gold, str) else tuple(gold)
        return self._grade(GradeItem(golds, response, kind, tuple(choices), strict))

    def grade_many(self, items: Iterable[GradeItem]) -> Iterator[Grade]:
        """Grade a stream in order: a few items here, many in chunks on all workers, hard ones one by one."""
        source = iter(items)
        chunk = list(islice(source, CHUNK_ITEMS // 2))
        following = next(source, None)
        if following is None:
            yield from self._grade_few(chunk)
            return
        yield from self._grade_many(_split_into_chunks(chunk, [following], source))

    def equal(self, a: str, b: str, kind: AnswerKind = "math") -> bool:
        """Say whether two bare answers are the same."""
        return self.compare(a, b, kind).equal

    def compare(self, gold: str, answer: str, kind: AnswerKind = "math") -> Comparison:
        """Compare two bare answers and say how that was decided; never unknown."""
        comparison = compare_texts(gold, answer, kind)
        return self._prove(gold, answer, kind) if comparison.verdict is UNKNOWN else comparison

    def _prove(self, gold: str, answer: str, kind: AnswerKind) -> Comparison:
        """Let a worker decide."""
        try:
            comparison: Comparison = self._ask(ProofJob(self.time_limit_seconds, gold, answer, kind))
        except WorkerLate:
            return Comparison(NO, "timeout")
        except WorkerDied:
            return Comparison(NO, "out_of_memory")
        return comparison

    def group(self, answers: Sequence[str | None], kind: AnswerKind = "math") -> list[int]:
        """Number the groups of equal answers in order of first appearance; -1 where there is no answer."""
        groups: list[int] = []
        group_of_key: dict[str, int] = {}
        representatives: list[str] = []
        for answer in answers:
            if answer is None:
                groups.append(-1)
                continue
            key = build_equality_key(answer, kind)
            if key not in group_of_key:
                group_of_key[key] = next(
                    (number for number, other in enumerate(representatives) if self.equal(other, answer, kind)),
                    len(representatives),
                )
                if group_of_key[key] == len(representatives):
                    representatives.append(answer)
            groups.append(group_of_key[key])
        return groups

    def _grade(self, item: GradeItem) -> Grade:
        """Grade one item; a response of many boxes gets a few proofs, and what is left over is not equal."""
        proofs_left = MOST_PROOFS

        def compare(gold: str, answer: str, kind: AnswerKind) -> Comparison:
            nonlocal proofs_left
            comparison = compare_texts(gold, answer, kind)
            if comparison.verdict is not UNKNOWN:
                return comparison
            proofs_left -= 1
            return self._prove(gold, answer, kind) if proofs_left >= 0 else Comparison(NO, "timeout")

        grade = grade_item(item, compare)
        assert grade is not None  # nothing is left unknown
        return grade

    def _grade_few(self, items: Sequence[GradeItem]) -> Iterator[Grade]:
        hard: list[GradeItem] = []
        grades = []
        for item in items:
            grade = grade_item(item, compare_texts)
            grades.append(grade)
            if grade is None:
                hard.append(item)
        settled = iter(self._grade_hard(hard))
        for grade in grades:
            yield next(settled) if grade is None else grade

    def _grade_hard(self, items: Sequence[GradeItem]) -> list[Grade]:
        if len(items) < 2 or self.n_workers == 1:
            return [self._grade(item) for item in items]
        from concurrent.futures import ThreadPoolExecutor

        with ThreadPoolExecutor(self.n_workers) as threads:
            return list(threads.map(self._grade, items))

    def _grade_many(self, chunks: Iterator[list[GradeItem]]) -> Iterator[Grade]:
        from concurrent.futures import Future, ThreadPoolExecutor

        waiting: deque[Future[list[Grade]]] = deque()
        with ThreadPoolExecutor(self.n_workers) as threads:
            for chunk in chunks:
                waiting.append(threads.submit(self._grade_chunk, chunk))
                if len(waiting) > 2 * self.n_workers:
                    yield from waiting.popleft().result()
            while waiting:
                yield from waiting.popleft().result()

    def _grade_chunk(self, items: list[GradeItem]) -> list[Grade]:
        """Grade a chunk in one worker, and one by one what it could not settle there."""
        try:
            grades = self._ask(GradeJob(CHUNK_SECONDS, tuple(items))).grades
        except (WorkerLate, WorkerDied):
            grades = (None,) * len(items)
        return [grade or self._grade(item) for item, grade in zip(items, grades, strict=True)]

    def _ask(self, job: Job) -> Any:
        """Let an idle worker do a job, or a new one where there is a place; a lost worker's place is free again."""
        with self._free_places:
            try:
                worker = self._idle.pop()
            except IndexError:
                worker = _start_worker(self.memory_limit_bytes)
            answer = worker.ask(job)
            self._idle.append(worker)
            return answer


def _split_into_chunks(
    first: list[GradeItem], following: list[GradeItem], rest: Iterator[GradeItem]
) -> Iterator[list[GradeItem]]:
    """Yield chunks of bounded number and size, in order."""
    chunk: list[GradeItem] = []
    size = 0
    for items in (first, following, rest):
        for item in items:
            chunk.append(item)
            size += len(item.response)
            if len(chunk) >= CHUNK_ITEMS or size >= CHUNK_BYTES:
                yield chunk
                chunk, size = [], 0
    if chunk:
        yield chunk


def _start_worker(memory_limit_bytes: int) -> "WorkerProcess":
    # Imported here, because a worker imports this package too, and would start more slowly.
    from inference_kit.grader.workers.process import WorkerProcess

    return WorkerProcess(memory_limit_bytes)


def _kill_all(workers: "deque[WorkerProcess]") -> None:
    while workers:
        workers.pop().kill()
