"""The process that vLLM runs in: it loads an engine, and writes and pools with it.

Why: vLLM starts processes of its own, prints where it likes, and dies of a Ctrl-C that was meant for the run; in a
process group of its own it can do all that, and its Python may be another one than the caller's.
Promises: one request that fails leaves the others alone; each completion leaves when it is whole.
"""

import os
from collections.abc import AsyncGenerator, Mapping
from contextlib import aclosing
from dataclasses import fields
from functools import partial
from itertools import count
from typing import Any

from inference_kit.flow import as_finished
from inference_kit.models.vllm.messages import (
    EngineSettings,
    Failed,
    Loaded,
    LoadError,
    Pool,
    Pooled,
    Refused,
    Rivals,
    UnknownArgument,
    Write,
    Written,
)
from inference_kit.processes.owner import Owner
from inference_kit.processes.server import LoadFailure, serve

CPU_CACHE_BYTES = 2 << 30
CPU_BLOCK_TOKENS = 32
"""vLLM's own 128 would share only what is longer than most prompts."""
TIDYING_SECONDS = 2.0


def main(owner: Owner) -> None:
    """Serve with the engine that the first message describes."""
    settings = owner.receive()
    if settings is not None:
        serve(owner, partial(load, settings))


async def load(settings: EngineSettings) -> "Host":
    """Load the engine.

    Raises:
        LoadFailure: with why not.
    """
    try:
        return await _load(settings)
    except LoadFailure:
        raise
    except Exception as error:
        raise LoadFailure(LoadError(f"{type(error).__name__}: {error}")) from error


async def _load(settings: EngineSettings) -> "Host":
    from vllm.config import PoolerConfig
    from vllm.engine.arg_utils import AsyncEngineArgs
    from vllm.lora.request import LoRARequest
    from vllm.usage.usage_lib import UsageContext
    from vllm.v1.engine.async_llm import AsyncLLM

    known = {each.name for each in fields(AsyncEngineArgs)}
    if wrong := sorted(set(settings.arguments) - known):
        raise LoadFailure(UnknownArgument(wrong[0], tuple(sorted(known))))
    arguments = complete_arguments(settings.arguments)
    if "pooler_config" in arguments:
        arguments["pooler_config"] = PoolerConfig(**arguments["pooler_config"])
    engine = AsyncLLM.from_engine_args(AsyncEngineArgs(**arguments), usage_context=UsageContext.LLM_CLASS)
    adapter = LoRARequest("adapter", 1, settings.adapter) if settings.adapter else None
    if adapter:
        await engine.add_lora(adapter)
    return Host(engine, adapter)


def complete_arguments(given: Mapping[str, Any]) -> dict[str, Any]:
    """Return vLLM's arguments: those given, and on a CPU what is better or safer there than vLLM's own defaults."""
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


class Host:
    """vLLM's engine as a service."""

    def __init__(self, engine: Any, adapter: Any) -> None:
        self.about = Loaded(engine.model_config.max_model_len)
        self._engine, self._adapter = engine, adapter
        self._numbers = count()

    async def answer(self, request: Write | Pool) -> AsyncGenerator[Any]:
        """Yield completions as they are whole, or what the head makes of a text; last, why vLLM does not go on."""
        from vllm.exceptions import VLLMClientError

        answers = self._pool(request) if isinstance(request, Pool) else self._write(request)
        try:
            async with aclosing(answers):
                async for answer in answers:
                    yield answer
        except VLLMClientError as error:
            yield Refused(str(error))
        except Exception as error:  # noqa: BLE001 - handed to the owner, who may not know its class
            yield Failed(f"{type(error).__name__}: {error}")

    async def close(self) -> None:
        """Give back devices and shared memory."""
        self._engine.shutdown(timeout=TIDYING_SECONDS)

    def _write(self, request: Write) -> AsyncGenerator[Written]:
        """Ask vLLM for each seed by itself, because it answers a request with `n` when the last one is whole."""
        if request.streams:
            return self._stream(request)
        return as_finished([self._complete(request, place) for place in range(len(request.seeds))])

    async def _complete(self, request: Write, place: int) -> Written:
        async with aclosing(self._outputs(request, place)) as outputs:
            [written] = [each async for each in outputs]
        return written

    async def _stream(self, request: Write) -> AsyncGenerator[Written]:
        async with aclosing(self._outputs(request, 0)) as outputs:
            async for written in outputs:
                yield written

    async def _outputs(self, request: Write, place: int) -> AsyncGenerator[Written]:
        from vllm.inputs.engine import tokens_input
        from vllm.sampling_params import RequestOutputKind, SamplingParams

        kind = RequestOutputKind.DELTA if request.streams else RequestOutputKind.FINAL_ONLY
        sampling = SamplingParams(
            **request.sampling, seed=request.seeds[place], output_kind=kind, flat_logprobs=True, skip_clone=True
        )
        has_rivals = bool(request.sampling.get("logprobs"))
        prompt, name = tokens_input(list(request.ids)), str(next(self._numbers))
        async for output in self._engine.generate(prompt, sampling, name, lora_request=self._adapter):
            for each in output.outputs:
                yield read_output(each, place, has_rivals=has_rivals)

    async def _pool(self, request: Pool) -> AsyncGenerator[Pooled]:
        from vllm.inputs.engine import tokens_input
        from vllm.pooling_params import PoolingParams

        prompt, name = tokens_input(list(request.ids)), str(next(self._numbers))
        async for output in self._engine.encode(prompt, PoolingParams(**request.pooling), name):
            rows = output.outputs.data.float()
            if request.places:
                rows = rows[list(request.places)]
            yield Pooled(rows.tolist())


def read_output(output: Any, place: int, *, has_rivals: bool) -> Written:
    """Return what vLLM says of one completion as a record."""
    rivals = (
        tuple(read_rivals(output.logprobs[at], token) for at, token in enumerate(output.token_ids))
        if has_rivals
        else ()
    )
    return Written(
        place, list(output.token_ids), output.cumulative_logprob, output.finish_reason, output.stop_reason, rivals
    )


def read_rivals(logprobs: Mapping[int, Any], token: int) -> Rivals:
    """Return the log-probability of a token, and the likeliest ids with theirs."""
    ranked = sorted(logprobs.items(), key=lambda each: each[1].rank)
    return Rivals(logprobs[token].logprob, tuple((id_, each.logprob) for id_, each in ranked))
