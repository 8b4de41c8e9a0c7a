"""Files that are there whole or not at all; errors of the disk as one line."""

import os
import resource
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from inference_kit.errors import UserError
from inference_kit.store.atomic import disk_error, make_folder, write_atomically


@contextmanager
def largest_file(size: int) -> Iterator[None]:
    """Let no file grow beyond `size` bytes, as a full disk would."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def test_a_file_takes_the_place_of_the_old_one(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    path.write_text("old")
    with write_atomically(path) as file:
        file.write("new é\u2028\n")
        assert path.read_text() == "old"
    assert path.read_bytes() == "new é\u2028\n".encode()
    assert list(tmp_path.iterdir()) == [path]


def test_an_error_leaves_the_old_file_and_nothing_else(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    path.write_text("old")
    with pytest.raises(KeyError), write_atomically(path) as file:
        file.write("new")
        raise KeyError
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_a_kill_while_writing_leaves_the_old_file(tmp_path: Path) -> None:
    """MAIN-08."""
    path = tmp_path / "a.txt"
    path.write_text("old")
    program = (
        "import os, pathlib, signal\n"
        "from inference_kit.store.atomic import write_atomically\n"
        f"with write_atomically(pathlib.Path({str(path)!r})) as file:\n"
        "    file.write('new' * 100_000)\n"
        "    file.flush()\n"
        "    os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == -signal.SIGKILL
    assert path.read_text() == "old"


def test_a_full_disk_is_one_line_and_keeps_the_old_file(tmp_path: Path) -> None:
    """MAIN-88."""
    path = tmp_path / "a.txt"
    path.write_text("old")
    with (
        largest_file(1000),
        pytest.raises(UserError, match="has reached the size") as caught,
        write_atomically(path) as file,
    ):
        file.write("x" * 100_000)
    assert str(caught.value).startswith(f"{path}: ")
    assert "\n" not in str(caught.value)
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_a_device_is_written_to_and_stays_a_device() -> None:
    with write_atomically(Path("/dev/null")) as file:
        file.write("x")
    assert Path("/dev/null").is_char_device()
    with pytest.raises(UserError, match="the disk is full"), write_atomically(Path("/dev/full")) as file:
        file.write("x")


def test_a_link_stays_a_link(tmp_path: Path) -> None:
    link = tmp_path / "link"
    link.symlink_to(tmp_path / "real")
    with write_atomically(link) as file:
        file.write("x")
    assert link.is_symlink()
    assert (tmp_path / "real").read_text() == "x"


def test_an_error_of_another_file_is_not_blamed_on_this_one(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError), write_atomically(tmp_path / "a.txt"):
        (tmp_path / "missing").read_text()


def test_a_lone_surrogate_is_written_as_its_escape(tmp_path: Path) -> None:
    with write_atomically(tmp_path / "a.txt") as file:
        file.write("a\ud800b")
    assert (tmp_path / "a.txt").read_bytes() == rb"a\ud800b"


@pytest.mark.parametrize("name", ["file/below", "x" * 300, "missing/a.txt"])
def test_an_impossible_place_is_one_line(tmp_path: Path, name: str) -> None:
    """MAIN-88."""
    (tmp_path / "file").touch()
    with pytest.raises(UserError), write_atomically(tmp_path / name):
        pytest.fail("there is nothing to write to")


def test_folders_are_made_and_an_impossible_one_is_one_line(tmp_path: Path) -> None:
    """MAIN-88."""
    make_folder(tmp_path / "a" / "b")
    make_folder(tmp_path / "a" / "b")
    (tmp_path / "file").touch()
    with pytest.raises(UserError, match="not a folder"):
        make_folder(tmp_path / "file" / "below")
    with pytest.raises(UserError, match="in the way"):
        make_folder(tmp_path / "file")


def test_an_unforeseen_error_keeps_the_words_of_the_system() -> None:
    error = OSError(40, os.strerror(40), "loop")
    assert str(disk_error(error, Path("a"))) == f"a: {os.strerror(40)}"
