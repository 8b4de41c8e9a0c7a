"""Files in, files out, and no input is overwritten."""

from pathlib import Path

import pytest

from inference_kit.errors import UserError
from inference_kit.transform.plan import plan_files


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name in ("a.jsonl", "b.json", "sub/c.jsonl", "sub/deep/d.jsonl.gz", "notes.txt", ".hidden/e.jsonl", ".f.jsonl"):
        path = tmp_path / "data" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("{}")
    return tmp_path / "data"


def names(folder: Path, glob: str | None = None) -> list[str]:
    return [plan.name for plan in plan_files(folder, glob, folder.parent / "out")]


def test_the_output_mirrors_the_input(folder: Path) -> None:
    """XF-33."""
    plans = plan_files(folder, None, folder.parent / "out")
    assert [plan.output.relative_to(folder.parent / "out").as_posix() for plan in plans] == names(folder)
    assert names(folder) == ["a.jsonl", "b.json", "sub/c.jsonl", "sub/deep/d.jsonl.gz"]


@pytest.mark.parametrize(
    ("glob", "found"),
    [
        ("*.jsonl", ["a.jsonl", "sub/c.jsonl"]),
        ("sub/*.jsonl", ["sub/c.jsonl"]),
        ("b.*", ["b.json"]),
        ("*.gz", ["sub/deep/d.jsonl.gz"]),
    ],
)
def test_a_pattern_fits_names_and_with_a_slash_paths(folder: Path, glob: str, found: list[str]) -> None:
    """XF-02."""
    assert names(folder, glob) == found


def test_outputs_below_the_input_are_never_read(folder: Path) -> None:
    first = plan_files(folder, None, folder / "out")
    for plan in first:
        plan.output.parent.mkdir(parents=True, exist_ok=True)
        plan.output.write_text("{}")
    assert [plan.source for plan in plan_files(folder, None, folder / "out")] == [plan.source for plan in first]


def test_an_input_is_never_overwritten(folder: Path) -> None:
    """XF-03."""
    (folder.parent / "link").symlink_to(folder)
    for output in (folder, folder.parent / "link"):
        with pytest.raises(UserError, match="overwritten"):
            plan_files(folder, None, output)
        with pytest.raises(UserError, match="overwritten"):
            plan_files(folder / "a.jsonl", None, output)


def test_in_place_follows_links(folder: Path) -> None:
    (folder / "link.jsonl").symlink_to(folder / "a.jsonl")
    [plan] = plan_files(folder / "link.jsonl", None, None)
    assert plan.in_place and plan.output == folder / "a.jsonl"


@pytest.mark.parametrize(("source", "glob", "said"), [("x", None, "does not exist"), ("data", "*.csv", "notes.txt")])
def test_nothing_to_read_is_said(folder: Path, source: str, glob: str | None, said: str) -> None:
    """XF-60."""
    with pytest.raises(UserError, match=said):
        plan_files(folder.parent / source, glob, folder.parent / "out")


def test_an_output_that_is_a_file_is_refused(folder: Path) -> None:
    with pytest.raises(UserError, match="folder"):
        plan_files(folder, None, folder / "a.jsonl")
