"""HuggingFace: any causal language model of `transformers`, by folder or hub id, with a decode loop of our own.

Why: `generate` moves in lockstep with one random generator for the whole batch; search needs candidates that come and
go, each with its own seed.
Promises: identity and settings are known without importing torch; weights load at the first call; a setting that the
loop or the machine cannot honour is refused by name. An architecture that the loop cannot run is written by `generate`
all the same, batch after batch (`generate_loop`), and the log says so once.
"""

import asyncio
import threading
from collections.abc import AsyncIterator, Sequence
from functools import cached_property
from typing import Annotated, Any, ClassVar, Literal

from loguru import logger

from inference_kit.errors import UserError, named
from inference_kit.models.base import choose_concurrency
from inference_kit.models.batching import Loop, Pump
from inference_kit.models.decode.decode_loop import DecodeLoop
from inference_kit.models.decode.detokenize import Detokenizer, GrowingText
from inference_kit.models.decode.generate_loop import GenerateLoop
from inference_kit.models.decode.local_model import LocalModel, ModelSettings
from inference_kit.models.decode.masks import set_attention
from inference_kit.models.decode.sequences import SequenceState
from inference_kit.models.decode.tensor_parallel import ParallelLoop, Share, check_size
from inference_kit.models.local.adapters import apply_adapters
from inference_kit.models.local.architecture import OtherState
from inference_kit.models.local.attention import choose_attention
from inference_kit.models.local.devices import Placement
from inference_kit.models.local.loading import load_model
from inference_kit.models.local.quantization import check_quantization
from inference_kit.records import Completion, GenerationConfig, Prompt
from inference_kit.registry import flatten_settings

STEPS_AT_ONCE, STEPS_WHILE_STREAMING = 16, 2
"""Steps of the decode loop before others may join it; fewer where somebody reads along."""


class HuggingFace(LocalModel):
    """Any causal language model: a folder in Hugging Face layout, a GGUF file or a hub id; or an adapter and its base.

    Args:
        attn_implementation: auto, sdpa, eager, flash_attention_2 or flash_attention_3.
        max_batch_size: Completions in one forward pass at the most.
        merge_adapter: Add adapters into the weights, which is faster; by default where these are not quantised.
        quantization_bit: 4 or 8 quantises the weights by bitsandbytes while they load; 0 leaves them as they are.
        tensor_parallel_size: GPUs that share each layer.
    """

    auto_class: ClassVar[str] = "AutoModelForCausalLM"
    reads_gguf = True

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
        self.concurrency = choose_concurrency(max_batch_size)
        self._placement = placement
        self._attention, self._bits, self._merge = attn_implementation, quantization_bit, merge_adapter
        self._tensor_parallel = tensor_parallel_size
        self._lock = threading.Lock()
        self._pump: Pump[SequenceState] | None = None
        self._not_loaded: UserError | None = None
        self._shares: ParallelLoop | None = None

    @cached_property
    def identity(self) -> str:  # type: ignore[override]
        """Names and digests of weights and adapters, number format, and a chat template of one's own."""
        return self.build_identity("huggingface", self._placement.dtype, f"{self._bits}bit" if self._bits else "")

    def check(self, config: GenerationConfig) -> None:
        """Refuse what this model cannot do, and say at once where its weights or a package are missing."""
        super().check(config)
        choose_attention(self._attention, self.weights.config)
        check_quantization(self._bits, self.weights.whole_config)
        if self._tensor_parallel > 1:
            self._check_shares()
        if self.weights.is_local:
            self.weights.fetch_all()

    async def generate(self, prompt: Prompt, config: GenerationConfig) -> AsyncIterator[tuple[int, Completion]]:
        """Write the completions of one prompt, each as it finishes; what else runs shares the batch."""
        pump = await asyncio.to_thread(self._start_pump)
        detokenizer, sequences = await self._begin_sequences(prompt, config)
        places = {sequence: place for place, sequence in enumerate(sequences)}
        finished: asyncio.Queue[SequenceState | Exception] = asyncio.Queue()
        try:
            pump.submit(sequences, finished.put_nowait)
            for _ in sequences:
                sequence = _check_finished(await finished.get())
                yield places[sequence], detokenizer.build_completion(sequence)
        finally:
            _cancel(pump, sequences)

    async def stream(self, prompt: Prompt, config: GenerationConfig) -> AsyncIterator[tuple[int, str | Completion]]:
        """Write the completions of one prompt and show their texts while they grow."""
        pump = await asyncio.to_thread(self._start_pump)
        detokenizer, sequences = await self._begin_sequences(prompt, config)
        growing = {sequence: GrowingText(detokenizer, sequence) for sequence in sequences}
        places = {sequence: place for place, sequence in enumerate(sequences)}
        finished: asyncio.Queue[SequenceState | Exception] = asyncio.Queue()
        try:
            pump.submit(sequences, finished.put_nowait, steps=STEPS_WHILE_STREAMING)
            while growing:
                if finished.empty():
                    await pump.moved.wait()
                while not finished.empty():
                    sequence = _check_finished(finished.get_nowait())
                    completion = detokenizer.build_completion(sequence)
                    yield places[sequence], growing.pop(sequence).take_rest(completion)
                    yield places[sequence], completion
                for sequence, shown in growing.items():
                    if piece := shown.take_piece():
                        yield places[sequence], piece
        finally:
            _cancel(pump, sequences)

    async def close(self) -> None:
        """Drop the weights, and end the processes that share them."""
        if self._shares:
            await asyncio.to_thread(self._shares.close)
        self._pump = self._shares = None

    async def _begin_sequences(
        self, prompt: Prompt, config: GenerationConfig
    ) -> tuple[Detokenizer, list[SequenceState]]:
        """Begin a sequence for each completion of a prompt; the detokenizer turns them into text."""
        config = self.add_template_stops(config)
        detokenizer = self.build_detokenizer(prompt)
        max_tokens = self.limit_tokens(len(detokenizer.prompt_ids), config)
        if config.branch_first:
            self.check_ranks(prompt.seeds)
        return detokenizer, [detokenizer.begin_sequence(config, seed, max_tokens) for seed in prompt.seeds]

    def _start_pump(self) -> Pump[SequenceState]:
        """Load the weights, where they are not, and return what drives the decode loop."""
        with self._lock:
            if self._not_loaded:  # those who waited meanwhile need not try again
                raise self._not_loaded
            if self._pump is None:
                try:
                    self._pump = Pump(self._build_loop(), STEPS_AT_ONCE)
                except UserError as error:
                    self._not_loaded = error
                    raise
            return self._pump

    def _build_loop(self) -> Loop[SequenceState]:
        """Load the weights into a decode loop, here or in the processes that share them."""
        if self._tensor_parallel > 1:
            self._shares = ParallelLoop(self._build_share(), self._tensor_parallel)
            return self._shares
        model = self._load_model()
        kernel = model.config._attn_implementation
        try:
            set_attention(model, self._attention)
            loop = DecodeLoop(model, slots=self.max_batch_size, end_ids=self.end_ids)
            loop.check()
        except OtherState as refusal:
            model.set_attn_implementation(kernel)
            return self._build_slow_loop(model, refusal)
        return loop

    def _build_slow_loop(self, model: Any, refusal: OtherState) -> GenerateLoop:
        """Build what runs a model that the decode loop has refused, and say so."""
        loop = GenerateLoop(model, slots=self.max_batch_size, end_ids=self.end_ids)
        loop.check()
        logger.warning("{}: {}; it runs by transformers' generate, which is slower", self.weights.name, refusal.what)
        return loop

    def _load_model(self) -> Any:
        """Load the model with its adapters."""
        has_encoder = self.weights.whole_config.get("is_encoder_decoder")
        model = load_model(
            self.weights,
            "AutoModelForSeq2SeqLM" if has_encoder else self.auto_class,
            self._placement,
            attention=self._attention,
            quantization_bit=self._bits,
            trust_remote_code=self._trust_remote_code,
        )
        if self.adapters:
            quantized = check_quantization(self._bits, self.weights.whole_config) is not None
            merge = not quantized if self._merge is None else self._merge
            model = apply_adapters(model, self.weights, self.adapters, merge=merge)
        return model

    def _build_share(self) -> Share:
        """Build what each process needs to load its share."""
        return Share(
            self.weights,
            self.tokenizer,
            slots=self.max_batch_size,
            end_ids=self.end_ids,
            placement=self._placement,
            attention=self._attention,
            trust_remote_code=self._trust_remote_code,
        )

    def _check_shares(self) -> None:
        """Refuse settings that do not go together with tensor parallel, and a size that does not fit."""
        others = {
            "device_map": self._placement.device_map,
            "quantization_bit": self._bits,
            "adapter_path": self.adapters,
            "a GGUF file": self.weights.gguf,
        }
        for name, given in others.items():
            if given:
                raise UserError(
                    f"tensor_parallel_size does not go together with {name}",
                    where=named("tensor_parallel_size"),
                    fix=f"Leave one of them out, or use {named('model')} vllm.",
                )
        check_size(self._tensor_parallel, self._placement.device, self.weights.config)


def _cancel(pump: Pump[SequenceState], sequences: Sequence[SequenceState]) -> None:
    """Take sequences out of the batch, finished or not."""
    for sequence in sequences:
        sequence.cancelled = True
    pump.forget(sequences)


def _check_finished(delivered: SequenceState | Exception) -> SequenceState:
    """Return a finished sequence, or raise what went wrong with it or with all."""
    if isinstance(delivered, Exception):
        raise delivered
    if delivered.error:
        raise delivered.error
    return delivered
