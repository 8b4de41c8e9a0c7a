"""Measure what a run over HTTP costs: whole runs by the command line beside a bare aiohttp loop, on the same server.

Run it as `python perf/http_overhead.py [--problems 2000 ...] [--concurrency 64 256] [--latency 0.1] [--repeats 3]`. The
server is a process of its own that answers after the latency; each client is a fresh process, and the two take turns.
CPU is user and system time, of all of a client's processes; "before" is what had been used when the server saw the
first question, "a sample" what was used from then on by each problem. Wall time is from the first question to the end
of the last answer, and, as "whole", that of the process. Peak memory is the client's own, without the grader's.
"""

import argparse
import asyncio
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.request import urlopen

HOME = Path(__file__).resolve().parents[1]
TICKS = os.sysconf("SC_CLK_TCK")
ANSWER = {
    "choices": [
        {"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": "It is \\boxed{7}."}}
    ],
    "usage": {"prompt_tokens": 12, "completion_tokens": 8},
}


def main() -> None:
    """Print one row for each number of problems and of requests at once."""
    arguments = _arguments()
    if arguments.serve:
        asyncio.run(_serve(arguments.latency))
        return
    if arguments.bare:
        asyncio.run(_run_bare(arguments.bare, arguments.data, arguments.concurrency[0]))
        return
    command = [sys.executable, __file__, "--serve", "--latency", str(arguments.latency)]
    with (
        subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as server,
        tempfile.TemporaryDirectory() as folder,
    ):
        assert server.stdout
        url = server.stdout.readline().strip()
        try:
            for problems in arguments.problems:
                for concurrency in arguments.concurrency:
                    _compare(url, Path(folder), problems, concurrency, arguments.repeats)
        finally:
            server.kill()


@dataclass(frozen=True, slots=True)
class Cost:
    """What one client cost: seconds, and mebibytes."""

    cpu_before: float
    cpu_after: float
    wall: float
    whole_wall: float
    peak: float


def _compare(url: str, folder: Path, problems: int, concurrency: int, repeats: int) -> None:
    data = folder / f"{problems}.jsonl"
    with data.open("w", encoding="utf-8") as file:
        for number in range(problems):
            file.write(json.dumps({"index": number, "input": f"What is 3 + 4? ({number})", "answer": "7"}) + "\n")
    bare, ours = [], []
    for turn in range(repeats):
        size = str(concurrency)
        command = [__file__, "--bare", url, "--data", str(data), "--concurrency", size]
        bare.append(_measure_client(command, url, problems))
        run = ["run", "--model", "openai", "--model-path", f"{url}/v1", "--dataset-path", str(data), "--n", "1"]
        where = ["--work-dir", str(folder / f"{problems}-{size}-{turn}"), "--log-level", "ERROR"]
        ours.append(_measure_client([str(HOME / "main.py"), *run, "--concurrency", size, *where], url, problems))
    ratios = [mine.wall / theirs.wall for theirs, mine in zip(bare, ours, strict=True)]
    spread = _format_spread(ratios)
    print(f"{problems} problems, {concurrency} at once, {repeats} turns: wall time {spread} of the bare loop's")
    for name, costs in (("bare", bare), ("run", ours)):
        print(
            f"  {name:4}  CPU before {_median(each.cpu_before for each in costs):.2f} s, "
            f"a sample {_format_spread([1000 * each.cpu_after / problems for each in costs])} ms; "
            f"wall {_median(each.wall for each in costs):.2f} s, "
            f"whole {_median(each.whole_wall for each in costs):.2f} s; "
            f"peak memory {_median(each.peak for each in costs):.0f} MiB",
            flush=True,
        )


def _measure_client(command: Sequence[str], url: str, problems: int) -> Cost:
    _take_stats(url)
    began = time.perf_counter()
    client = subprocess.Popen([sys.executable, *command], stdout=subprocess.DEVNULL)
    before = peak = 0.0
    while True:
        pid, status, used = os.wait4(client.pid, os.WNOHANG)
        if pid:
            break
        if not before and _count_asked(url):
            before = _read_cpu_seconds(client.pid)
        peak = _read_peak_memory(client.pid) or peak
        time.sleep(0.02 if before else 0.005)
    client.returncode = os.waitstatus_to_exitcode(status)
    whole = time.perf_counter() - began
    found = _take_stats(url)
    assert client.returncode == 0 and found["asked"] == problems, (client.returncode, found)
    return Cost(before, used.ru_utime + used.ru_stime - before, found["last"] - found["first"], whole, peak)


def _read_cpu_seconds(pid: int) -> float:
    """Return the CPU seconds of a process so far; 0 where it has ended."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
    except OSError:
        return 0.0
    return (int(fields[11]) + int(fields[12])) / TICKS


def _read_peak_memory(pid: int) -> float:
    try:
        lines = Path(f"/proc/{pid}/status").read_text(encoding="ascii").splitlines()
    except OSError:
        return 0.0
    return next((int(line.split()[1]) / 1024 for line in lines if line.startswith("VmHWM")), 0.0)


def _count_asked(url: str) -> int:
    with urlopen(f"{url}/peek") as answer:
        return int(json.load(answer)["asked"])


def _take_stats(url: str) -> dict[str, float]:
    """Return what the server counted since the last call, and reset it."""
    with urlopen(f"{url}/stats") as answer:
        found: dict[str, float] = json.load(answer)
    return found


def _median(values: "Sequence[float] | object") -> float:
    return statistics.median(values)  # type: ignore[arg-type]


def _format_spread(values: Sequence[float]) -> str:
    return f"{statistics.median(values):.2f} ({min(values):.2f} to {max(values):.2f})"


class _Server(asyncio.Protocol):
    """As little HTTP as keeps a client content, so that the server does not set the limit."""

    latency = 0.1
    seen = {"asked": 0, "first": 0.0, "last": 0.0}  # noqa: RUF012 - the one server's

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport, self.buffer = transport, b""

    def data_received(self, data: bytes) -> None:
        self.buffer += data
        while b"\r\n\r\n" in self.buffer:
            head, _, rest = self.buffer.partition(b"\r\n\r\n")
            length = next(
                (int(each[15:]) for each in head.lower().split(b"\r\n") if each.startswith(b"content-length:")), 0
            )
            if len(rest) < length:
                return
            self.buffer = rest[length:]
            self._answer(head.split(b" ", 2)[1].decode("ascii"))

    def _answer(self, path: str) -> None:
        if path == "/v1/chat/completions":
            self.seen["first"] = self.seen["first"] or time.monotonic()
            self.seen["asked"] += 1
            asyncio.get_running_loop().call_later(self.latency, self._write_answer)
        elif path == "/v1/models":
            self._write({"data": [{"id": "mock"}]})
        else:
            self._write(dict(self.seen))
            if path == "/stats":
                self.seen.update(asked=0, first=0.0, last=0.0)

    def _write_answer(self) -> None:
        self.seen["last"] = time.monotonic()
        self._write(ANSWER)

    def _write(self, answer: object) -> None:
        body = json.dumps(answer).encode()
        head = f"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
        self.transport.write(head.encode() + body)  # type: ignore[attr-defined]


async def _serve(latency: float) -> None:
    _Server.latency = latency
    server = await asyncio.get_running_loop().create_server(_Server, "127.0.0.1", 0, backlog=4096)
    print(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}", flush=True)
    await server.serve_forever()


async def _run_bare(url: str, data: Path, concurrency: int) -> None:
    """Run the least code that asks each question and keeps each answer."""
    import aiohttp

    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as session:
        with data.open(encoding="utf-8") as lines, data.with_suffix(".out").open("w", encoding="utf-8") as out:

            async def work() -> None:
                for line in lines:
                    question = json.loads(line)["input"]
                    body = {"model": "mock", "messages": [{"role": "user", "content": question}], "max_tokens": 1024}
                    async with session.post(f"{url}/v1/chat/completions", json=body) as response:
                        answer = await response.json()
                    out.write(json.dumps(answer["choices"][0]["message"]["content"]) + "\n")

            await asyncio.gather(*(work() for _ in range(concurrency)))


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Measure what a run over HTTP costs beside a bare aiohttp loop.")
    parser.add_argument("--problems", type=int, nargs="+", default=[2000])
    parser.add_argument("--concurrency", type=int, nargs="+", default=[64, 256])
    parser.add_argument("--latency", type=float, default=0.1)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--serve", action="store_true", help=argparse.SUPPRESS)
    parser.add_argument("--bare", help=argparse.SUPPRESS)
    parser.add_argument("--data", type=Path, help=argparse.SUPPRESS)
    return parser.parse_args()


if __name__ == "__main__":
    main()
