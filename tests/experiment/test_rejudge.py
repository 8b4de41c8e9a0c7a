"""A stored run judged again, without its model."""

from pathlib import Path

import pytest

from inference_kit.errors import UserError
from inference_kit.experiment.rejudge import judge_again
from inference_kit.experiment.stored import find_stored_runs
from inference_kit.grader import GraderPool
from inference_kit.records import Candidate, Record
from inference_kit.store.results import PartialFile
from inference_kit.voting import ALL


@pytest.fixture
def partial_file(tmp_path: Path) -> Path:
    """Two problems with two candidates each, the second of which is right; nothing is scored."""
    file = PartialFile(tmp_path / "mine-best_of_n.jsonl", fsync_seconds=None)
    for index in range(2):
        candidates = tuple(Candidate(rf"\boxed{{{answer}}}", answer, group=place) for place, answer in enumerate("13"))
        file.append(Record(index, "q", "3", candidates=candidates))
    file.close()
    return file.path


def test_votes_are_those_stored_or_all_that_have_something_to_weigh(partial_file: Path) -> None:
    [run] = find_stored_runs(partial_file)
    with GraderPool(workers=1) as grader:
        [row] = judge_again(run, grader, {})
        assert row["file"].endswith("mine-best_of_n-majority_vote.json") and Path(row["file"]).exists()
        assert [each["name"].rpartition(" ")[2] for each in judge_again(run, grader, {}, votes=(ALL,))] == [
            "majority_vote"
        ]
        with pytest.raises(UserError, match="nothing that best_last would weigh"):
            judge_again(run, grader, {}, votes=("best_last",))


def test_nothing_is_written_where_nobody_wants_it(partial_file: Path) -> None:
    [run] = find_stored_runs(partial_file)
    with GraderPool(workers=1) as grader:
        [row] = judge_again(run, grader, {}, write=False)
    assert row["metrics"]["total"] == 2 and not Path(row["file"]).exists()


def test_a_problem_without_anything_to_weigh_is_the_majority_s(tmp_path: Path) -> None:
    """Issue 12: one problem whose scores are missing takes no vote from the others."""
    file = PartialFile(tmp_path / "mine-best_of_n.jsonl", fsync_seconds=None)
    file.append(
        Record(0, "q", "3", candidates=(Candidate("1", "1", step_scores=(0.1,), group=0), Candidate("3", "3", group=1)))
    )
    scored = Candidate("3", "3", step_scores=(0.9,), group=1)
    file.append(Record(1, "q", "3", candidates=(Candidate("1", "1", step_scores=(0.1,), group=0), scored)))
    file.append(Record(2, "q", "3", candidates=(Candidate("1", "1", group=0), *[Candidate("3", "3", group=1)] * 2)))
    file.close()
    [run] = find_stored_runs(file.path)
    with GraderPool(workers=1) as grader:
        [row] = judge_again(run, grader, {}, votes=("best_last",))
        both = judge_again(run, grader, {}, votes=("confidence_vote", "last_vote"))
    assert row["metrics"]["correct"] == 2
    assert [Path(each["file"]).name for each in both] == ["mine-best_of_n-last_vote.json"]
