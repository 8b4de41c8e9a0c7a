"""The pool: cheap things at once, hard things in workers that are killed and replaced, and nothing left behind."""

import os
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from inference_kit.grader import Grade, GradeItem, GraderPool

HARD = (r"\cos 2x", r"1-2\sin^2 x")
ENDLESS = r"\int_0^{\infty} \frac{\sin(x^x)}{\ln(\Gamma(x))} dx"
HOME = Path(__file__).parents[3]


def test_plain_answers_start_no_worker_and_import_neither_sympy_nor_mpmath() -> None:
    """A benchmark of plain answers never pays for sympy."""
    program = (
        "import sys; from inference_kit.grader import GraderPool; pool = GraderPool();"
        "assert pool.grade('1/2', 'The answer is 0.5.').correct;"
        "assert pool.grade('(1,2)', r'\\boxed{(1, 2)}').correct and not pool._idle;"
        "sys.exit(any(name in sys.modules for name in ('sympy', 'mpmath', 'latex2sympy2_extended')))"
    )
    assert subprocess.run([sys.executable, "-c", program], cwd=HOME, check=False).returncode == 0


def test_a_comparison_past_its_limit_is_not_equal_says_so_and_costs_one_worker() -> None:
    """BEY-11: nothing that a response holds can hang a run."""
    with GraderPool(workers=1, time_limit_seconds=0.5) as pool:
        assert pool.equal(*HARD)
        [worker] = pool._idle
        started = time.monotonic()
        grade = pool.grade("42", rf"\boxed{{{ENDLESS}}}")
        assert grade == Grade(False, False, ENDLESS, "timeout")
        assert time.monotonic() - started < 20
        assert worker.status == -signal.SIGPROF
        assert pool.equal(*HARD)


def test_a_worker_starts_without_what_it_may_not_need() -> None:
    program = (
        "import sys; import inference_kit.grader.workers.worker, inference_kit.processes.__main__;"
        "sys.exit(any(name in sys.modules for name in ('sympy', 'mpmath', 'asyncio', 'subprocess', 'loguru')))"
    )
    assert subprocess.run([sys.executable, "-c", program], cwd=HOME, check=False).returncode == 0


@pytest.mark.parametrize("pair", [HARD, (r"\sum_{k=1}^n k", r"\frac{n(n+1)}{2}")], ids=["mpmath", "sympy"])
def test_what_is_done_only_once_counts_against_no_limit(pair: tuple[str, str]) -> None:
    """A verdict does not depend on whether its case is the first of its worker."""
    with GraderPool(workers=1, time_limit_seconds=0.03) as pool:
        assert pool.equal(*pair)


def test_time_in_which_a_worker_does_not_run_is_not_counted() -> None:
    """A verdict does not depend on what else the machine does."""
    with GraderPool(workers=1, time_limit_seconds=0.2) as pool, ThreadPoolExecutor(1) as thread:
        assert pool.equal(*HARD)
        [worker] = pool._idle
        os.kill(worker.pid, signal.SIGSTOP)
        asked = thread.submit(pool.equal, r"\ln 3^2", r"2\ln 3")
        time.sleep(0.5)
        assert not asked.done()
        os.kill(worker.pid, signal.SIGCONT)
        assert asked.result()
        assert worker.status is None


def test_a_worker_that_waits_for_ever_is_killed_by_the_clock(monkeypatch: pytest.MonkeyPatch) -> None:
    with GraderPool(workers=1) as pool:
        assert pool.equal(*HARD)
        [worker] = pool._idle
        os.kill(worker.pid, signal.SIGSTOP)
        with monkeypatch.context() as patch:
            patch.setattr("inference_kit.grader.workers.jobs.LEAST_WALL_SECONDS", 0.1)
            patch.setattr("inference_kit.grader.workers.jobs.WALL_FACTOR", 0.0)
            assert pool.compare(r"\ln 3^2", r"2\ln 3").method == "timeout"
        assert worker.status == -signal.SIGKILL
        assert pool.equal(*HARD)


@pytest.mark.slow
def test_verdicts_are_the_same_beside_eight_busy_processes() -> None:
    golds = [rf"\int_0^1 x^{{{n}}}\,dx" for n in range(2, 14)]
    answers = [rf"\frac{{1}}{{{n + n % 2}}}" for n in range(2, 14)]

    def verdicts() -> list[tuple[bool, str]]:
        with GraderPool(workers=2, time_limit_seconds=0.25) as pool, ThreadPoolExecutor(2) as threads:
            found = list(threads.map(pool.compare, [*golds, ENDLESS], [*answers, "42"]))
        return [(each.equal, each.method) for each in found]

    alone = verdicts()
    busy = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(8)]
    try:
        assert verdicts() == alone
    finally:
        for process in busy:
            process.kill()
            process.wait()
    assert alone[-1] == (False, "timeout")
    assert {method for _, method in alone[:-1]} == {"symbolic"}


def test_groups_are_numbered_by_first_appearance() -> None:
    with GraderPool(workers=1) as pool:
        answers = ["1/2", None, r"\cos 2x", "0.5", r"1-2\sin^2 x", "x", r"\frac12"]
        assert pool.group(answers) == [0, -1, 1, 0, 1, 2, 0]
        assert pool.group([]) == []


def test_grades_come_in_the_order_of_the_items_however_many_there_are() -> None:
    with GraderPool(workers=2) as pool:
        items = [GradeItem(str(number % 7), f"The answer is {number % 5}.") for number in range(3000)]
        items[10] = GradeItem(HARD[0], rf"\boxed{{{HARD[1]}}}")
        grades = list(pool.grade_many(iter(items)))
        assert [grade.correct for grade in grades] == [
            number == 10 or number % 7 == number % 5 for number in range(3000)
        ]
        assert list(pool.grade_many(items[:20])) == grades[:20]


def test_many_threads_share_a_pool() -> None:
    with GraderPool(workers=2) as pool, ThreadPoolExecutor(8) as threads:
        verdicts = list(threads.map(lambda n: pool.equal(rf"\ln {n}^2", rf"2\ln {n}"), range(2, 30)))
    assert all(verdicts)


def test_a_worker_has_a_memory_limit() -> None:
    with GraderPool(workers=1, memory_limit_bytes=64 * 1024 * 1024) as pool:
        assert pool.compare(r"\unknown{x}", r"\unheard{y}").method in ("too_large", "out_of_memory")


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGINT])
def test_no_worker_outlives_its_parent(how: signal.Signals) -> None:
    program = (
        "import sys, time; from inference_kit.grader import GraderPool; pool = GraderPool(workers=1);"
        f"assert pool.equal({HARD[0]!r}, {HARD[1]!r});"
        "print(pool._idle[0].pid, flush=True); time.sleep(60)"
    )
    parent = subprocess.Popen(
        [sys.executable, "-c", program], cwd=HOME, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    assert parent.stdout is not None and parent.stderr is not None
    worker = int(parent.stdout.readline())
    parent.send_signal(how)
    parent.wait()
    deadline = time.monotonic() + 10
    while Path(f"/proc/{worker}").exists() and _state(worker) != "Z" and time.monotonic() < deadline:
        os.sched_yield()
    assert not Path(f"/proc/{worker}").exists() or _state(worker) == "Z"
    assert "worker" not in parent.stderr.read()


def _state(process: int) -> str:
    try:
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return "Z"
