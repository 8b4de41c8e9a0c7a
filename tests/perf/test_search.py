"""The occupancy benchmark: a search keeps the engine as full as its dependencies allow."""

import pytest

from inference_kit.grader import GraderPool
from perf.search import RUNS, measure


@pytest.mark.parametrize("name", RUNS)
def test_nothing_waits_that_could_be_in_flight(name: str) -> None:
    with GraderPool() as grader:
        found = measure(RUNS[name], n_problems=4, slots=24, grader=grader)
    assert found.seconds <= 1.15 * found.bound


def test_several_leaves_in_flight_are_sooner_done_than_one() -> None:
    with GraderPool() as grader:
        one, several = (measure(RUNS[name], 4, 256, grader) for name in ("mcts, 1 leaf", "mcts, 4 leaves"))
    assert several.seconds < one.bound
