"""The occupancy of the engine, on a tenth of what perf/search.py measures."""

import pytest

from perf.search import SETUPS, SEVERAL_LEAVES, Measurement, Trace, measure_all


@pytest.fixture(scope="module")
def found() -> dict[str, Measurement]:
    return measure_all(n_problems=12, slots=32)


@pytest.mark.parametrize("run", SETUPS)
def test_a_search_is_as_fast_as_everything_in_flight(found: dict[str, Measurement], run: str) -> None:
    """Issue 5, 2: within 1.15 of the bound, in virtual time, so that no machine is too slow for it."""
    assert found[run].least <= found[run].seconds <= 1.15 * found[run].bound


def test_several_leaves_in_flight_are_faster_than_one(found: dict[str, Measurement]) -> None:
    assert found[SEVERAL_LEAVES].seconds < found["mcts, 1 leaf"].bound


def test_the_bounds_of_calls_worked_out_by_hand() -> None:
    """Two problems of two waves: 1 and 2 seconds, then 1; 3 seconds, then 1; each wave is scored in 20 ms."""
    trace = Trace(len)
    for problem, beginning, seconds in [("a", "", 1), ("a", "", 2), ("a", "x", 1), ("b", "", 3), ("b", "x", 1)]:
        trace.add(problem, beginning, seconds)
    assert trace.least_seconds(slots=3) == pytest.approx(3.02 + 1.02)
    assert trace.least_seconds(slots=1) == pytest.approx(8.0)
    assert trace.bound_seconds(slots=3) == pytest.approx(3.02 + 1.02)
    # In one slot: 1 and 2 of a, 3 of b; meanwhile a is scored, so that its last second follows at 6 and b's at 7.
    assert trace.bound_seconds(slots=1) == pytest.approx(8.02)
