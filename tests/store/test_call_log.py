"""The call log: nothing is paid for twice."""

import os
import signal
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from loguru import logger

from inference_kit.errors import UserError
from inference_kit.store.call_log import CallLog, LoggedCall, call_key

KEYS = [call_key(number=number) for number in range(20)]


def log_in(folder: Path, run: str = "a" * 16) -> CallLog:
    return CallLog(folder, run, fsync_seconds=None)


def fill(folder: Path, payloads: dict[str, dict[str, Any]], run: str = "a" * 16) -> Path:
    """Write one file as a process of its own would, and return its path."""
    before = set(folder.glob("*"))
    log = log_in(folder, run)
    for key, payload in payloads.items():
        log.append(key, payload)
    log.close()
    [path] = set(folder.glob("*")) - before
    return path


@pytest.fixture
def warnings() -> Any:
    messages: list[str] = []
    sink = logger.add(lambda message: messages.append(message.record["message"]), level="WARNING")
    yield messages
    logger.remove(sink)


def test_what_was_appended_is_found_by_this_process_and_the_next(tmp_path: Path) -> None:
    payload = {"text": "é\u2028\n\x00\ud800", "logprob": -1.5, "token_ids": [1, 2], "big": 10**5000}
    log = log_in(tmp_path)
    assert log.find(KEYS[0]) is None
    log.append(KEYS[0], payload)
    assert log.find(KEYS[0]) == LoggedCall(payload, same_run=True)
    log.close()
    assert log_in(tmp_path).find(KEYS[0]) == LoggedCall(payload, same_run=True)
    assert log_in(tmp_path, "b" * 16).find(KEYS[0]) == LoggedCall(payload, same_run=False)
    assert log_in(tmp_path).find(KEYS[1]) is None


def test_nothing_is_made_before_the_first_append(tmp_path: Path) -> None:
    log = log_in(tmp_path / "calls")
    log.find(KEYS[0])
    log.close()
    assert not (tmp_path / "calls").exists()


def test_a_closed_log_may_be_used_again(tmp_path: Path) -> None:
    log = log_in(tmp_path)
    for number, key in enumerate(KEYS):
        log.append(key, {"number": number})
        log.close()
    assert [log.find(key).payload["number"] for key in KEYS] == list(range(20))  # type: ignore[union-attr]


def test_more_files_than_may_be_open_at_once(tmp_path: Path) -> None:
    for number in range(100):
        fill(tmp_path, {call_key(n=number): {"number": number}})
    log = log_in(tmp_path)
    assert all(log.find(call_key(n=number)) == LoggedCall({"number": number}, True) for number in range(100))
    log.close()


def test_a_line_of_the_same_run_comes_first_and_then_the_later_one(tmp_path: Path) -> None:
    for run, text in [("b", "one"), ("a", "two"), ("a", "three"), ("c", "four")]:
        fill(tmp_path, {KEYS[0]: {"text": text}}, run)
    assert log_in(tmp_path, "a").find(KEYS[0]) == LoggedCall({"text": "three"}, same_run=True)
    assert log_in(tmp_path, "d").find(KEYS[0]) == LoggedCall({"text": "four"}, same_run=False)


def test_two_processes_write_two_files(tmp_path: Path) -> None:
    first, second = log_in(tmp_path), log_in(tmp_path, "b")
    first.append(KEYS[0], {"n": 1})
    second.append(KEYS[0], {"n": 2})
    assert len(list(tmp_path.iterdir())) == 2


@given(cut=st.integers(0, 2000))
def test_a_file_cut_at_any_byte_loses_at_most_its_last_line(tmp_path_factory: pytest.TempPathFactory, cut: int) -> None:
    folder = tmp_path_factory.mktemp("calls")
    path = fill(folder, {key: {"text": f"é{key}"} for key in KEYS[:8]})
    whole = path.read_bytes()
    path.write_bytes(whole[:cut])
    log = log_in(folder)
    found = [log.find(key) is not None for key in KEYS[:8]]
    kept = whole[:cut].count(b"\n")
    assert found == [True] * kept + [False] * (8 - kept)
    log.append(KEYS[9], {"text": "next"})
    log.close()
    assert log_in(folder).find(KEYS[9]) is not None


@pytest.mark.parametrize("damage", [b"x", b"\x00\xff", b"}\n{"])
@pytest.mark.parametrize("place", [0, 12, 45, 80, 95])
def test_a_spoilt_line_is_reported_once_and_made_again(
    tmp_path: Path, warnings: list[str], damage: bytes, place: int
) -> None:
    path = fill(tmp_path, {key: {"text": "é" * 20} for key in KEYS[:3]})
    lines = path.read_bytes().splitlines(keepends=True)
    lines[1] = lines[1][:place] + damage + lines[1][place + len(damage) :]
    path.write_bytes(b"".join(lines))
    log = log_in(tmp_path)
    assert [log.find(key) is not None for key in KEYS[:3]] == [True, False, True]
    assert log.find(KEYS[1]) is None
    assert warnings.count(f"{path}:2: not a line of the call log; that call is made again") == 1
    assert len(warnings) <= 2  # a damage may make two lines of one
    log.append(KEYS[1], {"text": "again"})
    log.close()
    assert log_in(tmp_path).find(KEYS[1]) == LoggedCall({"text": "again"}, same_run=True)


def test_a_kill_loses_nothing_that_was_appended(tmp_path: Path) -> None:
    """BEY-01."""
    program = (
        "import itertools, pathlib, sys\n"
        "from inference_kit.store.call_log import CallLog, call_key\n"
        "log = CallLog(pathlib.Path(sys.argv[1]), 'run', fsync_seconds=None)\n"
        "for number in itertools.count():\n"
        "    log.append(call_key(n=number), {'text': 'x' * 3000})\n"
        "    print(number, flush=True)\n"
    )
    with subprocess.Popen([sys.executable, "-c", program, str(tmp_path)], stdout=subprocess.PIPE, text=True) as writer:
        assert writer.stdout is not None
        for line in writer.stdout:
            if int(line) == 50:
                break
        os.kill(writer.pid, signal.SIGKILL)
        last = int((writer.stdout.read().split() or ["50"])[-1])
    log = log_in(tmp_path, "run")
    assert all(log.find(call_key(n=number)) for number in range(last + 1))


def test_threads_may_share_a_log(tmp_path: Path) -> None:
    log = log_in(tmp_path)

    def work(number: int) -> LoggedCall | None:
        log.append(call_key(n=number), {"number": number})
        return log.find(call_key(n=number // 2))

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(work, range(500)))
    assert [log.find(call_key(n=number)) for number in range(500)] == [
        LoggedCall({"number": number}, True) for number in range(500)
    ]


def test_a_folder_that_cannot_be_made_is_one_line(tmp_path: Path) -> None:
    """MAIN-88."""
    (tmp_path / "file").touch()
    with pytest.raises(UserError, match="not a folder"):
        log_in(tmp_path / "file" / "calls").append(KEYS[0], {})


def test_a_key_names_everything_it_is_given() -> None:
    parts = {"model": "m", "messages": [{"role": "user", "content": "é\ud800"}], "seed": 3, "top_p": 0.5}
    assert len(call_key(**parts)) == 32
    assert int(call_key(**parts), 16) >= 0
    assert call_key(**parts) == call_key(**dict(reversed(parts.items())))
    assert call_key(a=(1, 2)) == call_key(a=[1, 2])
    others = [parts | change for change in ({"seed": 4}, {"seed": "3"}, {"model": "n"}, {"top_p": None}, {"more": 0})]
    assert len({call_key(**each) for each in [parts, *others]}) == 6
