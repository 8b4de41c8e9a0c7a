"""Kill a run with SIGKILL at random moments, resume it each time, and compare it with an undisturbed one.

    python tests/kill_and_resume.py                        # an engine whose text follows from the seed alone
    python tests/kill_and_resume.py --method mcts          # or beam_search, with a reward model
    python tests/kill_and_resume.py --model abacus         # the bundled model

It prints what it found and exits with 1 where a finished call was made twice, a finished candidate changed, or (with
the deterministic engine) the final file differs in anything but times, or another call was made than in the undisturbed
run. tests/test_kill_and_resume.py is a short one.
"""

import argparse
import json
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from functools import partial
from pathlib import Path
from typing import Any

HOME = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(HOME), str(HOME / "tests")]
TIMES = ("seconds", "run_seconds")
METHODS = {
    "best_of_n": ["--n", "4", "--vote", "majority_vote"],
    "beam_search": ["--beam-width", "2", "--n", "2", "--vote", "best_last"],
    "mcts": ["--iterations", "6", "--n", "2", "--leaves", "2", "--vote", "best_last", "--keep-trees"],
}
SILENT: dict[str, Any] = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", choices=("slow", "abacus"), default="slow")
    parser.add_argument("--method", choices=METHODS, default="best_of_n")
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--limit", type=int, default=0, help="problems (default: 100, or 60 with abacus)")
    parser.add_argument("--seed", type=int, default=0, help="when to kill")
    arguments = parser.parse_args()
    limit = arguments.limit or (60 if arguments.model == "abacus" else 100)
    folder = Path(tempfile.mkdtemp(prefix="kill-and-resume-"))
    try:
        return compare_runs(folder, arguments.model, arguments.method, arguments.kills, limit, arguments.seed)
    finally:
        shutil.rmtree(folder)


def compare_runs(folder: Path, model: str, method: str, kills: int, limit: int, seed: int) -> int:
    """Do both runs in `folder` and print how they differ; 0 where all is as promised."""
    undisturbed_run = command(folder / "undisturbed", model, method, limit)
    started = time.perf_counter()
    first_call = wait_for_growth(subprocess.Popen(undisturbed_run, **SILENT), folder / "undisturbed", wait=True)
    working_seconds = time.perf_counter() - started - first_call
    span = 1.6 * working_seconds / kills
    killed_run = command(folder / "killed", model, method, limit)
    killed = kill_often(killed_run, folder / "killed", kills, span, random.Random(seed))
    subprocess.run(killed_run, check=True, capture_output=True)

    calls_before, calls = (logged_calls(folder / name) for name in ("undisturbed", "killed"))
    asked = Counter(call["key"] for call in calls)
    twice = [key for key, count in asked.items() if count > 1]
    others_asked = asked.keys() ^ {call["key"] for call in calls_before}
    names, vote = ("undisturbed", "killed"), METHODS[method][METHODS[method].index("--vote") + 1]
    [undisturbed], [resumed] = (list((folder / name).glob(f"*/*/*-{vote}.json")) for name in names)
    same = without_times(json.loads(undisturbed.read_text())) == without_times(json.loads(resumed.read_text()))
    texts, others = (candidates_of(path) for path in (undisturbed, resumed))
    pieces = [call["payload"]["text"] for call in calls if "text" in call["payload"]]
    changed = sum((Counter(others) - Counter(pieces)).values()) if method == "best_of_n" else 0
    differing = sum(a != b for a, b in zip(texts, others, strict=True))
    print(f"{killed} kills of {method} on {limit} problems, {len(calls)} calls in the log")
    print(f"finished calls made twice: {len(twice)}")
    print(f"finished candidates that changed: {changed}")
    print(f"candidates that differ from the undisturbed run: {differing} of {len(texts)}")
    print(f"final file equal but for times: {'yes' if same else 'no'}")
    print(f"calls that only one of the two runs made: {len(others_asked)}")
    return int(bool(twice or changed or (model == "slow" and (others_asked or not same))))


def kill_often(words: list[str], work_dir: Path, kills: int, span: float, chance: random.Random) -> int:
    """Kill the run up to `span` seconds after its first new call, one time in eight before; count the kills."""
    for done in range(kills):
        process = subprocess.Popen(words, **SILENT)
        if chance.random() < 0.125:
            time.sleep(chance.uniform(0.0, 0.5))
        else:
            wait_for_growth(process, work_dir)
            time.sleep(chance.uniform(0.0, span))
        if process.poll() is not None:
            return done
        process.send_signal(signal.SIGKILL)
        process.wait()
    return kills


def wait_for_growth(process: "subprocess.Popen[bytes]", work_dir: Path, *, wait: bool = False) -> float:
    """Wait until the call log grows or the process ends, then maybe for its end; return the seconds to the growth."""
    started, before = time.perf_counter(), log_size(work_dir)
    while process.poll() is None and log_size(work_dir) == before:
        time.sleep(0.01)
    grown = time.perf_counter() - started
    if wait and process.wait():
        raise RuntimeError("the undisturbed run failed; run its command by hand to see why")
    return grown


def logged_calls(work_dir: Path) -> list[dict[str, Any]]:
    """Every call in the log."""
    return [line for path in (work_dir / ".calls").rglob("*.jsonl") for line in read_lines(path)]


def log_size(work_dir: Path) -> int:
    """Bytes in the call log."""
    return sum(path.stat().st_size for path in (work_dir / ".calls").rglob("*.jsonl"))


def command(work_dir: Path, model: str, method: str, limit: int) -> list[str]:
    """The run, in a process of its own."""
    words = ["run", "--model", model, "--limit", str(limit), "--method", method, *METHODS[method]]
    if method != "best_of_n" and model == "slow":
        words += ["--reward-model", "whims"]
    return [sys.executable, __file__, "--child", *words, "--work-dir", str(work_dir)]


def child(arguments: list[str]) -> int:
    """The command line with one more model: an outsider's engine, registered in one line."""
    from fakes import SlowEngine, Whims

    from data_config import supported_dataset
    from inference_kit import cli
    from inference_kit.setup.registries import Registries
    from model_config import reward_model_groups, sft_model_groups

    models = {**sft_model_groups, "slow": partial(SlowEngine, separator="\n")}
    reward_models = {**reward_model_groups, "whims": Whims}
    return cli.main(arguments, Registries(models, reward_models, supported_dataset, HOME))


def read_lines(path: Path) -> list[dict[str, Any]]:
    """The whole lines of a log."""
    return [json.loads(line) for line in path.read_bytes().splitlines(keepends=True) if line.endswith(b"}\n")]


def candidates_of(path: Path) -> list[str]:
    """The texts of all candidates, in order."""
    return [candidate["text"] for entry in json.loads(path.read_text())["results"] for candidate in entry["candidates"]]


def without_times(value: Any) -> Any:
    """The same without what is a time."""
    if isinstance(value, dict):
        return {key: without_times(each) for key, each in value.items() if key not in TIMES}
    return [without_times(each) for each in value] if isinstance(value, list) else value


if __name__ == "__main__":
    sys.exit(child(sys.argv[2:]) if sys.argv[1:2] == ["--child"] else main())
