"""The call log: nothing is paid for twice."""

import os
import re
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
from inference_kit.store.call_folder import LoggedCall
from inference_kit.store.call_log import CallLog, call_key, folder_name

MODEL = "a model: of 1/2 \\ weights"
KEYS = [call_key(number=number) for number in range(20)]


def log_in(folder: Path, run: str = "a" * 16) -> CallLog:
    return CallLog(folder, run, fsync_seconds=None)


def fill(folder: Path, payloads: dict[str, dict[str, Any]], run: str = "a" * 16) -> Path:
    """Write one file as a process of its own would, and return its path."""
    before = set(folder.rglob("*.jsonl"))
    log = log_in(folder, run)
    for key, payload in payloads.items():
        log.append(MODEL, key, payload)
    log.close()
    [path] = set(folder.rglob("*.jsonl")) - before
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
    assert log.find(MODEL, KEYS[0]) is None
    log.append(MODEL, KEYS[0], payload)
    assert log.find(MODEL, KEYS[0]) == LoggedCall(payload, same_run=True)
    log.close()
    assert log_in(tmp_path).find(MODEL, KEYS[0]) == LoggedCall(payload, same_run=True)
    assert log_in(tmp_path, "b" * 16).find(MODEL, KEYS[0]) == LoggedCall(payload, same_run=False)
    assert log_in(tmp_path).find(MODEL, KEYS[1]) is None


def test_nothing_is_made_before_the_first_append(tmp_path: Path) -> None:
    log = log_in(tmp_path / "calls")
    log.find(MODEL, KEYS[0])
    log.close()
    assert not (tmp_path / "calls").exists()


def test_a_closed_log_may_be_used_again(tmp_path: Path) -> None:
    log = log_in(tmp_path)
    for number, key in enumerate(KEYS):
        log.append(MODEL, key, {"number": number})
        log.close()
    assert [log.find(MODEL, key).payload["number"] for key in KEYS] == list(range(20))  # type: ignore[union-attr]


def test_more_files_than_may_be_open_at_once(tmp_path: Path) -> None:
    for number in range(100):
        fill(tmp_path, {call_key(n=number): {"number": number}})
    log = log_in(tmp_path)
    assert all(log.find(MODEL, call_key(n=number)) == LoggedCall({"number": number}, True) for number in range(100))
    log.close()


def test_a_line_of_the_same_run_comes_first_and_then_the_later_one(tmp_path: Path) -> None:
    for run, text in [("b", "one"), ("a", "two"), ("a", "three"), ("c", "four")]:
        fill(tmp_path, {KEYS[0]: {"text": text}}, run)
    assert log_in(tmp_path, "a").find(MODEL, KEYS[0]) == LoggedCall({"text": "three"}, same_run=True)
    assert log_in(tmp_path, "d").find(MODEL, KEYS[0]) == LoggedCall({"text": "four"}, same_run=False)


def test_two_processes_write_two_files(tmp_path: Path) -> None:
    first, second = log_in(tmp_path), log_in(tmp_path, "b")
    first.append(MODEL, KEYS[0], {"n": 1})
    second.append(MODEL, KEYS[0], {"n": 2})
    assert len(list(tmp_path.rglob("*.jsonl"))) == 2


@given(cut=st.integers(0, 2000))
def test_a_file_cut_at_any_byte_loses_at_most_its_last_line(tmp_path_factory: pytest.TempPathFactory, cut: int) -> None:
    folder = tmp_path_factory.mktemp("calls")
    path = fill(folder, {key: {"text": f"é{key}"} for key in KEYS[:8]})
    whole = path.read_bytes()
    path.write_bytes(whole[:cut])
    log = log_in(folder)
    found = [log.find(MODEL, key) is not None for key in KEYS[:8]]
    kept = whole[:cut].count(b"\n")
    assert found == [True] * kept + [False] * (8 - kept)
    log.append(MODEL, KEYS[9], {"text": "next"})
    log.close()
    assert log_in(folder).find(MODEL, KEYS[9]) is not None


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
    assert [log.find(MODEL, key) is not None for key in KEYS[:3]] == [True, False, True]
    assert log.find(MODEL, KEYS[1]) is None
    assert warnings.count(f"{path}:2: not a line of the call log; that call is made again") == 1
    assert len(warnings) <= 2  # a damage may make two lines of one
    log.append(MODEL, KEYS[1], {"text": "again"})
    log.close()
    assert log_in(tmp_path).find(MODEL, KEYS[1]) == LoggedCall({"text": "again"}, same_run=True)


def test_a_kill_loses_nothing_that_was_appended(tmp_path: Path) -> None:
    """BEY-01."""
    program = (
        "import itertools, pathlib, sys\n"
        "from inference_kit.store.call_log import CallLog, call_key\n"
        "log = CallLog(pathlib.Path(sys.argv[1]), 'run', fsync_seconds=None)\n"
        "for number in itertools.count():\n"
        "    log.append('a model: of 1/2 \\\\ weights', call_key(n=number), {'text': 'x' * 3000})\n"
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
    assert all(log.find(MODEL, call_key(n=number)) for number in range(last + 1))


def test_each_model_has_a_folder_and_reads_no_other(tmp_path: Path, warnings: list[str]) -> None:
    log = log_in(tmp_path)
    for name in ("one", "two"):
        log.append(name, call_key(model=name), {"text": name})
    log.close()
    folders = sorted(path for path in tmp_path.iterdir() if path.is_dir())
    assert [path.name.partition("-")[0] for path in folders] == ["one", "two"]
    [spoilt] = folders[1].iterdir()
    spoilt.write_bytes(b"spoilt\n" + spoilt.read_bytes())
    again = log_in(tmp_path)
    assert again.find("one", call_key(model="one")) == LoggedCall({"text": "one"}, same_run=True)
    assert not warnings
    assert again.find("two", call_key(model="two")) == LoggedCall({"text": "two"}, same_run=True)
    assert len(warnings) == 1


@given(first=st.text(), second=st.text())
def test_the_name_of_a_models_folder_is_safe_and_its_own(first: str, second: str) -> None:
    names = [folder_name(first), folder_name(second)]
    assert (names[0] == names[1]) == (first == second)
    assert all(re.fullmatch(r"[A-Za-z0-9][\w.+=-]*", name) and len(name) < 100 for name in names)


def test_a_folders_name_says_which_model_it_is() -> None:
    name = folder_name("huggingface:org/model-7B:0123abcd:4bit")
    assert name.startswith("huggingface_org_model-7B_0123abcd_4bit-")


def test_files_of_before_there_were_folders_are_read_for_every_model(tmp_path: Path) -> None:
    path = fill(tmp_path, {KEYS[0]: {"text": "old"}, KEYS[1]: {"text": "older"}})
    flat = path.rename(tmp_path / path.name)
    folder = path.parent
    log = log_in(tmp_path)
    assert log.find(MODEL, KEYS[0]) == LoggedCall({"text": "old"}, same_run=True)
    assert log.find("another", KEYS[0]) == LoggedCall({"text": "old"}, same_run=True)
    log.append(MODEL, KEYS[1], {"text": "new"})
    log.close()
    again = log_in(tmp_path)
    assert again.find(MODEL, KEYS[1]) == LoggedCall({"text": "new"}, same_run=True)
    assert flat.exists() and len(list(folder.iterdir())) == 1


def test_threads_may_share_a_log(tmp_path: Path) -> None:
    log = log_in(tmp_path)

    def work(number: int) -> LoggedCall | None:
        log.append(MODEL, call_key(n=number), {"number": number})
        return log.find(MODEL, call_key(n=number // 2))

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(work, range(500)))
    assert [log.find(MODEL, call_key(n=number)) for number in range(500)] == [
        LoggedCall({"number": number}, True) for number in range(500)
    ]


def test_a_folder_that_cannot_be_made_is_one_line(tmp_path: Path) -> None:
    """MAIN-88."""
    (tmp_path / "file").touch()
    with pytest.raises(UserError, match="not a folder"):
        log_in(tmp_path / "file" / "calls").append(MODEL, KEYS[0], {})


def test_a_key_names_everything_it_is_given() -> None:
    parts = {"model": "m", "messages": [{"role": "user", "content": "é\ud800"}], "seed": 3, "top_p": 0.5}
    assert len(call_key(**parts)) == 32
    assert int(call_key(**parts), 16) >= 0
    assert call_key(**parts) == call_key(**dict(reversed(parts.items())))
    assert call_key(a=(1, 2)) == call_key(a=[1, 2])
    others = [parts | change for change in ({"seed": 4}, {"seed": "3"}, {"model": "n"}, {"top_p": None}, {"more": 0})]
    assert len({call_key(**each) for each in [parts, *others]}) == 6


def test_token_limits_are_noted_for_each_model_and_few_of_them(tmp_path: Path) -> None:
    log = CallLog(tmp_path, "run", fsync_seconds=None)
    assert log.find_lower_limits("engine", 100) == []
    for limit in (64, 32, 64, *range(1000, 1040)):
        log.note_limit("engine", limit)
    again = CallLog(tmp_path, "run", fsync_seconds=None)
    assert again.find_lower_limits("engine", 100) == [64, 32]
    assert again.find_lower_limits("engine", 64) == [32]
    assert len(again.find_lower_limits("engine", 9999)) == 16
    assert again.find_lower_limits("another", 100) == []


def test_a_run_reads_what_all_its_processes_have_logged_of_a_model(tmp_path: Path) -> None:
    for run, key in (("a", "1"), ("b", "2"), ("a", "3")):
        log = CallLog(tmp_path, run, fsync_seconds=None)
        log.append("model", key * 32, {"text": key})
        log.append("judge", key * 32, {"text": f"judge {key}"})
        log.close()
    found = CallLog(tmp_path, "a", fsync_seconds=None).read_own("model")
    assert sorted(payload["text"] for payload in found) == ["1", "3"]
