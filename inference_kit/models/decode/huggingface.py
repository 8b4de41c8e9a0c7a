"""HuggingFace: any causal language model of `transformers`, by folder or hub id, with a decode loop of our own.

Why: `generate` moves in lockstep with one random generator for the whole batch; search needs candidates that come and
go, each with its own seed.
Promises: identity and settings are known without importing torch; weights load at the first call; a setting that the
loop or the machine cannot honour is refused by name.
"""

import asyncio
import threading
from collections.abc import AsyncIterator, Sequence
from functools import cached_property
from typing import Annotated, Any, ClassVar, Literal

from inference_kit.errors import UserError
from inference_kit.models.base import problems_for
from inference_kit.models.batching import Loop, Pump
from inference_kit.models.decode.decode_loop import DecodeLoop
from inference_kit.models.decode.detokenize import GrowingText, ReplyText
from inference_kit.models.decode.local_model import LocalModel, ModelSettings
from inference_kit.models.decode.masks import set_attention
from inference_kit.models.decode.sequences import Row
from inference_kit.models.decode.tensor_parallel import ParallelLoop, Share, check_size
from inference_kit.models.local.adapters import apply_adapters
from inference_kit.models.local.attention import choose_attention
from inference_kit.models.local.devices import Placement
from inference_kit.models.local.loading import load_model
from inference_kit.models.local.quantization import check_quantization
from inference_kit.records import Completion, GenerationConfig, Prompt
from inference_kit.registry import flatten_settings

STEPS_AT_ONCE, STEPS_WHILE_STREAMING = 16, 2


class HuggingFace(LocalModel):
    """Any causal language model in Hugging Face layout, by folder or hub id; or a LoRA adapter, which brings its base.

    Args:
        attn_implementation: auto, sdpa, eager, flash_attention_2 or flash_attention_3.
        max_batch_size: Completions in one forward pass at the most.
        merge_adapter: Add adapters into the weights, which is faster; by default where these are not quantised.
        quantization_bit: 4 or 8 quantises the weights by bitsandbytes while they load; 0 leaves them as they are.
        tensor_parallel_size: GPUs that share each layer.
    """

    auto_class: ClassVar[str] = "AutoModelForCausalLM"

    @flatten_settings
    def __init__(
        self,
        model_path: str,
        *,
        model: ModelSettings = ModelSettings(),
        placement: Placement = Placement(),
        attn_implementation: Literal["auto", "sdpa", "eager", "flash_attention_2", "flash_attention_3"] = "auto",
        max_batch_size: int = 64,
        merge_adapter: bool | None = None,
        quantization_bit: Annotated[int, 0] = 0,
        tensor_parallel_size: int = 1,
    ) -> None:
        super().__init__(model_path, model)
        self.max_batch_size = max_batch_size
        self.concurrency = problems_for(max_batch_size)
        self._placement = placement
        self._attention, self._bits, self._merge = attn_implementation, quantization_bit, merge_adapter
        self._tensor_parallel = tensor_parallel_size
        self._lock = threading.Lock()
        self._pump: Pump[Row] | None = None
        self._not_loaded: UserError | None = None
        self._shares: ParallelLoop | None = None

    @cached_property
    def identity(self) -> str:  # type: ignore[override]
        """Names and digests of weights and adapters, number format, and a chat template of one's own."""
        return self.identity_of("huggingface", self._placement.dtype, f"{self._bits}bit" if self._bits else "")

    def check(self, config: GenerationConfig) -> None:
        """Refuse what this model cannot do, and say at once where its weights or a package are missing."""
        super().check(config)
        choose_attention(self._attention, self.weights.config)
        check_quantization(self._bits, self.weights.whole_config)
        if self._tensor_parallel > 1:
            self._check_shares()
        if self.weights.is_local:
            self.weights.whole_folder()

    async def generate(self, prompt: Prompt, config: GenerationConfig) -> AsyncIterator[tuple[int, Completion]]:
        """Write the completions of one prompt, each as it finishes; what else runs shares the batch."""
        pump = await asyncio.to_thread(self._load)
        text, rows = self._rows(prompt, config)
        places = {row: place for place, row in enumerate(rows)}
        finished: asyncio.Queue[Row | Exception] = asyncio.Queue()
        try:
            pump.submit(rows, finished.put_nowait)
            for _ in rows:
                row = _whole(await finished.get())
                yield places[row], text.completion(row)
        finally:
            _leave(pump, rows)

    async def stream(self, prompt: Prompt, config: GenerationConfig) -> AsyncIterator[tuple[int, str | Completion]]:
        """Write the completions of one prompt and show their texts while they grow."""
        pump = await asyncio.to_thread(self._load)
        text, rows = self._rows(prompt, config)
        growing = {row: GrowingText(text, row) for row in rows}
        places = {row: place for place, row in enumerate(rows)}
        finished: asyncio.Queue[Row | Exception] = asyncio.Queue()
        try:
            pump.submit(rows, finished.put_nowait, steps=STEPS_WHILE_STREAMING)
            while growing:
                if finished.empty():
                    await pump.moved.wait()
                while not finished.empty():
                    row = _whole(finished.get_nowait())
                    completion = text.completion(row)
                    yield places[row], growing.pop(row).rest_of(completion)
                    yield places[row], completion
                for row, shown in growing.items():
                    if piece := shown.next_piece():
                        yield places[row], piece
        finally:
            _leave(pump, rows)

    async def close(self) -> None:
        """Drop the weights, and end the processes that share them."""
        if self._shares:
            await asyncio.to_thread(self._shares.close)
        self._pump = self._shares = None

    def _rows(self, prompt: Prompt, config: GenerationConfig) -> tuple[ReplyText, list[Row]]:
        """A row for each completion wanted, and the text that they write on."""
        config = self.with_stops(config)
        text = self.text_of(prompt)
        room = self.room(len(text.ids), config)
        if config.branch_first:
            self.check_ranks(prompt.seeds)
        return text, [text.row(config, seed, room) for seed in prompt.seeds]

    def _load(self) -> Pump[Row]:
        with self._lock:
            if self._not_loaded:  # those who waited meanwhile need not try again
                raise self._not_loaded
            if self._pump is None:
                try:
                    self._pump = Pump(self._loop(), STEPS_AT_ONCE)
                except UserError as error:
                    self._not_loaded = error
                    raise
            return self._pump

    def _loop(self) -> Loop[Row]:
        if self._tensor_parallel > 1:
            self._shares = ParallelLoop(self._share(), self._tensor_parallel)
            return self._shares
        loop = DecodeLoop(self._model(), slots=self.max_batch_size, eos=self.end_ids)
        loop.check()
        return loop

    def _model(self) -> Any:
        """The model with its adapters and the attention kernel for the decode loop."""
        model = load_model(
            self.weights,
            self.auto_class,
            self._placement,
            attention=self._attention,
            quantization_bit=self._bits,
            trust_remote_code=self._trust_remote_code,
        )
        if self.adapters:
            quantized = check_quantization(self._bits, self.weights.whole_config) is not None
            merge = not quantized if self._merge is None else self._merge
            model = apply_adapters(model, self.weights, self.adapters, merge=merge)
        set_attention(model, self._attention)
        return model

    def _share(self) -> Share:
        return Share(
            self.weights,
            self.tokenizer,
            slots=self.max_batch_size,
            eos=self.end_ids,
            placement=self._placement,
            attention=self._attention,
            trust_remote_code=self._trust_remote_code,
        )

    def _check_shares(self) -> None:
        others = {
            "--device-map": self._placement.device_map,
            "--quantization-bit": self._bits,
            "--adapter-path": self.adapters,
        }
        for flag, given in others.items():
            if given:
                raise UserError(
                    f"tensor_parallel_size does not go together with {flag[2:].replace('-', '_')}",
                    where="--tensor-parallel-size",
                    fix="Leave one of them out, or use --model vllm.",
                )
        check_size(self._tensor_parallel, self._placement.device, self.weights.config)


def _leave(pump: Pump[Row], rows: Sequence[Row]) -> None:
    """Take rows out of the batch, finished or not."""
    for row in rows:
        row.cancelled = True
    pump.forget(rows)


def _whole(row: Row | Exception) -> Row:
    """A finished row; what went wrong instead is raised."""
    if isinstance(row, Exception):
        raise row
    if row.error:
        raise row.error
    return row
