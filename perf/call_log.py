"""Measure the call log beside what it could have been: a dict of all that was ever written, and an index in SQLite.

Run it as `python perf/call_log.py [--entries 100000 1000000 10000000] [--folder FOLDER]`. All three keep the same lines
of 300 bytes in a file; they differ in how a key finds its line. Each measurement has a process of its own and takes
bytes, not JSON. Times are processor time; memory is what opening adds (RssAnon). Ten million entries need 4 GB of disk.
"""

import argparse
import hashlib
import json
import random
import sqlite3
import subprocess
import sys
import tempfile
import time
from binascii import unhexlify
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

HOME = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(HOME))

from inference_kit.store.append_file import AppendFile  # noqa: E402 - the path above comes first
from inference_kit.store.call_folder import CallFolder, read_key  # noqa: E402

PAYLOAD = json.dumps({"text": "x" * 200, "tokens": 20})
COMMIT = 20_000
LOOK_UPS = 50_000


class DictLog:
    """All keys in a dict, which is filled from the file at the start."""

    def __init__(self, folder: Path) -> None:
        path = folder / "calls.jsonl"
        self.places: dict[bytes, int] = {}
        if path.exists():
            offset = 0
            with path.open("rb") as file:
                for line in file:
                    if key := read_key(line):
                        self.places[key] = offset
                    offset += len(line)
        size = path.stat().st_size if path.exists() else 0
        self.file = AppendFile(path, size=size, fsync_seconds=None)
        self.reader = path.open("rb")

    def append(self, key: str) -> None:
        """Add a line."""
        line = f'{{"key": "{key}", "run": "run", "payload": {PAYLOAD}}}'
        self.places[unhexlify(key)] = self.file.append(line)

    def find(self, key: str) -> bytes | None:
        """Return the line of a key."""
        place = self.places.get(unhexlify(key))
        if place is None:
            return None
        self.reader.seek(place)
        return self.reader.readline()

    def close(self) -> None:
        """Close the file."""
        self.file.close()


class SqliteLog:
    """The places of all keys in a table of SQLite, written many at a time."""

    def __init__(self, folder: Path) -> None:
        path = folder / "calls.jsonl"
        self.base = sqlite3.connect(folder / "index.sqlite")
        self.base.execute("create table if not exists calls (key blob primary key, place integer) without rowid")
        size = path.stat().st_size if path.exists() else 0
        self.file = AppendFile(path, size=size, fsync_seconds=None)
        self.reader = path.open("rb")
        self.recent: dict[bytes, int] = {}

    def append(self, key: str) -> None:
        """Add a line."""
        line = f'{{"key": "{key}", "run": "run", "payload": {PAYLOAD}}}'
        self.recent[unhexlify(key)] = self.file.append(line)
        if len(self.recent) == COMMIT:
            self._commit()

    def find(self, key: str) -> bytes | None:
        """Return the line of a key."""
        binary = unhexlify(key)
        if (place := self.recent.get(binary)) is None:
            row = self.base.execute("select place from calls where key = ?", (binary,)).fetchone()
            if row is None:
                return None
            place = row[0]
        self.reader.seek(place)
        return self.reader.readline()

    def close(self) -> None:
        """Write what is left."""
        self._commit()
        self.file.close()

    def _commit(self) -> None:
        with self.base:
            self.base.executemany("insert or replace into calls values (?, ?)", sorted(self.recent.items()))
        self.recent.clear()


class SortedLog:
    """The program's own: the places of all keys in a sorted file."""

    def __init__(self, folder: Path) -> None:
        self.calls = CallFolder(folder, "run", fsync_seconds=None)

    def append(self, key: str) -> None:
        """Add a line."""
        self.calls.append(key, PAYLOAD)

    def find(self, key: str) -> bytes | None:
        """Return the line of a key."""
        places = self.calls._find_places(unhexlify(key))
        return self.calls._read_line(places[0]) if places else None

    def close(self) -> None:
        """Write what is worth it."""
        self.calls.close()


STORES: dict[str, Callable[[Path], Any]] = {"dict": DictLog, "sorted": SortedLog, "sqlite": SqliteLog}
COLUMNS = ("append us", "close s", "open s", "open MiB", "find us", "miss us", "disk MiB")


def main() -> None:
    """Print a row for each store and size, and their ratios to the dict."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--entries", type=int, nargs="+", default=[100_000, 1_000_000, 10_000_000])
    parser.add_argument("--folder", type=Path, help="a disk with room (default: a temporary folder)")
    parser.add_argument("--part", nargs=3, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.part:
        part, store, n = arguments.part
        print(json.dumps({"write": _write, "read": _read}[part](STORES[store], arguments.folder, int(n))))
        return
    print(f"{'entries':>10} {'store':8}" + "".join(f"{name:>11}" for name in COLUMNS))
    for n in arguments.entries:
        found = {store: _measure(store, n, arguments.folder) for store in STORES}
        for store, figures in found.items():
            print(f"{n:10} {store:8}" + "".join(f"{figures[name]:11.3f}" for name in COLUMNS), flush=True)
        for store in ("dict", "sqlite"):
            ratios = {name: found[store][name] / found["sorted"][name] for name in ("append us", "find us", "miss us")}
            print(f"{'':10} {store} / sorted: " + ", ".join(f"{name} {ratio:.2f}" for name, ratio in ratios.items()))


def _measure(store: str, n: int, parent: Path | None) -> dict[str, float]:
    with tempfile.TemporaryDirectory(dir=parent) as folder:
        figures: dict[str, float] = {}
        for part in ("write", "read"):
            command = [sys.executable, __file__, "--folder", folder, "--part", part, store, str(n)]
            figures |= json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
        figures["disk MiB"] = sum(path.stat().st_size for path in Path(folder).iterdir()) / 2**20
    return figures


def _write(store: Callable[[Path], Any], folder: Path, n: int) -> dict[str, float]:
    log, seconds = store(folder), 0.0
    for keys in _batches(n):
        start = time.process_time()
        for key in keys:
            log.append(key)
        seconds += time.process_time() - start
    start = time.process_time()
    log.close()
    return {"append us": 1e6 * seconds / n, "close s": time.process_time() - start}


def _read(store: Callable[[Path], Any], folder: Path, n: int) -> dict[str, float]:
    memory, start = _anonymous_mib(), time.process_time()
    log = store(folder)
    log.find(_key(0))
    figures = {"open s": time.process_time() - start, "open MiB": _anonymous_mib() - memory}
    chance = random.Random(0)
    for name, numbers in {
        "find us": [chance.randrange(n) for _ in range(LOOK_UPS)],
        "miss us": range(n, n + LOOK_UPS),
    }.items():
        keys = [_key(number) for number in numbers]
        start = time.process_time()
        hits = sum(log.find(key) is not None for key in keys)
        figures[name] = 1e6 * (time.process_time() - start) / LOOK_UPS
        assert hits == (LOOK_UPS if name == "find us" else 0)
    return figures


def _batches(n: int) -> Iterator[list[str]]:
    for first in range(0, n, COMMIT):
        yield [_key(number) for number in range(first, min(n, first + COMMIT))]


def _key(number: int) -> str:
    return hashlib.blake2b(number.to_bytes(8), digest_size=16).hexdigest()


def _anonymous_mib() -> float:
    lines = Path("/proc/self/status").read_text(encoding="ascii").splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("RssAnon")) / 1024


if __name__ == "__main__":
    main()
