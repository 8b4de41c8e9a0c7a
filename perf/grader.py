"""Measure the grader beside Math-Verify 0.9.0: accuracy, CPU time a case, and 100,000 lines through the command line.

Run it as `python perf/grader.py [--suite FILE.jsonl] [--solutions FILE.jsonl] [--lines 100000]`; Math-Verify is a
development requirement (`pip install math-verify==0.9.0`). CPU time counts this process and the workers it has ended.
"""

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

HOME = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(HOME))

from inference_kit.grader import GraderPool  # noqa: E402 - the path above comes first

Grader = Callable[[str, str], bool]


@dataclass(frozen=True, slots=True)
class Measurement:
    """What grading a list of cases took and gave."""

    cases: int
    right: int
    false_positives: int
    cpu_seconds: float
    sorted_seconds: tuple[float, ...]

    def format(self, name: str) -> str:
        worst = self.sorted_seconds[min(self.cases - 1, int(0.99 * self.cases))]
        middle = self.sorted_seconds[self.cases // 2]
        return (
            f"  {name:12} right {self.right}/{self.cases} ({100 * self.right / self.cases:.2f} %)  "
            f"false positives {self.false_positives:3}  {self.cases / self.cpu_seconds:9.0f} cases/s of CPU  "
            f"median {1000 * middle:7.3f} ms  p99 {1000 * worst:7.2f} ms"
        )


def main() -> None:
    """Print all measurements."""
    arguments = _arguments()
    suite = [case for case in _read_lines(arguments.suite) if not case["ambiguous"]]
    solutions = _read_solutions(_read_lines(arguments.solutions))
    real = [case for case in suite if case["category"] == "real_response"] + solutions
    for title, cases in (("whole suite", suite), ("real responses", real)):
        print(f"{title}: {len(cases)} cases")
        ours = _measure_ours(cases)
        theirs = _measure(cases, _load_math_verify())
        print(ours.format("ours"))
        print(theirs.format("math-verify"))
        print(f"  ratio        {theirs.cpu_seconds / ours.cpu_seconds:.1f} times its cases/s")
    took = _time_command_line(solutions, arguments.lines)
    print(f"{arguments.lines} lines through `main.py grade`: {took:.2f} s of wall time")


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Measure the grader beside Math-Verify 0.9.0.")
    parser.add_argument("--suite", type=Path, default=HOME.parent / "shared/grader/dev.jsonl")
    parser.add_argument("--solutions", type=Path, default=HOME.parent / "shared/data/gsm8k_model_solutions.jsonl")
    parser.add_argument("--lines", type=int, default=100_000)
    return parser.parse_args()


def _read_lines(path: Path) -> list[dict[str, Any]]:
    with path.open(encoding="utf-8") as lines:
        return [json.loads(line) for line in lines]


def _read_solutions(rows: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """Turn the labelled solutions of four models into cases."""
    models = ("6b_finetuning", "6b_verification", "175b_finetuning", "175b_verification")
    return [
        {
            "gold": row["ground_truth"].rpartition("A:")[2].strip(),
            "response": row[model]["solution"],
            "expected": row[model]["is_correct"],
        }
        for row in rows
        for model in models
    ]


def _measure_ours(cases: Sequence[dict[str, Any]]) -> Measurement:
    with GraderPool(workers=1) as pool:
        return _measure(cases, lambda gold, response: pool.grade(gold, response).correct, at_end=pool.close)


def _measure(cases: Sequence[dict[str, Any]], grader: Grader, at_end: Callable[[], None] = lambda: None) -> Measurement:
    started = _read_cpu_seconds()
    seconds = []
    right = false_positives = 0
    for case in cases:
        began = time.perf_counter()
        correct = grader(case["gold"], case["response"])
        seconds.append(time.perf_counter() - began)
        right += correct == case["expected"]
        false_positives += correct and not case["expected"]
    at_end()
    return Measurement(len(cases), right, false_positives, _read_cpu_seconds() - started, tuple(sorted(seconds)))


def _read_cpu_seconds() -> float:
    return sum(
        usage.ru_utime + usage.ru_stime
        for usage in (resource.getrusage(resource.RUSAGE_SELF), resource.getrusage(resource.RUSAGE_CHILDREN))
    )


def _load_math_verify() -> Grader:
    """Load Math-Verify and use it as its README does; a bare answer is put between dollars, which it needs."""
    from math_verify import parse, verify

    def grade(gold: str, response: str) -> bool:
        wrapped = gold if "$" in gold or "\\boxed" in gold else f"${gold}$"
        return bool(verify(parse(wrapped), parse(response) or parse(f"${response}$")))

    grade("1", "$1$")
    return grade


def _time_command_line(cases: Sequence[dict[str, Any]], lines: int) -> float:
    with tempfile.TemporaryDirectory() as folder:
        given, written = Path(folder, "lines.jsonl"), Path(folder, "grades.jsonl")
        with given.open("w", encoding="utf-8") as file:
            for number in range(lines):
                case = cases[number % len(cases)]
                file.write(json.dumps({"id": number, "gold": case["gold"], "response": case["response"]}) + "\n")
        began = time.perf_counter()
        command = [sys.executable, str(HOME / "main.py"), "grade", str(given), "--output", str(written)]
        subprocess.run(command, check=True, env={**os.environ, "OMP_NUM_THREADS": "1"})
        took = time.perf_counter() - began
        assert sum(1 for _ in written.open(encoding="utf-8")) == lines
        return took


if __name__ == "__main__":
    main()
