"""A file that only grows, by whole lines."""

import os
import resource
from pathlib import Path

import pytest

from inference_kit.errors import UserError
from inference_kit.store.append_file import AppendFile


def test_lines_are_in_the_file_when_append_returns(tmp_path: Path) -> None:
    file = AppendFile(tmp_path / "a", fsync_seconds=None)
    assert [file.append("é"), file.append("\ud800"), file.append("")] == [0, 3, 10]
    assert (tmp_path / "a").read_bytes() == "é\n\\ud800\n\n".encode()
    file.close()


def test_half_a_line_is_cut_and_a_whole_one_is_ended(tmp_path: Path) -> None:
    path = tmp_path / "a"
    path.write_text("one\ntw")
    file = AppendFile(path, size=4, fsync_seconds=None)
    file.append("three")
    file.close()
    assert path.read_text() == "one\nthree\n"
    path.write_text("one")
    file = AppendFile(path, size=3, fsync_seconds=None)
    file.append("two")
    file.close()
    assert path.read_text() == "one\ntwo\n"


def test_a_line_that_does_not_fit_leaves_no_trace(tmp_path: Path) -> None:
    """MAIN-88: what was stored stays, and the next line that fits is stored whole."""
    path = tmp_path / "a"
    file = AppendFile(path, fsync_seconds=None)
    file.append("one")
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, hard))
    try:
        with pytest.raises(UserError, match=r"size that is allowed here.*everything finished is kept"):
            file.append("x" * 2000)
        file.append("two")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    file.close()
    assert path.read_text() == "one\ntwo\n"


@pytest.mark.parametrize(("fsync_seconds", "waits"), [(None, 0), (3600, 2), (0, 11)])
def test_the_disk_is_waited_for_as_often_as_asked_and_at_the_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fsync_seconds: float | None, waits: int
) -> None:
    synced: list[int] = []
    monkeypatch.setattr(os, "fsync", synced.append)
    file = AppendFile(tmp_path / "a", fsync_seconds=fsync_seconds)
    for _ in range(10):
        file.append("line")
    file.close()
    assert len(synced) == waits
