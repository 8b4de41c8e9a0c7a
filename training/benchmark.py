"""Write benchmark/abacus.jsonl: 1,000 test problems in the line format in which GSM8K is published.

Why: with the format of a known data set, the ordinary data set class reads it and nothing is special about the toy.
Promises: only problems of the test split, no two alike; the same bytes each time.
"""

import json
from pathlib import Path
from random import Random

from training.problems import BENCHMARK_MIX, draw_problems, write_solution

PATH = Path(__file__).parents[1] / "benchmark" / "abacus.jsonl"
SEED = 2026
N_PROBLEMS = 1000


def write_lines() -> list[str]:
    """Write the lines of the benchmark: question, then the solution steps and `#### answer`."""
    rng = Random(SEED)
    lines: dict[str, str] = {}
    for problem in draw_problems(SEED, "test", BENCHMARK_MIX):
        answer = "\n".join([*write_solution(problem, rng)[:-1], f"#### {problem.answer}"])
        lines.setdefault(problem.question, json.dumps({"question": problem.question, "answer": answer}))
        if len(lines) == N_PROBLEMS:
            break
    return list(lines.values())


if __name__ == "__main__":
    PATH.write_text("".join(line + "\n" for line in write_lines()), encoding="utf-8")
