"""Short runs of kill_and_resume.py, which anyone can run for longer."""

from pathlib import Path

import pytest
from kill_and_resume import compare_runs


@pytest.mark.parametrize(("method", "limit"), [("best_of_n", 40), ("beam_search", 12), ("mcts", 12)])
def test_a_killed_and_resumed_run_equals_an_undisturbed_one(tmp_path: Path, method: str, limit: int) -> None:
    """MAIN-62, MAIN-63, BEY-01: nothing finished is generated twice, and the final files are equal but for times."""
    assert compare_runs(tmp_path, "slow", method, kills=4, limit=limit, seed=1) == 0
