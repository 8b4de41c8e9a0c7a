"""Stored runs as users point at them."""

from pathlib import Path

import pytest

from inference_kit.errors import UserError
from inference_kit.experiment.rejudge import judge_again
from inference_kit.experiment.stored import find_stored_runs, read_entries_at
from inference_kit.grader import GraderPool
from inference_kit.records import Candidate, Record
from inference_kit.store.results import PartialFile


@pytest.fixture
def final(tmp_path: Path) -> Path:
    """The final file of a stored run."""
    partial = PartialFile(tmp_path / "mine-best_of_n.jsonl", fsync_seconds=None)
    for index in range(2):
        partial.append(Record(index, "q", "3", candidates=(Candidate(r"\boxed{3}", "3", group=0),)))
    partial.close()
    [run] = find_stored_runs(partial.path)
    with GraderPool(workers=1) as grader:
        [row] = judge_again(run, grader, {})
    return Path(row["file"])


@pytest.mark.parametrize("kept", [0, 20, -2])
def test_a_torn_final_file_is_read_from_the_partial_file_beside_it(final: Path, kept: int) -> None:
    """Issue 12: by evaluate and by compare alike."""
    whole = final.read_bytes()
    final.write_bytes(whole[:kept])
    with GraderPool(workers=1) as grader:
        assert [entry["correct"] for entry in read_entries_at(final, grader)] == [True, True]
        [run] = find_stored_runs(final)
        judge_again(run, grader, {})
    assert final.read_bytes() == whole


def test_a_torn_final_file_alone_is_one_line(final: Path) -> None:
    final.write_bytes(final.read_bytes()[:-2])
    final.with_name("mine-best_of_n.jsonl").unlink()
    with pytest.raises(UserError, match=r"torn: it ends in the middle\. Run the same command again"):
        find_stored_runs(final)
