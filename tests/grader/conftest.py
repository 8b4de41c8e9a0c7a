"""One pool for all tests of the grader: a worker that has imported sympy once is ready for every file."""

from collections.abc import Iterator

import pytest

from inference_kit.grader import GraderPool


@pytest.fixture(scope="session")
def pool() -> Iterator[GraderPool]:
    with GraderPool(workers=1, time_limit_seconds=2.0) as pool:
        yield pool
