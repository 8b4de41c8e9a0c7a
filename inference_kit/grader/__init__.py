"""The grader: finds the answer in a response and says whether it is the gold answer, safely and quickly.

Why: a benchmark is worth as much as its grader, and a model's text is hostile: it may hang, explode or look like code.
Promises: nothing of a response is ever evaluated as Python; whatever may take long runs in a worker process with a
memory limit that is killed at a time limit; importing this package imports neither sympy nor mpmath.
"""

from collections.abc import Sequence
from functools import cache

from inference_kit.grader.finding.extract import extract
from inference_kit.grader.reading.parse import is_parsed
from inference_kit.grader.similarity import similarity
from inference_kit.grader.workers.pool import Grade, GradeItem, GraderPool
from inference_kit.records import AnswerKind

__all__ = [
    "Grade",
    "GradeItem",
    "GraderPool",
    "equal",
    "extract",
    "grade",
    "is_parsed",
    "math_equal",
    "math_similarity",
    "similarity",
]


def grade(
    gold: str | Sequence[str],
    response: str,
    *,
    kind: AnswerKind = "math",
    choices: Sequence[str] = (),
    strict: bool = False,
) -> Grade:
    """Grade one response with the shared pool; many are better given to a `GraderPool` of one's own."""
    return _shared_pool().grade(gold, response, kind=kind, choices=choices, strict=strict)


def equal(a: str, b: str, kind: AnswerKind = "math") -> bool:
    """Say whether two bare answers are the same answer."""
    return _shared_pool().equal(a, b, kind)


def math_equal(a: str, b: str) -> bool:
    """Say whether two mathematical answers are equal; for data sets and scripts that compare answers themselves."""
    return equal(a, b, "math")


def math_similarity(a: str, b: str) -> float:
    """Measure how alike two mathematical answers are, from 0 to 1; 1 where they are equal."""
    return 1.0 if equal(a, b, "math") else similarity(a, b)


@cache
def _shared_pool() -> GraderPool:
    return GraderPool()
