"""Names of folders and files, which runs of every version must find again."""

from pathlib import Path

from inference_kit.dataset.selection import Shard
from inference_kit.experiment.files import RunFiles, name_final_file, name_shard_folder

FILES = RunFiles(Path("out/mine/toy+none+default"), Path("out/.calls"), "mine", "best_of_n")


def test_a_run_has_a_partial_file_and_a_final_file_for_each_vote() -> None:
    assert FILES.partial == FILES.folder / "mine-best_of_n.jsonl"
    assert FILES.final("best_last") == FILES.folder / "mine-best_of_n-best_last.json"
    assert FILES.final() == FILES.folder / "mine-best_of_n.json"
    assert FILES.final(method="greedy") == FILES.folder / "mine-greedy.json"


def test_a_dot_in_a_name_ends_no_name() -> None:
    files = RunFiles(Path("out"), Path("calls"), "v1.5/test", "greedy")
    assert files.partial == Path("out/v1.5_test-greedy.jsonl")
    assert name_final_file(Path("out/v1.5-greedy"), None) == Path("out/v1.5-greedy.json")


def test_a_shard_has_a_folder_of_its_own() -> None:
    assert name_shard_folder("toy+none+default", Shard(2, 4)) == "toy+none+default+shard-2-of-4"
