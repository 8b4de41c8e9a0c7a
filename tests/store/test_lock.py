"""One writer for a folder."""

import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from inference_kit.errors import UserError
from inference_kit.store.lock import FolderLock

HOLDER = """
import pathlib, subprocess, sys
from inference_kit.store.lock import FolderLock
with FolderLock(pathlib.Path(sys.argv[1])):
    child = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    print(child.pid, flush=True)
    input()
"""


def test_a_second_writer_is_told_the_pid_of_the_first(tmp_path: Path) -> None:
    with FolderLock(tmp_path):
        with pytest.raises(UserError, match=rf"locked by PID {os.getpid()}\b.*--exp-name") as caught:
            FolderLock(tmp_path).__enter__()
        assert str(caught.value).startswith(f"{tmp_path}: ")
    with FolderLock(tmp_path):
        pass


def test_a_lock_that_was_taken_this_moment_is_looked_at_again(tmp_path: Path) -> None:
    with FolderLock(tmp_path) as first:
        first.path.write_text("")
        writer = threading.Timer(0.05, first.path.write_text, ["4711\n"])
        writer.start()
        with pytest.raises(UserError, match="locked by PID 4711"):
            FolderLock(tmp_path).__enter__()
        writer.join()


def test_folders_are_locked_one_by_one(tmp_path: Path) -> None:
    for name in "ab":
        (tmp_path / name).mkdir()
    with FolderLock(tmp_path / "a"), FolderLock(tmp_path / "b"):
        pass


def test_a_killed_process_leaves_no_lock_even_if_its_child_lives(tmp_path: Path) -> None:
    arguments = [sys.executable, "-c", HOLDER, str(tmp_path)]
    with subprocess.Popen(arguments, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as holder:
        assert holder.stdout is not None
        child = int(holder.stdout.readline())
        with pytest.raises(UserError, match=f"locked by PID {holder.pid}"):
            FolderLock(tmp_path).__enter__()
        os.kill(child, signal.SIGSTOP)  # it must not notice that its parent is gone
        holder.kill()
        holder.wait()
        with FolderLock(tmp_path):
            os.kill(child, signal.SIGKILL)


def test_a_folder_that_cannot_be_written_is_one_line(tmp_path: Path) -> None:
    """MAIN-88."""
    with pytest.raises(UserError, match="no such file or folder"):
        FolderLock(tmp_path / "missing").__enter__()
