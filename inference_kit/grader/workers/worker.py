"""The inside of a worker process: reads jobs as JSON lines, answers each with one line.

Why: whatever a comparison does here, this process has a memory limit and can be killed without anyone missing it.
Promises: it ends when its parent does, at the latest shortly after the limit of the job it is working on; it ignores
Ctrl-C, which is the parent's business; it writes nothing but answers.
"""

import contextlib
import json
import os
import resource
import select
import signal
import sys
from dataclasses import astuple
from typing import Any

from inference_kit.grader.comparing.texts import compare_texts
from inference_kit.grader.grading import GradeItem
from inference_kit.grader.proving.symbolic import NeedsSympy, load_sympy, prove
from inference_kit.grader.workers.pool import grade_cheaply

GRACE_SECONDS = 2.0
"""How long past its limit a job may run until the kernel ends this process, if nobody is left to kill it."""

LOADING_SECONDS = 60.0
IDLE_CHECK_SECONDS = 5.0


def main() -> None:
    """Answer jobs until the parent closes the pipe or is gone."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGALRM, signal.SIG_DFL)  # the default ends the process, even inside one long operation
    _limit_memory(int(sys.argv[1]))
    parent = os.getppid()
    _send("ready")
    while True:
        if not select.select([sys.stdin], [], [], IDLE_CHECK_SECONDS)[0]:
            if os.getppid() != parent:
                return
            continue
        line = sys.stdin.buffer.readline()
        if not line:
            return
        job = json.loads(line)
        signal.setitimer(signal.ITIMER_REAL, job["limit_seconds"] + GRACE_SECONDS)
        _send(_answer(job))
        signal.setitimer(signal.ITIMER_REAL, 0)


def _answer(job: dict[str, Any]) -> Any:
    if job["job"] == "grade":
        grades = [grade_cheaply(GradeItem.from_json(item)) for item in job["items"]]
        return [grade and astuple(grade) for grade in grades]
    return _settle(job)


def _settle(job: dict[str, Any]) -> tuple[bool, str]:
    """Compare two answers with all means; sympy is imported when the first answer needs it, outside the time limit."""
    try:
        try:
            return _compare(job)
        except NeedsSympy:
            signal.setitimer(signal.ITIMER_REAL, LOADING_SECONDS)
            _send("loading")
            load_sympy()
            _send("loaded")
            signal.setitimer(signal.ITIMER_REAL, job["limit_seconds"] + GRACE_SECONDS)
            return _compare(job)
    except (MemoryError, RecursionError):
        return False, "too_large"


def _compare(job: dict[str, Any]) -> tuple[bool, str]:
    comparison = compare_texts(job["gold"], job["answer"], job["kind"], prove)
    return comparison.equal, comparison.method


def _send(answer: Any) -> None:
    sys.stdout.write(json.dumps(answer) + "\n")
    sys.stdout.flush()


def _limit_memory(limit_bytes: int) -> None:
    with contextlib.suppress(ValueError, OSError):  # a system without this limit still has the time limit
        resource.setrlimit(resource.RLIMIT_AS, (limit_bytes, limit_bytes))


if __name__ == "__main__":
    main()
