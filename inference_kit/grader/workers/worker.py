"""The inside of a worker process: it takes one job after the other, each within limits that the kernel keeps.

Why: whatever a comparison does here, this process has a memory limit and can be killed without anyone missing it. A
timer of the kernel counts processor time, and ends the process inside one long operation on big integers too.
Promises: it ends with its owner, at the latest at the limit of the job it is working on; it ignores Ctrl-C, which is
the owner's business; nothing of what is only done once counts against the limit of a comparison.
"""

import contextlib
import resource
import signal
from collections.abc import Iterator
from functools import cache

from inference_kit.grader.comparing.texts import Comparison, compare_texts
from inference_kit.grader.grading import grade_item
from inference_kit.grader.proving.symbolic import NeedsSympy, load_sympy, prove
from inference_kit.grader.verdicts import NO
from inference_kit.grader.workers.jobs import LIMIT_SIGNALS, GradeJob, Grades, Memory, ProofJob
from inference_kit.processes.messages import Ready
from inference_kit.processes.owner import Owner

GRACE_SECONDS = 2.0
"""How long past its limit on the clock a job may run until the kernel ends this process, if nobody is left to do it."""
LOADING_SECONDS = 60.0


def main(owner: Owner) -> None:
    """Do jobs until the owner is gone."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    for number in LIMIT_SIGNALS:
        signal.signal(number, signal.SIG_DFL)  # the default ends the process
    signal.pthread_sigmask(signal.SIG_UNBLOCK, LIMIT_SIGNALS)
    memory = owner.receive()
    if memory is None:
        return
    _limit_memory(memory)
    owner.send(Ready())
    while (job := owner.receive()) is not None:
        signal.setitimer(signal.ITIMER_REAL, job.wall_seconds + GRACE_SECONDS)
        owner.send(_do(job))
        signal.setitimer(signal.ITIMER_REAL, 0)


def _limit_memory(memory: Memory) -> None:
    with contextlib.suppress(ValueError, OSError):  # a system without this limit still has the time limit
        resource.setrlimit(resource.RLIMIT_AS, (memory.limit_bytes, memory.limit_bytes))


def _do(job: GradeJob | ProofJob) -> Grades | Comparison:
    if isinstance(job, GradeJob):
        with _limit_cpu(job.cpu_seconds):
            return Grades(tuple(grade_item(item, compare_texts) for item in job.items))
    return _prove(job)


def _prove(job: ProofJob) -> Comparison:
    """Compare two answers with all means; sympy is imported when the first answer needs it."""
    try:
        with _limit_cpu(LOADING_SECONDS):
            _warm_up()
        try:
            return _compare(job)
        except NeedsSympy:
            with _limit_cpu(LOADING_SECONDS):
                _warm_up_sympy()
            return _compare(job)
    except (MemoryError, RecursionError):
        return Comparison(NO, "too_large")


def _compare(job: ProofJob) -> Comparison:
    with _limit_cpu(job.cpu_seconds):
        return compare_texts(job.gold, job.answer, job.kind, prove)


@contextlib.contextmanager
def _limit_cpu(seconds: float) -> Iterator[None]:
    """Let the kernel end this process when the block has used so much processor time."""
    signal.setitimer(signal.ITIMER_PROF, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)


@cache
def _warm_up() -> None:
    """Make a first comparison, which imports mpmath."""
    compare_texts(r"\cos 2x", r"1-2\sin^2 x", "math", prove)


def _warm_up_sympy() -> None:
    """Import sympy, and let its parser read a first text."""
    load_sympy()
    compare_texts(r"\unknown{x}", r"\unheard{x}", "math", prove)
