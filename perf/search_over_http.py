"""Measure how full a search keeps a server: whole runs over HTTP on a server with slots that sleeps.

Run it as `python perf/search_over_http.py [--problems 100] [--slots 256]`. The server is a process of its own, with the
world of perf/search.py behind OpenAI's protocol and `step_rewards`, and as little HTTP as keeps a client content; it
serves first come first. What is shown is the share of the slots' time in use, from the first question to the last
answer; a request of n completions takes n slots.
"""

import argparse
import asyncio
import json
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any
from urllib.request import urlopen

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from loguru import logger

from inference_kit.grader import GraderPool
from inference_kit.models.http.openai import OpenAI
from inference_kit.records import GenerationConfig, Message, Problem, Prompt
from inference_kit.reward_models.served.http import HTTP
from inference_kit.runner import run
from inference_kit.search import METHODS
from inference_kit.solver import Solver
from inference_kit.store.call_log import CallLog
from inference_kit.store.results import PartialFile
from perf.search import REWARD_SECONDS, SETUPS, Setup, Slots, write_reply

KINDS = ("vllm", "other")
"""Servers where siblings share a request, and where each completion is one."""


def main() -> None:
    """Print a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--problems", type=int, default=100)
    parser.add_argument("--slots", type=int, default=256)
    parser.add_argument("--serve", action="store_true", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.serve:
        asyncio.run(_serve(arguments.slots))
        return
    logger.remove()
    print(f"{arguments.problems} problems, {arguments.slots} slots\n")
    print("| run | requests | wall, s | slots in use | CPU of the client, s |\n|---|---|---:|---:|---:|")
    for name, setup in SETUPS.items():
        for kind in KINDS:
            used = measure(setup, kind, arguments.problems, arguments.slots)
            shared = "siblings share one" if kind == "vllm" else "one for each completion"
            print(f"| {name} | {shared} | {used.seconds:.2f} | {100 * used.in_use:.0f} % | {used.cpu_seconds:.2f} |")


@dataclass(frozen=True, slots=True)
class Cost:
    """A run as the server saw it: seconds, and the share of the slots' time in use; and the client's CPU seconds."""

    seconds: float
    in_use: float
    cpu_seconds: float


def measure(setup: Setup, kind: str, n_problems: int, slots: int) -> Cost:
    """Run a method over made-up problems on a fresh server."""
    command = [sys.executable, __file__, "--serve", "--slots", str(slots)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as server:
        assert server.stdout is not None
        url = server.stdout.readline().strip()
        try:
            cpu_seconds = _solve(setup, OpenAI(f"{url}/v1", server_kind=kind), HTTP(f"{url}/v1"), n_problems)
            with urlopen(f"{url}/v1/seen") as answer:
                seen: dict[str, float] = json.load(answer)
        finally:
            server.kill()
    seconds = seen["last"] - seen["first"]
    return Cost(seconds, seen["busy_seconds"] / (slots * seconds), cpu_seconds)


def _solve(setup: Setup, engine: OpenAI, reward_model: HTTP, n_problems: int) -> float:
    problems = [Problem(number, (Message("user", f"problem {number}"),)) for number in range(n_problems)]

    async def run_all(solver: Solver, records: PartialFile) -> None:
        try:
            outcome = await run(problems, solver, records, concurrency=256, show=lambda _: None)
        finally:
            await engine.close()
            await reward_model.close()
        assert (outcome.done, outcome.failed) == (n_problems, 0), outcome

    with tempfile.TemporaryDirectory() as folder, GraderPool() as grader:
        log = CallLog(Path(folder), "perf", fsync_seconds=None)
        records = PartialFile(Path(folder) / "run.jsonl", fsync_seconds=None)
        method = partial(METHODS[setup.method].function, **setup.settings)
        solver = Solver(engine, method, GenerationConfig(), grader, reward_model, log)
        began = time.process_time()
        asyncio.run(run_all(solver, records))
        records.close()
        log.close()
        return time.process_time() - began


@dataclass(slots=True)
class _SimulatedServer:
    """What all connections of the server share."""

    slots: Slots
    seen: dict[str, float] = field(default_factory=lambda: {"first": 0.0, "last": 0.0, "busy_seconds": 0.0})

    async def completions(self, body: dict[str, Any]) -> dict[str, Any]:
        """Write what is asked, each completion in a slot."""
        self.seen["first"] = self.seen["first"] or time.monotonic()
        turns = body["messages"]
        prefix = turns[-1]["content"] if turns[-1]["role"] == "assistant" else ""
        prompt = Prompt((Message("user", turns[0]["content"]),), prefix)
        made = [write_reply(prompt, body["seed"] + child, whole="stop" not in body) for child in range(body["n"])]
        await asyncio.gather(*(self._take_slot(seconds) for _, seconds in made))
        self.seen["last"], self.seen["busy_seconds"] = time.monotonic(), self.slots.busy_seconds
        choices = [
            {
                "index": place,
                "finish_reason": "stop",
                "stop_reason": "\n\n" if completion.finish_reason == "boundary" else None,
                "message": {"role": "assistant", "content": completion.text},
            }
            for place, (completion, _) in enumerate(made)
        ]
        return {"choices": choices, "usage": {"prompt_tokens": 8, "completion_tokens": 8 * len(made)}}

    async def rewards(self, body: dict[str, Any]) -> dict[str, Any]:
        """Score after a while."""
        await asyncio.sleep(REWARD_SECONDS)
        items = body["items"]
        return {"scores": [[len(step) * 7 % 97 / 97 for step in item["steps"]] for item in items]}

    async def _take_slot(self, seconds: float) -> None:
        done = asyncio.Event()
        self.slots.serve(seconds, done.set)
        await done.wait()


class _Connection(asyncio.Protocol):
    """As little HTTP as keeps a client content, so that the server does not set the limit."""

    def __init__(self, world: _SimulatedServer) -> None:
        self.world, self.buffer = world, b""
        self.answering: set[asyncio.Task[None]] = set()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the connection."""
        self.transport = transport

    def data_received(self, data: bytes) -> None:
        """Answer each request that has arrived whole."""
        self.buffer += data
        while b"\r\n\r\n" in self.buffer:
            head, _, rest = self.buffer.partition(b"\r\n\r\n")
            lengths = [line[15:] for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:")]
            length = int(lengths[0]) if lengths else 0
            if len(rest) < length:
                return
            self.buffer = rest[length:]
            task = asyncio.create_task(self._answer(head.split(b" ", 2)[1].decode("ascii"), rest[:length]))
            self.answering.add(task)
            task.add_done_callback(self.answering.discard)

    async def _answer(self, path: str, content: bytes) -> None:
        match path:
            case "/v1/chat/completions":
                found: Any = await self.world.completions(json.loads(content))
            case "/v1/step_rewards":
                found = await self.world.rewards(json.loads(content))
            case "/v1/models":
                found = {"data": [{"id": "simulated"}]}
            case _:
                found = self.world.seen
        body = json.dumps(found).encode()
        head = f"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
        self.transport.write(head.encode() + body)  # type: ignore[attr-defined]


async def _serve(slots: int) -> None:
    world = _SimulatedServer(Slots(slots))
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: _Connection(world), "127.0.0.1", 0, backlog=4096)
    print(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}", flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    main()
