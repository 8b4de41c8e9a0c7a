"""Children: what they say arrives, why they die is told, and nothing of them stays."""

import os
import signal
import subprocess
import sys
import textwrap
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from child_fakes import Said, start
from loguru import logger

from inference_kit.processes.child import ChildLost, ChildProcess, receive_from_all

HOME = Path(__file__).resolve().parents[2]


@pytest.fixture
def logged() -> Iterator[list[str]]:
    lines: list[str] = []
    sink = logger.add(lambda message: lines.append(message.rstrip()), level="DEBUG", format="{level} {message}")
    yield lines
    logger.remove(sink)


def is_alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def ends(*pids: int) -> bool:
    """Whether processes end within seconds."""
    deadline = time.monotonic() + 20
    while any(map(is_alive, pids)) and time.monotonic() < deadline:
        time.sleep(0.02)
    return not any(map(is_alive, pids))


def test_what_is_sent_comes_back() -> None:
    child = start("repeat")
    for message in (Said("a"), Said("b" * 1_000_000)):
        child.send(message)
        assert child.receive() == message
    with pytest.raises(TimeoutError):
        child.receive(time.monotonic() + 0.01)
    child.close()
    child.send(Said("too late"))
    assert child.status == -signal.SIGKILL


def test_a_child_has_our_environment_and_no_working_directory_on_its_import_path(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Anyone may have put a file of any name there."""
    (tmp_path / "dataclasses.py").write_text("raise SystemExit(3)", encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("OF_THE_OWNER", "1")
    child = start("tell", "OF_THE_OWNER", "OF_ITS_OWN", OF_ITS_OWN="2")
    assert child.receive() == Said(["1", "2", False])
    child.close()


@pytest.mark.parametrize(
    ("how", "reason", "status"),
    [
        ("error", "ValueError: the weights are damaged", 1),
        ("signal", "ended by SIGTERM", -signal.SIGTERM),
        ("status", "the last words", 7),
    ],
)
def test_a_child_that_dies_says_why_when_all_it_had_sent_is_received(how: str, reason: str, status: int) -> None:
    child = start("say_and_end", how)
    assert [child.receive() for _ in range(100)] == [Said(number) for number in range(100)]
    with pytest.raises(ChildLost) as lost:
        child.receive()
    assert (lost.value.reason, lost.value.status) == (reason, status)
    assert "the last words" in child.last_lines
    child.close()


def test_what_a_child_logs_and_prints_is_logged(logged: list[str]) -> None:
    child = start("log")
    child.receive()
    child.close()
    child.wait_for_log()
    assert "WARNING the child: half of it is missing" in logged
    assert "DEBUG the child: printed" in logged


@pytest.mark.parametrize("then", ["wait", "end"])
def test_nothing_that_a_child_has_started_outlives_it(then: str) -> None:
    child = start("start_another", then)
    other = child.receive().value
    if then == "end":
        with pytest.raises(ChildLost, match="ended with status 0"):
            child.receive()
    else:
        child.close()
    assert ends(other, child.pid)


def test_a_child_that_nobody_holds_any_more_ends() -> None:
    child = start("repeat")
    child.send(Said())
    child.receive()
    pid = child.pid
    del child
    assert ends(pid)


def test_an_owner_of_many_hears_of_the_first_loss_or_error() -> None:
    """Whatever the others do: they may wait for the one that is lost."""
    idle, mortal = start("sleep"), start("say_and_end", "error")
    for _ in range(100):
        mortal.receive()
    with pytest.raises(ChildLost, match="the weights are damaged"):
        receive_from_all([idle, mortal])
    failing = start("fail")
    with pytest.raises(ValueError, match="a bug"):
        receive_from_all([idle, failing])
    for child in (idle, mortal, failing):
        child.close()
    two = [start("repeat"), start("repeat")]
    for number, child in enumerate(two):
        child.send(Said(number))
    assert receive_from_all(two) == [Said(0), Said(1)]
    for child in two:
        child.close()


def test_a_python_that_is_not_there_is_an_error_at_once() -> None:
    with pytest.raises(FileNotFoundError):
        ChildProcess("child_fakes", "the child", python="/no/such/python")


@pytest.mark.parametrize("end", [signal.SIGKILL, signal.SIGINT, signal.SIGTERM])
def test_no_child_outlives_its_owner(end: signal.Signals) -> None:
    """Neither one that listens, nor one that works, nor what these have started."""
    script = """
        import time
        from child_fakes import start

        children = [start("start_another", "wait"), start("work_without_listening")]
        other = children[0].receive().value
        children[1].receive()
        print(other, *(child.pid for child in children), flush=True)
        time.sleep(600)
    """
    owner = subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(script)],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env={**os.environ, "PYTHONPATH": os.pathsep.join([str(HOME), str(HOME / "tests")])},
    )
    assert owner.stdout
    with owner.stdout:
        pids = [int(pid) for pid in owner.stdout.readline().split()]
        owner.send_signal(end)
    owner.wait()
    assert len(pids) == 3
    assert ends(*pids)
