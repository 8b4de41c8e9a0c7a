"""VLLM: any causal language model that vLLM runs, on CUDA or on a CPU, through its asynchronous engine.

Why: vLLM is the fastest way to write many completions at once; requests join and leave its batch as a search goes on.
Promises: identity and settings are known without vLLM, which starts in processes of its own at the first call and may
live in another environment; each completion has its own seed and is handed on when it is whole; a prompt that fails
leaves the others alone.
"""

import asyncio
import json
import threading
from collections.abc import AsyncIterator, Sequence
from contextlib import aclosing
from functools import cached_property
from typing import Annotated, Any

from inference_kit.errors import UserError, named
from inference_kit.flow import merge
from inference_kit.models.base import Capabilities
from inference_kit.models.decode.detokenize import Detokenizer
from inference_kit.models.decode.local_model import LocalModel, ModelSettings
from inference_kit.models.local.devices import Dtype
from inference_kit.models.vllm.process import VllmProcess, require_vllm
from inference_kit.models.vllm.writer import Writer
from inference_kit.records import Completion, GenerationConfig, Prompt
from inference_kit.registry import flatten_settings

LORA_RANKS = (8, 16, 32, 64, 128, 256, 320, 512)
"""The sizes that vLLM makes room for."""


class VLLM(LocalModel):
    """Any causal language model that vLLM runs, by folder or hub id; or a LoRA adapter, which brings its base.

    Args:
        dtype: auto, bfloat16, float16 or float32; auto is float32 on a CPU and the model's own elsewhere.
        gpu_memory_utilization: The share of the device's memory that it may use; vLLM's own choice where not given.
        max_model_len: The longest prompt and completion together, in tokens; the model's own where not given.
        enforce_eager: Do without CUDA graphs and compilation; where not given, on a CPU only.
        quantization: How weights are quantised, by vLLM's name, such as fp8, awq or gptq; found out where not given.
        tensor_parallel_size: GPUs that share each layer.
        pipeline_parallel_size: GPUs that share the layers out among them.
        data_parallel_size: Copies of the model that share the requests out among them.
        engine_args: Further engine arguments as key=value, by vLLM's names, several with commas.
        adapter_path: A LoRA adapter to put on the model.
    """

    concurrency = 128
    # Earlier steps are prompt to vLLM, which counts that for the repetition penalty only.
    capabilities = Capabilities(
        prefix_blind_settings=frozenset({"frequency_penalty", "presence_penalty"}), certainty=False
    )

    @flatten_settings
    def __init__(
        self,
        model_path: str,
        *,
        model: ModelSettings = ModelSettings(),
        dtype: Dtype = "auto",
        gpu_memory_utilization: Annotated[float | None, 0, 1] = None,
        max_model_len: int | None = None,
        enforce_eager: bool | None = None,
        quantization: str | None = None,
        tensor_parallel_size: int = 1,
        pipeline_parallel_size: int = 1,
        data_parallel_size: int = 1,
        engine_args: tuple[str, ...] = (),
        **by_name: Any,
    ) -> None:
        super().__init__(model_path, model)
        self._max_model_len = max_model_len
        self._further = read_engine_args(engine_args) | by_name
        named = {
            "dtype": dtype,
            "gpu_memory_utilization": gpu_memory_utilization,
            "max_model_len": max_model_len,
            "enforce_eager": enforce_eager,
            "quantization": quantization,
            "tensor_parallel_size": tensor_parallel_size,
            "pipeline_parallel_size": pipeline_parallel_size,
            "data_parallel_size": data_parallel_size,
            "trust_remote_code": model.trust_remote_code,
        }
        self._engine_arguments = {name: value for name, value in named.items() if value is not None} | self._further
        self._started: VllmProcess | None = None
        self._lock = threading.Lock()

    @cached_property
    def identity(self) -> str:  # type: ignore[override]
        """Names and digests of weights and adapters, number format, quantisation, and further engine arguments."""
        changing = {name: self._engine_arguments.get(name) for name in ("dtype", "quantization")} | self._further
        settings = [f"{name}={value}" for name, value in sorted(changing.items()) if value is not None]
        return self.build_identity("vllm", *settings)

    @property
    def context_length(self) -> int | None:
        """The longest prompt and completion together, in tokens."""
        lengths = [each for each in (self._max_model_len, super().context_length) if each is not None]
        return min(lengths, default=None)

    def check(self, config: GenerationConfig) -> None:
        """Refuse what this model cannot do, and say at once where vLLM or the weights are missing."""
        super().check(config)
        require_vllm(f"{named('model')} vllm")
        if len(self.adapters) > 1:
            raise UserError(
                f"vLLM puts one adapter on a model, and {len(self.adapters)} are given",
                where=named("adapter_path"),
                fix=f"Merge them first, or use {named('model')} huggingface, which adds them up.",
            )
        if self.weights.is_local:
            self.weights.fetch_all()

    async def generate(self, prompt: Prompt, config: GenerationConfig) -> AsyncIterator[tuple[int, Completion]]:
        """Write the completions of one prompt, each with its position as it finishes."""
        process, text, room = await asyncio.to_thread(self._prepare, prompt, config)
        writer = Writer(process, text, self.add_template_stops(config), room, self.end_ids)
        if config.branch_first:
            self.check_ranks(prompt.seeds)
            written = writer.write_branches(prompt.seeds)
        else:
            written = writer.write(prompt.seeds) if config.temperature else writer.write_once(prompt.seeds)
        async with aclosing(written):
            async for place, completion in written:
                yield place, completion

    async def stream(self, prompt: Prompt, config: GenerationConfig) -> AsyncIterator[tuple[int, str | Completion]]:
        """Write the completions of one prompt, each in a request of its own, and show their texts while they grow."""
        if config.branch_first:
            async for found in super().stream(prompt, config):
                yield found
            return
        process, text, room = await asyncio.to_thread(self._prepare, prompt, config)
        writer = Writer(process, text, self.add_template_stops(config), room, self.end_ids)
        texts = [writer.stream(place, seed) for place, seed in enumerate(prompt.seeds)]
        async with aclosing(merge(texts)) as found_so_far:
            async for found in found_so_far:
                yield found

    async def close(self) -> None:
        """End vLLM and all its processes."""
        started, self._started = self._started, None
        if started is not None:
            await started.close()

    def _prepare(self, prompt: Prompt, config: GenerationConfig) -> tuple[VllmProcess, Detokenizer, int]:
        """Start vLLM where it does not run yet; meanwhile read the prompt."""
        with self._lock:
            if self._started is None:
                self._started = VllmProcess(
                    self.weights.name, f"{named('model')} vllm", self._build_arguments(), self._adapter_folder
                )
            text = self.build_detokenizer(prompt)
        return self._started, text, self.limit_tokens(len(text.prompt_ids), config)

    def _build_arguments(self) -> dict[str, Any]:
        adapter = (
            {"enable_lora": True, "max_loras": 1, "max_lora_rank": choose_lora_rank(self._rank)}
            if self.adapters
            else {}
        )
        own = {
            "model": str(self.weights.fetch_all()),
            "tokenizer": str(self.tokenizer.name_or_path),
            "generation_config": "vllm",  # its settings come with each request
            "max_logprobs": -1,
            "enable_prefix_caching": True,
            "disable_log_stats": True,
        }
        return own | adapter | self._engine_arguments

    @property
    def _adapter_folder(self) -> str | None:
        return str(self.adapters[0].folder.resolve()) if self.adapters else None

    @property
    def _rank(self) -> int:
        text = (self.adapters[0].folder / "adapter_config.json").read_text(encoding="utf-8")
        return int(json.loads(text)["r"])


def read_engine_args(pairs: Sequence[str], setting: str = "engine_args") -> dict[str, Any]:
    """Read `key=value` texts; a value that is JSON counts as that, and any other as text.

    Raises:
        UserError: for a text without `=`.
    """
    found: dict[str, Any] = {}
    for pair in pairs:
        name, equals, value = pair.partition("=")
        if not equals or not name.strip():
            raise UserError(f"expected key=value, got {pair!r}", where=named(setting))
        try:
            found[name.strip().replace("-", "_")] = json.loads(value)
        except ValueError:
            found[name.strip().replace("-", "_")] = value
    return found


def choose_lora_rank(rank: int) -> int:
    """Return the smallest size that vLLM makes room for and that holds an adapter of this rank."""
    return next((room for room in LORA_RANKS if room >= rank), rank)
