"""However a run on vLLM is ended, nothing that it has started stays."""

import signal
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest
from vllm_asks import ABACUS, ROOT, SMALL, wait_for

pytestmark = pytest.mark.vllm


@pytest.mark.parametrize(
    "signals", [(signal.SIGKILL,), (signal.SIGINT,), (signal.SIGTERM,)], ids=lambda each: each[0].name
)
def test_nothing_stays_when_a_run_is_ended(signals: Sequence[signal.Signals], tmp_path: Path) -> None:
    """MAIN-55: neither vLLM's processes nor their children."""
    words = f"run --model vllm --model-path {ABACUS} --limit 1000 --n 64 --dataset abacus --work-dir {tmp_path}"
    words += f" --engine-args {SMALL[0]}"
    process = subprocess.Popen(
        [sys.executable, str(ROOT / "main.py"), *words.split()],
        cwd=tmp_path,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        preexec_fn=hear_interrupts,
    )
    wait_for(lambda: any(tmp_path.rglob("*.jsonl")) and len(group_of_host(process.pid)) > 1, 240)
    started = group_of_host(process.pid)
    for each in signals:
        process.send_signal(each)
    code = process.wait(60)
    assert signals[0] != signal.SIGINT or code == 130
    wait_for(lambda: not any(is_alive(pid) for pid in started), 30)


def hear_interrupts() -> None:
    """A background job of a shell ignores Ctrl-C, and so does whatever it starts."""
    signal.signal(signal.SIGINT, signal.default_int_handler)


def group_of_host(parent: int) -> list[int]:
    """The processes in the group of the host that `parent` has started."""
    table = {int(path.name): stat_of(path) for path in Path("/proc").iterdir() if path.name.isdecimal()}
    groups = {int(stat[2]) for pid, stat in table.items() if stat and int(stat[1]) == parent and int(stat[2]) == pid}
    return [pid for pid, stat in table.items() if stat and int(stat[2]) in groups]


def stat_of(path: Path) -> list[str]:
    """State, parent and group of a process; empty where it is gone."""
    try:
        return (path / "stat").read_text().rpartition(")")[2].split()
    except OSError:
        return []


def is_alive(pid: int) -> bool:
    stat = stat_of(Path(f"/proc/{pid}"))
    return bool(stat) and stat[0] != "Z"
