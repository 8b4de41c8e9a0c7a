"""HuggingFace: any causal language model of `transformers`, by folder or hub id, with a decode loop of our own.

Why: `generate` moves in lockstep with one random generator for the whole batch; search needs candidates that come and
go, each with its own seed.
Promises: identity and settings are known without importing torch; weights load at the first call; the tokens of a
partial answer stay as they are; a prompt that does not fit is refused with both lengths, never cut.
"""

import asyncio
import threading
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

from loguru import logger

from inference_kit.errors import EngineError, UserError
from inference_kit.models.base import Engine
from inference_kit.models.batching import Pump
from inference_kit.models.decoding import DecodeLoop, Row
from inference_kit.models.weights import Weights, choose_attention, load_model, load_tokenizer
from inference_kit.records import Completion, FinishReason, GenerationConfig, Message, Prompt

STEPS_AT_ONCE, STEPS_WHILE_STREAMING = 16, 2
HALF_SIGN = "\ufffd"
"""What the bytes of an unfinished character decode to."""
GENERATION_NAMES = ("max_new_tokens", "temperature", "top_p", "top_k", "min_p", "repetition_penalty")


class HuggingFace(Engine):
    """Any causal language model in Hugging Face layout, by folder or hub id.

    Args:
        separator: Text that ends a step.
        dtype: auto, bfloat16, float16 or float32; auto is float32 on a CPU and the model's own elsewhere.
        device: auto, cuda, mps or cpu.
        attn_implementation: auto, sdpa or eager.
        chat_template: A Jinja file that replaces the tokenizer's own template.
        max_batch_size: Completions in one forward pass at the most.
        revision: Branch, tag or commit on the hub.
        device_map: How accelerate spreads the weights, such as auto; none keeps them on one device.
        trust_remote_code: Run code that comes with the weights.
    """

    def __init__(
        self,
        model_path: str,
        *,
        separator: str = "\n\n",
        dtype: str = "auto",
        device: str = "auto",
        attn_implementation: Literal["auto", "sdpa", "eager"] = "auto",
        chat_template: str | None = None,
        max_batch_size: int = 64,
        revision: str | None = None,
        device_map: str | None = None,
        trust_remote_code: bool = False,
    ) -> None:
        self.separator = separator
        self.max_batch_size = max_batch_size
        self.concurrency = max_batch_size + max_batch_size // 2
        self._weights = Weights(model_path, revision)
        self._dtype, self._device, self._device_map = dtype, device, device_map
        self._attention = attn_implementation
        self._chat_template = chat_template
        self._trust_remote_code = trust_remote_code
        self._lock = threading.Lock()
        self._loaded: _Loaded | None = None

    @cached_property
    def identity(self) -> str:  # type: ignore[override]
        """Name and digest of the weights, number format, and the digest of a chat template of one's own."""
        own_template = f":{_template_text(self._chat_template)!r}" if self._chat_template else ""
        return f"huggingface:{self._weights.name}:{self._weights.digest}:{self._dtype}{own_template}"

    @property
    def context_length(self) -> int | None:
        """The longest prompt and completion together, in tokens."""
        return self._weights.context_length

    def generation_defaults(self) -> Mapping[str, Any]:
        """The settings of `generation_config.json`; `do_sample: false` there is temperature 0."""
        own = self._weights.generation
        found = {name: own[name] for name in GENERATION_NAMES if own.get(name) is not None}
        if own.get("do_sample") is False:
            found["temperature"] = 0.0
        return found

    def check(self, config: GenerationConfig) -> None:
        """Refuse what this model cannot do, and say at once where its weights are missing."""
        super().check(config)
        choose_attention(self._attention, self._weights.config)
        if self._weights.is_local:
            self._weights.whole_folder()

    def render(self, messages: Sequence[Message]) -> str:
        """The prompt with the chat template applied; needs the tokenizer, not the weights."""
        return chat_text(self._tokenizer, messages)

    async def generate(self, prompt: Prompt, config: GenerationConfig) -> AsyncIterator[tuple[int, Completion]]:
        """Write the completions of one prompt, each as it finishes; what else runs shares the batch."""
        loaded = await asyncio.to_thread(self._load)
        text = loaded.text_of(prompt)
        room = self._room(len(text.ids), config)
        rows = [Row(text.ids, config, seed, room, text.watch(config)) for seed in prompt.seeds]
        places = {row: place for place, row in enumerate(rows)}
        finished: asyncio.Queue[Row | Exception] = asyncio.Queue()
        try:
            loaded.pump.submit(rows, finished.put_nowait)
            for _ in rows:
                row = _whole(await finished.get())
                yield places[row], text.completion(row)
        finally:
            loaded.leave(rows)

    async def stream(self, prompt: Prompt, config: GenerationConfig) -> AsyncIterator[str]:
        """Write one completion and yield its text as it grows; what may become a stop text is held back."""
        loaded = await asyncio.to_thread(self._load)
        text = loaded.text_of(prompt)
        row = Row(text.ids, config, prompt.seeds[0], self._room(len(text.ids), config), text.watch(config))
        finished: asyncio.Queue[Row | Exception] = asyncio.Queue()
        held, shown = max(map(len, config.stop), default=1) - 1, 0
        try:
            loaded.pump.submit([row], finished.put_nowait, steps=STEPS_WHILE_STREAMING)
            while finished.empty():
                await loaded.pump.moved.wait()
                written = text.of(row.written).rstrip(HALF_SIGN)
                piece = "" if row.finish_reason else written[shown : len(written) - held]
                shown += len(piece)
                if piece:
                    yield piece
            yield text.completion(_whole(finished.get_nowait())).text[shown:]
        finally:
            loaded.leave([row])

    async def close(self) -> None:
        """Drop the weights."""
        self._loaded = None

    @cached_property
    def _tokenizer(self) -> Any:
        tokenizer = load_tokenizer(self._weights, trust_remote_code=self._trust_remote_code)
        if self._chat_template:
            tokenizer.chat_template = _template_text(self._chat_template)
        if not tokenizer.chat_template:
            logger.info("{} has no chat template: prompts are sent as plain text", self._weights.name)
        return tokenizer

    def _load(self) -> "_Loaded":
        with self._lock:
            if self._loaded is None:
                model = load_model(
                    self._weights,
                    "AutoModelForCausalLM",
                    dtype=self._dtype,
                    device=self._device,
                    device_map=self._device_map,
                    attention=self._attention,
                    trust_remote_code=self._trust_remote_code,
                )
                loop = DecodeLoop(model, slots=self.max_batch_size, eos=self._eos())
                loop.check()
                self._loaded = _Loaded(self._tokenizer, Pump(loop, STEPS_AT_ONCE))
            return self._loaded

    def _eos(self) -> frozenset[int]:
        given = [self._weights.generation.get("eos_token_id"), self._weights.config.get("eos_token_id")]
        ids = [each for value in given for each in (value if isinstance(value, list) else [value])]
        return frozenset(each for each in [*ids, self._tokenizer.eos_token_id] if each is not None)

    def _room(self, n_prompt_tokens: int, config: GenerationConfig) -> int:
        """Tokens that may be written.

        Raises:
            EngineError: where the prompt leaves none.
        """
        context = self.context_length
        if context is None:
            return config.max_new_tokens
        if n_prompt_tokens >= context:
            raise EngineError(
                f"the prompt has {n_prompt_tokens} tokens and the model's context {context}",
                fix="Shorten the prompt, or use a model with a longer context.",
            )
        return min(config.max_new_tokens, context - n_prompt_tokens)


@dataclass(frozen=True, slots=True)
class _Loaded:
    """What exists once the weights are loaded."""

    tokenizer: Any
    pump: Pump[Row]

    def text_of(self, prompt: Prompt) -> "_Text":
        """The ids of a prompt; the partial answer keeps the tokens it was written in."""
        rendered = chat_text(self.tokenizer, prompt.messages)
        ids = self._encode(rendered)
        if prompt.prefix_tokens:
            prefix = prompt.prefix_tokens
        else:
            whole = self._encode(rendered + prompt.prefix)
            prefix = whole[len(ids) :] if whole[: len(ids)] == ids else self._encode(prompt.prefix, alone=True)
        return _Text(self.tokenizer, (*ids, *prefix), prefix)

    def leave(self, rows: Sequence[Row]) -> None:
        """Take rows out of the batch, finished or not."""
        for row in rows:
            row.cancelled = True
        self.pump.forget(rows)

    def _encode(self, text: str, *, alone: bool = False) -> tuple[int, ...]:
        special = not self.tokenizer.chat_template and not alone
        return tuple(self.tokenizer.encode(text, add_special_tokens=special))


@dataclass(frozen=True, slots=True)
class _Text:
    """Turns what a row has written into text; `prefix` are the ids of the partial answer at the end of `ids`."""

    tokenizer: Any
    ids: tuple[int, ...]
    prefix: tuple[int, ...]

    def of(self, written: Sequence[int]) -> str:
        """The text of the written ids, as it stands behind the partial answer, whose half signs it begins with."""
        before = self._decode(self.prefix).rstrip(HALF_SIGN) if self.prefix else ""
        whole = self._decode([*self.prefix, *written])
        return whole[len(before) :] if whole.startswith(before) else self._decode(written)

    def watch(self, config: GenerationConfig) -> Callable[[Sequence[int]], FinishReason | None] | None:
        """What tells whether a stop text or a step boundary has come; it decodes only the last few tokens."""
        endings = [(text, "stop") for text in config.stop] + (
            [(config.boundary, "boundary")] if config.boundary else []
        )
        if not endings:
            return None
        longest = max(len(text.encode()) for text, _ in endings)

        def ended(written: Sequence[int]) -> FinishReason | None:
            tail = self._decode(written[-longest - 1 :])
            found: list[FinishReason] = [reason for text, reason in endings if text in tail]  # type: ignore[misc]
            return found[0] if found else None

        return ended

    def completion(self, row: Row) -> Completion:
        """The record of a finished row; a stop text and what follows it are cut."""
        assert row.finish_reason is not None
        text = self.of(row.written)
        if row.finish_reason == "stop":
            text = text[: min((at for stop in row.config.stop if (at := text.find(stop)) >= 0), default=len(text))]
        else:
            text = text.rstrip(HALF_SIGN)
        return Completion(
            text,
            row.finish_reason,
            tokens=len(row.written),
            logprob=row.logprob,
            prompt_tokens=len(row.prompt),
            token_ids=() if row.finish_reason == "stop" else tuple(row.written),
        )

    def _decode(self, ids: Sequence[int]) -> str:
        text: str = self.tokenizer.decode(list(ids), skip_special_tokens=True, clean_up_tokenization_spaces=False)
        return text


def chat_text(tokenizer: Any, messages: Sequence[Message]) -> str:
    """The prompt as the model reads it: the chat template applied, or the contents one a paragraph without one.

    Raises:
        EngineError: where the template refuses the messages, such as a system message that the model does not know.
    """
    from jinja2 import TemplateError

    if not tokenizer.chat_template:
        return "\n\n".join(message.content for message in messages)
    turns = [{"role": message.role, "content": message.content} for message in messages]
    try:
        text: str = tokenizer.apply_chat_template(turns, tokenize=False, add_generation_prompt=True)
    except TemplateError as error:
        raise EngineError(
            f"the chat template refuses these messages: {error}",
            fix="Leave the system message out, or use another template.",
        ) from error
    return text


def _whole(row: Row | Exception) -> Row:
    """A finished row; what went wrong instead is raised."""
    if isinstance(row, Exception):
        raise row
    if row.error:
        raise row.error
    return row


def _template_text(path: str) -> str:
    try:
        return Path(path).expanduser().read_text(encoding="utf-8")
    except OSError as error:
        raise UserError(f"the chat template cannot be read: {error.strerror}", where=path) from error
