"""One worker process, seen from outside: started, asked with limits, really killed.

Why: neither a thread nor an alarm can interrupt one long operation on big integers; a process can be killed.
Promises: `ask` returns or raises within the limits of a job; a worker that missed one is dead; none outlives its owner.
"""

import time
from typing import Any

from inference_kit.grader.workers.jobs import LIMIT_SIGNALS, Job, Memory, WorkerDied, WorkerLate
from inference_kit.processes.child import ChildLost, ChildProcess

WORKER = "inference_kit.grader.workers.worker"
START_SECONDS = 300.0
"""What starting may take, on however busy a machine."""


class WorkerProcess:
    """A running worker."""

    def __init__(self, memory_limit_bytes: int) -> None:
        self._child = ChildProcess(WORKER, "grader worker", environment={"PYTHONHASHSEED": "0"})
        self._exchange(Memory(memory_limit_bytes), START_SECONDS)

    @property
    def pid(self) -> int:
        """The number of its process."""
        return self._child.pid

    @property
    def status(self) -> int | None:
        """The status of its process, negative where a signal ended it; None while it runs."""
        return self._child.status

    def ask(self, job: Job) -> Any:
        """Send a job and wait for its answer.

        Raises:
            WorkerLate, WorkerDied: the process is gone in both cases.
        """
        return self._exchange(job, job.wall_seconds)

    def kill(self) -> None:
        """End the process at once."""
        self._child.close()

    def _exchange(self, message: Any, seconds: float) -> Any:
        deadline = time.monotonic() + seconds
        try:
            self._child.send(message, deadline)
            return self._child.receive(deadline)
        except TimeoutError:
            self.kill()
            raise WorkerLate from None
        except ChildLost as loss:
            self.kill()
            raise WorkerLate if -loss.status in LIMIT_SIGNALS else WorkerDied(loss.reason) from loss
