"""Write benchmark/abacus.jsonl: 1,000 test problems in the line format in which GSM8K is published.

Why: with the format of a known data set, the ordinary data set class reads it and nothing is special about the toy.

Promise: only problems of the test split, no two alike; the same bytes each time.
"""

import json
from pathlib import Path
from random import Random

from training.problems import BENCHMARK_MIX, problems, solution

PATH = Path(__file__).parents[1] / "benchmark" / "abacus.jsonl"
SEED = 2026
N_PROBLEMS = 1000


def benchmark_lines() -> list[str]:
    """Return the lines of the benchmark: question, then the solution steps and `#### answer`."""
    rng = Random(SEED)
    lines: dict[str, str] = {}
    for problem in problems(SEED, "test", BENCHMARK_MIX):
        answer = "\n".join([*solution(problem, rng)[:-1], f"#### {problem.answer}"])
        lines.setdefault(problem.question, json.dumps({"question": problem.question, "answer": answer}))
        if len(lines) == N_PROBLEMS:
            break
    return list(lines.values())


if __name__ == "__main__":
    PATH.write_text("".join(line + "\n" for line in benchmark_lines()), encoding="utf-8")
