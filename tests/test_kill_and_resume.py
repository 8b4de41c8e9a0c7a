"""A short run of kill_and_resume.py, which anyone can run for longer."""

from pathlib import Path

from kill_and_resume import compare_runs


def test_a_killed_and_resumed_run_equals_an_undisturbed_one(tmp_path: Path) -> None:
    """MAIN-62, MAIN-63, BEY-01: nothing finished is generated twice, and the final files are equal but for times."""
    assert compare_runs(tmp_path, "slow", kills=4, limit=40, seed=1) == 0
