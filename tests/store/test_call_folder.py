"""Many calls in a folder: nothing is lost, whatever happens to the index, the files and the processes."""

import os
import random
import signal
import subprocess
import sys
import threading
from itertools import islice
from pathlib import Path
from typing import Any

import pytest

from inference_kit.store import call_folder, call_places
from inference_kit.store.call_folder import CallFolder
from inference_kit.store.call_log import call_key
from inference_kit.store.key_index import NAME, KeyIndex

FILLER = """
import sys
from pathlib import Path
from inference_kit.store import call_places
from inference_kit.store.call_log import CallLog, call_key
call_places.PACK, call_places.MERGE, call_places.WORTH_AN_INDEX = 20, 60, 30
folder, run, first = Path(sys.argv[1]), sys.argv[2], int(sys.argv[3])
log = CallLog(folder, run, fsync_seconds=None)
for number in range(first, first + int(sys.argv[4])):
    log.append("model", call_key(n=number), {"number": number})
    print(number, flush=True)
log.close()
"""


@pytest.fixture(autouse=True)
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let an index be written for few calls."""
    for name, value in {"PACK": 20, "MERGE": 60, "WORTH_AN_INDEX": 30}.items():
        monkeypatch.setattr(call_places, name, value)


def key(number: int) -> bytes:
    return bytes.fromhex(call_key(n=number))


def fill(folder: Path, numbers: range, run: str = "run", **changes: Any) -> None:
    calls = CallFolder(folder, run, fsync_seconds=None)
    for number in numbers:
        calls.append(call_key(n=number), f'{{"number": {changes.get("value", number)}}}')
    calls.close()


def find_all(folder: Path, numbers: range, run: str = "run") -> list[int | None]:
    calls = CallFolder(folder, run, fsync_seconds=None)
    found = [calls.find(key(number)) for number in numbers]
    calls.close()
    return [call.payload["number"] if call else None for call in found]


def test_few_calls_make_no_index_and_many_do(tmp_path: Path) -> None:
    fill(tmp_path, range(25))
    assert not (tmp_path / NAME).exists()
    fill(tmp_path, range(25, 50))
    assert (tmp_path / NAME).exists()
    assert len(KeyIndex(tmp_path)) == 50
    assert find_all(tmp_path, range(60)) == [*range(50), *[None] * 10]


def test_what_is_appended_is_found_at_once_while_the_index_grows(tmp_path: Path) -> None:
    calls = CallFolder(tmp_path, "run", fsync_seconds=None)
    for number in range(1000):
        calls.append(call_key(n=number), f'{{"number": {number}}}')
        sample = random.Random(number).sample(range(number + 1), min(5, number + 1))
        assert [call.payload["number"] for n in sample if (call := calls.find(key(n)))] == sample
    calls.close()
    assert len(KeyIndex(tmp_path)) > 1000 - call_places.WORTH_AN_INDEX
    assert find_all(tmp_path, range(1000)) == [*range(1000)]


def test_with_an_index_only_what_lies_behind_it_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fill(tmp_path, range(100))
    fill(tmp_path, range(100, 110))
    read: list[bytes] = []
    monkeypatch.setattr(
        call_folder, "_read_lines", lambda path, start, real=call_folder._read_lines: read_and_note(real, path, start)
    )

    def read_and_note(real: Any, path: Path, start: int) -> Any:
        for line in real(path, start):
            read.append(line)
            yield line

    assert find_all(tmp_path, range(110)) == [*range(110)]
    assert len(read) == 10


@pytest.mark.parametrize("damage", ["missing", "empty", "garbage", "a block", "cut", "a folder"])
def test_a_missing_or_damaged_index_loses_nothing(tmp_path: Path, damage: str) -> None:
    fill(tmp_path, range(1000))
    path = tmp_path / NAME
    data = bytearray(path.read_bytes())
    path.unlink()
    if damage == "a folder":
        path.mkdir()
    elif damage != "missing":
        data[100:120] = bytes(20)
        path.write_bytes({"empty": b"", "garbage": os.urandom(900), "a block": data, "cut": data[:-300]}[damage])
    assert find_all(tmp_path, range(1000)) == [*range(1000)]
    fill(tmp_path, range(1000, 1100))
    assert find_all(tmp_path, range(1100)) == [*range(1100)]


def test_damage_that_shows_while_a_log_is_open_loses_nothing(tmp_path: Path) -> None:
    fill(tmp_path, range(1000))
    calls = CallFolder(tmp_path, "run", fsync_seconds=None)
    calls.append(call_key(n=1000), '{"number": 1000}')
    with (tmp_path / NAME).open("r+b") as file:
        file.write(bytes(1000))
    found = [calls.find(key(number)) for number in range(1001)]
    assert [call.payload["number"] for call in found if call] == [*range(1001)]
    calls.append(call_key(n=1001), '{"number": 1001}')
    assert calls.find(key(1001))
    calls.close()
    assert find_all(tmp_path, range(1002)) == [*range(1002)]


def test_a_file_that_was_cut_or_deleted_loses_its_own_calls_only(tmp_path: Path) -> None:
    fill(tmp_path, range(100))
    fill(tmp_path, range(100, 200))
    first, second = sorted(tmp_path.glob("*.jsonl"))
    lines = second.read_bytes().splitlines(keepends=True)
    second.write_bytes(b"".join(lines[:50]) + b'{"key": "torn')
    assert find_all(tmp_path, range(200)) == [*range(150), *[None] * 50]
    first.unlink()
    assert find_all(tmp_path, range(200)) == [*[None] * 100, *range(100, 150), *[None] * 50]
    fill(tmp_path, range(300, 400))
    assert find_all(tmp_path, range(300, 400)) == [*range(300, 400)]
    assert len(KeyIndex(tmp_path)) == 150


def test_a_line_of_the_same_run_comes_first_with_an_index_too(tmp_path: Path) -> None:
    for run, value in [("b", 1), ("a", 2), ("a", 3), ("c", 4)]:
        fill(tmp_path, range(100), run, value=value)
    assert set(find_all(tmp_path, range(100), "a")) == {3}
    assert set(find_all(tmp_path, range(100), "b")) == {1}
    assert set(find_all(tmp_path, range(100), "d")) == {4}


def test_where_the_index_cannot_be_written_the_log_goes_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: Any, **__: Any) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(call_places, "write_index", refuse)
    calls = CallFolder(tmp_path, "run", fsync_seconds=None)
    for number in range(500):
        calls.append(call_key(n=number), f'{{"number": {number}}}')
        assert calls.find(key(number // 2))
    calls.close()
    assert not list(tmp_path.glob("*.bin")) and not list(tmp_path.glob(".*"))
    assert find_all(tmp_path, range(500)) == [*range(500)]


def test_threads_share_a_folder_while_its_index_is_written(tmp_path: Path) -> None:
    calls = CallFolder(tmp_path, "run", fsync_seconds=None)
    lost: list[int] = []

    def work(first: int) -> None:
        for number in range(first, first + 300):
            calls.append(call_key(n=number), f'{{"number": {number}}}')
            lost.extend(n for n in (first, number) if not calls.find(key(n)))

    threads = [threading.Thread(target=work, args=(1000 * number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    calls.close()
    assert not lost
    assert find_all(tmp_path, range(3000, 3300)) == [*range(3000, 3300)]


def test_two_writers_and_fifty_kills_lose_nothing(tmp_path: Path) -> None:
    """BEY-01. Each round starts two processes that fill one log, and kills both somewhere."""
    chance = random.Random(7)
    said: list[int] = []
    for turn in range(25):
        fillers = [
            subprocess.Popen(
                [sys.executable, "-c", FILLER, str(tmp_path), f"run {turn}", str(10_000 * turn + 5_000 * each), "2000"],
                stdout=subprocess.PIPE,
                text=True,
            )
            for each in range(2)
        ]
        for filler in fillers:
            assert filler.stdout
            for line in islice(filler.stdout, chance.randrange(1, 200)):
                said.append(int(line))
            os.kill(filler.pid, signal.SIGKILL)
            said += [int(line) for line in filler.stdout.read().split()]
            filler.wait()
    [folder] = tmp_path.iterdir()
    calls = CallFolder(folder, "another", fsync_seconds=None)
    assert [number for number in said if not calls.find(key(number))] == []
    assert len(said) > 50 * 50
    assert (folder / NAME).exists()
