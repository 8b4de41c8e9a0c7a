"""The process that vLLM runs in: requests come in as JSON lines, what was written leaves as JSON lines.

Why: vLLM starts processes of its own, prints where it likes, and dies of a Ctrl-C that was meant for the run; in a
process group of its own it can do all that, and its Python may be another one than the caller's.
Promises: nothing but replies is written to standard output; whoever has started it may end in any way, and then the
whole group ends too; one request that fails leaves the others alone.

The first line holds the settings, each further one a request: `{"id", "ids", "sampling"}` to write, with `"stream"` for
pieces, `{"id", "ids", "pooling"}` to score, and `{"cancel": id}`.
"""

import asyncio
import json
import os
import select
import signal
import sys
import threading
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from dataclasses import fields
from typing import Any

CPU_CACHE_BYTES = 2 << 30
CPU_BLOCK_TOKENS = 32
"""vLLM's own 128 would share only what is longer than most prompts."""
ENDING_SECONDS, TIDYING_SECONDS = 10.0, 2.0
WATCH_SECONDS = 1.0

Send = Callable[[Mapping[str, Any]], None]


def main() -> None:
    """Run until the standard input ends."""
    replies = os.fdopen(os.dup(sys.stdout.fileno()), "w", encoding="utf-8")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())  # what vLLM prints is log

    def send(reply: Mapping[str, Any]) -> None:
        try:
            replies.write(json.dumps(reply, separators=(",", ":")) + "\n")
            replies.flush()
        except OSError:
            _end_group()  # nobody is there to read it

    lines = _lines()
    settings = json.loads(next(lines, "null"))
    inbox = Inbox()
    threading.Thread(target=inbox.fill, args=(lines,), daemon=True).start()
    if settings is not None:
        asyncio.run(Host(send, inbox).run(settings))
    _end_group()


class Inbox:
    """The requests, handed from the thread that reads them to the event loop that serves them; None is the end."""

    def __init__(self) -> None:
        self._loop: asyncio.AbstractEventLoop | None = None
        self._queue: asyncio.Queue[dict[str, Any] | None] = asyncio.Queue()
        self._served = threading.Event()

    def fill(self, lines: Iterator[str]) -> None:
        """Read until the input ends; then see to it that the process does."""
        for line in lines:
            self._served.wait()
            self._put(json.loads(line))
        if not self._served.is_set():
            _end_group()  # vLLM is still loading and hears nothing
        threading.Timer(ENDING_SECONDS, _end_group).start()
        self._put(None)

    async def requests(self) -> AsyncIterator[dict[str, Any]]:
        """The requests as they come."""
        self._loop = asyncio.get_running_loop()
        self._served.set()
        while (request := await self._queue.get()) is not None:
            yield request

    def _put(self, request: dict[str, Any] | None) -> None:
        assert self._loop is not None
        self._loop.call_soon_threadsafe(self._queue.put_nowait, request)


class Host:
    """vLLM's engine and the requests under way."""

    def __init__(self, send: Send, inbox: Inbox) -> None:
        self._send, self._inbox = send, inbox
        self._under_way: dict[int, asyncio.Task[None]] = {}
        self._engine: Any = None
        self._adapter: Any = None

    async def run(self, settings: Mapping[str, Any]) -> None:
        """Load the engine, say so or why not, and serve."""
        try:
            await self._load(settings)
        except Exception as error:  # noqa: BLE001 - handed to the caller, who reads the log beside it
            self._send({"failed": f"{type(error).__name__}: {error}"})
            return
        if self._engine is None:
            return
        self._send({"ready": {"max_model_len": self._engine.model_config.max_model_len}})
        async for request in self._inbox.requests():
            self._take(request)
        self._engine.shutdown(timeout=TIDYING_SECONDS)

    async def _load(self, settings: Mapping[str, Any]) -> None:
        from vllm.config import PoolerConfig
        from vllm.engine.arg_utils import AsyncEngineArgs
        from vllm.lora.request import LoRARequest
        from vllm.usage.usage_lib import UsageContext
        from vllm.v1.engine.async_llm import AsyncLLM

        known = {each.name for each in fields(AsyncEngineArgs)}
        if wrong := sorted(set(settings["engine"]) - known):
            self._send({"unknown": wrong[0], "known": sorted(known)})
            return
        arguments = settled(settings["engine"])
        if "pooler_config" in arguments:
            arguments["pooler_config"] = PoolerConfig(**arguments["pooler_config"])
        engine = AsyncLLM.from_engine_args(AsyncEngineArgs(**arguments), usage_context=UsageContext.LLM_CLASS)
        if settings.get("adapter"):
            self._adapter = LoRARequest("adapter", 1, settings["adapter"])
            await engine.add_lora(self._adapter)
        self._engine = engine

    def _take(self, request: dict[str, Any]) -> None:
        if "cancel" in request:
            if task := self._under_way.get(request["cancel"]):
                task.cancel()
            return
        task = asyncio.create_task(self._answer(request))
        self._under_way[request["id"]] = task
        task.add_done_callback(lambda _: self._under_way.pop(request["id"]))

    async def _answer(self, request: Mapping[str, Any]) -> None:
        from vllm.exceptions import VLLMClientError

        try:
            async for reply in self._score(request) if "pooling" in request else self._write(request):
                self._send({"id": request["id"], **reply})
        except VLLMClientError as error:
            self._send({"id": request["id"], "refused": str(error)})
        except Exception as error:  # noqa: BLE001 - handed to the caller
            self._send({"id": request["id"], "died": f"{type(error).__name__}: {error}"})

    async def _write(self, request: Mapping[str, Any]) -> AsyncIterator[dict[str, Any]]:
        from vllm.inputs.engine import tokens_input
        from vllm.sampling_params import RequestOutputKind, SamplingParams

        streams = request.get("stream", False)
        kind = RequestOutputKind.DELTA if streams else RequestOutputKind.FINAL_ONLY
        sampling = SamplingParams(**request["sampling"], output_kind=kind, flat_logprobs=True, skip_clone=True)
        top = request["sampling"].get("logprobs") or 0
        prompt, name = tokens_input(request["ids"]), str(request["id"])
        async for output in self._engine.generate(prompt, sampling, name, lora_request=self._adapter):
            yield {"outputs": [_written(each, top) for each in output.outputs], "finished": output.finished}

    async def _score(self, request: Mapping[str, Any]) -> AsyncIterator[dict[str, Any]]:
        from vllm.inputs.engine import tokens_input
        from vllm.pooling_params import PoolingParams

        pooling = PoolingParams(**request["pooling"])
        async for output in self._engine.encode(tokens_input(request["ids"]), pooling, str(request["id"])):
            rows = output.outputs.data.float()
            if request["places"]:
                rows = rows[request["places"]]
            yield {"rows": rows.tolist(), "finished": True}


def settled(given: Mapping[str, Any]) -> dict[str, Any]:
    """vLLM's arguments: those given, and on a CPU what is better or safer there than vLLM's own defaults."""
    from vllm.platforms import current_platform

    if not current_platform.is_cpu():
        return dict(given)
    os.environ.setdefault("OMP_NUM_THREADS", str(max(1, len(os.sched_getaffinity(0)) - 1)))
    os.environ.setdefault("VLLM_CPU_OMP_THREADS_BIND", "nobind")  # bound, two engines would share one core
    own: dict[str, Any] = {
        "block_size": CPU_BLOCK_TOKENS,
        "enforce_eager": True,
        # A request with a seed whose prefill is split kills the engine: CPU generators have no offset.
        "enable_chunked_prefill": False,
    }
    if not {"gpu_memory_utilization", "kv_cache_memory_bytes"} & set(given) and not os.environ.get(
        "VLLM_CPU_KVCACHE_SPACE"
    ):
        own["kv_cache_memory_bytes"] = CPU_CACHE_BYTES
    if given.get("tensor_parallel_size", 1) * given.get("pipeline_parallel_size", 1) == 1:
        os.environ["VLLM_ENABLE_V1_MULTIPROCESSING"] = "0"  # lets the worker live in the engine's process
        own["distributed_executor_backend"] = "uni"
    float32 = {"dtype": "float32"} if given.get("dtype", "auto") == "auto" else {}
    return own | dict(given) | float32


def _written(output: Any, top: int) -> list[Any]:
    """Token ids, summed log-probability, why it ended, the stop, and the log-probabilities of each token's rivals."""
    rivals = [_rivals(output.logprobs[place], token) for place, token in enumerate(output.token_ids)] if top else []
    return [list(output.token_ids), output.cumulative_logprob, output.finish_reason, output.stop_reason, rivals]


def _rivals(logprobs: Mapping[int, Any], token: int) -> list[Any]:
    """The log-probability of a token, and the likeliest ids with theirs."""
    ranked = sorted(logprobs.items(), key=lambda each: each[1].rank)
    return [logprobs[token].logprob, [[id_, each.logprob] for id_, each in ranked]]


def _lines() -> Iterator[str]:
    """The lines of standard input, until it ends or whoever started this process has."""
    parent, rest, source = os.getppid(), b"", sys.stdin.fileno()
    while os.getppid() == parent:
        if not select.select([source], [], [], WATCH_SECONDS)[0]:
            continue
        piece = os.read(source, 1 << 20)
        if not piece:
            return
        *lines, rest = (rest + piece).split(b"\n")
        yield from (line.decode() for line in lines)


def _end_group() -> None:
    """End this process and all that it has started, at once."""
    os.killpg(os.getpgrp(), signal.SIGKILL)


if __name__ == "__main__":
    main()
