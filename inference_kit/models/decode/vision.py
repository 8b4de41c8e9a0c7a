"""Vision: models that read images and text (LLaVA, Qwen-VL and their like), run by `transformers.generate`.

Why: each of these models has its own way to set images into a prompt, which its processor and `generate` know; each
sequence still samples by its own seed, with our sampler.
Promises: replies, steps, details and seeds are as with `huggingface`; an image that cannot be read fails its problem
alone; prompts are written one after another, the completions of each together, or in halves where memory runs out;
each completion is handed on when it is whole, and whoever leaves stops the writing.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

from loguru import logger

from inference_kit.errors import EngineError, UserError, first_line, named
from inference_kit.models.base import Capabilities, Engine
from inference_kit.models.batching import Batcher
from inference_kit.models.decode.detokenize import Detokenizer
from inference_kit.models.decode.huggingface import HuggingFace
from inference_kit.models.decode.sequences import SequenceState, append_tokens
from inference_kit.models.local.chat_text import render_chat
from inference_kit.models.local.devices import is_out_of_memory
from inference_kit.models.local.images import mark_images, open_image
from inference_kit.records import Completion, GenerationConfig, Message, Prompt

if TYPE_CHECKING:
    from torch import Tensor


class Vision(HuggingFace):
    """A model that reads images and text, by folder or hub id; its settings are those of `huggingface`."""

    auto_class = "AutoModelForImageTextToText"
    capabilities = Capabilities(images=True)
    stream = Engine.stream

    def check(self, config: GenerationConfig) -> None:
        """Refuse what the engine cannot do, above all a model that reads text only."""
        super().check(config)
        if "vision_config" not in self.weights.whole_config:
            raise UserError(
                f"{self.weights.name} reads text only",
                where=f"{named('model')} vision",
                fix=f"Use {named('model')} huggingface or auto.",
            )

    def render(self, messages: Sequence[Message]) -> str:
        """Render messages by the chat template, with a mark for each image."""
        if self._template is not None or not self._processor.chat_template:
            mark = self._mark
            marked = [mark_images(message, mark) for message in messages]
            return render_chat(self.tokenizer, marked, variables=self._variables)
        turns = [{"role": message.role, "content": _split_parts(message)} for message in messages]
        text: str = self._processor.apply_chat_template(
            turns, tokenize=False, add_generation_prompt=True, **self._variables.arguments
        )
        return text

    async def generate(self, prompt: Prompt, config: GenerationConfig) -> AsyncIterator[tuple[int, Completion]]:
        """Write the completions of one prompt, each as it finishes; prompts are written one after another."""
        loop, found = asyncio.get_running_loop(), asyncio.Queue[tuple[int, Completion] | None]()

        def hand_on(place: int, completion: Completion) -> None:
            """Put a completion into the queue, from the thread that writes."""
            loop.call_soon_threadsafe(found.put_nowait, (place, completion))

        job = _Job(prompt, self.add_template_stops(config), hand_on)
        writing = asyncio.create_task(self._jobs.submit(job))
        writing.add_done_callback(lambda _: found.put_nowait(None))
        try:
            while (each := await found.get()) is not None:
                yield each
            await writing  # raises what went wrong
        finally:
            job.cancelled = True
            writing.cancel()

    async def close(self) -> None:
        """Drop the weights."""
        self.__dict__.pop("_vision_model", None)

    @cached_property
    def _processor(self) -> Any:
        """What turns text and images into the model's inputs."""
        from transformers import AutoProcessor

        folder, trusted = self.weights.fetch_all(), self._trust_remote_code
        try:
            return AutoProcessor.from_pretrained(folder, trust_remote_code=trusted)  # type: ignore[no-untyped-call]
        except (OSError, ValueError, ImportError) as error:
            raise UserError(
                f"the image processor does not load: {first_line(error)}",
                where=str(folder),
                fix="Some need more packages: pip install -r requirements-vision.txt.",
            ) from error

    @cached_property
    def _vision_model(self) -> Any:
        """The model; loaded at the first use."""
        from transformers import GenerationConfig as ModelDefaults

        model = self._load_model()
        # What the model's own file says has become our settings already.
        model.generation_config = ModelDefaults()  # type: ignore[no-untyped-call]
        return model

    @property
    def _mark(self) -> str:
        """What stands for an image in a text."""
        mark: str = self._processor.image_token
        has_frame = "<|vision_start|>" in self.tokenizer.get_vocab()
        return f"<|vision_start|>{mark}<|vision_end|>" if has_frame else mark

    @cached_property
    def _jobs(self) -> "Batcher[_Job, None]":
        return Batcher(self._write, 1)

    def _write(self, jobs: "Sequence[_Job]", _: Any) -> list[None]:
        """Write the completions of the one job in this batch."""
        [job] = jobs
        prompt = job.prompt
        inputs = self._build_inputs(prompt)
        ids = tuple(inputs["input_ids"][0].tolist())
        prefix = prompt.prefix_tokens or tuple(self.tokenizer.encode(prompt.prefix, add_special_tokens=False))
        detokenizer = Detokenizer(self.tokenizer, (*ids, *prefix), prefix)
        self._write_places(job, detokenizer, _append_prefix(inputs, prefix), range(prompt.n))
        return [None]

    def _write_places(
        self, job: "_Job", detokenizer: Detokenizer, inputs: dict[str, "Tensor"], places: Sequence[int]
    ) -> None:
        """Write the completions of so many places together; where memory runs out, those not whole yet in halves."""
        max_tokens = self.limit_tokens(len(detokenizer.prompt_ids), job.config)
        sequences = [detokenizer.begin_sequence(job.config, job.prompt.seeds[place], max_tokens) for place in places]

        def finish(at: int) -> None:
            """Hand on the completion of a sequence that has ended."""
            job.hand_on(places[at], detokenizer.build_completion(sequences[at]))

        shortage = ""
        try:
            _generate(self._vision_model, inputs, sequences, self.end_ids, finish, job)
        except (RuntimeError, MemoryError) as error:
            if not is_out_of_memory(error):
                raise
            shortage = first_line(error)
        rest = [place for place, each in zip(places, sequences, strict=True) if not each.finish_reason]
        if shortage and rest:  # out here the exception, which holds on to what did not fit, is gone
            for half in _halve(rest, len(places), shortage):
                self._write_places(job, detokenizer, inputs, half)
        for each in sequences:
            if each.error:
                raise each.error

    def _build_inputs(self, prompt: Prompt) -> dict[str, "Tensor"]:
        """Build the model's inputs for one completion, without the partial answer."""
        images = [open_image(image) for message in prompt.messages for image in message.images]
        text = self.render(prompt.messages)
        begins = bool(self.tokenizer.bos_token) and text.startswith(self.tokenizer.bos_token)
        try:
            return dict(
                self._processor(text=[text], images=images or None, return_tensors="pt", add_special_tokens=not begins)
            )
        except ValueError as error:
            raise EngineError(f"the model's processor refuses this prompt: {error}") from error


@dataclass(slots=True, eq=False)
class _Job:
    """A prompt to write to; `hand_on` takes each place with its completion, and `cancelled` is set by who leaves."""

    prompt: Prompt
    config: GenerationConfig
    hand_on: Callable[[int, Completion], None]
    cancelled: bool = False


def _halve(places: Sequence[int], n_tried: int, shortage: str) -> list[Sequence[int]]:
    """Return the places that are left in two parts, for less memory at once.

    Raises:
        EngineError: where a single one was tried.
    """
    if n_tried == 1:
        raise EngineError(
            f"out of memory with a single completion ({shortage})",
            fix=f"Use a smaller {named('max_new_tokens')}, smaller images, or a smaller dtype.",
        )
    half = (len(places) + 1) // 2
    logger.warning("out of memory; going on with {} completions at once ({})", half, shortage)
    return [part for part in (places[:half], places[half:]) if part]


def _split_parts(message: Message) -> str | list[dict[str, str]]:
    """Split a message into text and images in their order, as the chat templates of such models read them."""
    pieces = mark_images(message, "\0").content.split("\0")
    parts: list[dict[str, str]] = []
    for number, piece in enumerate(pieces):
        parts += [{"type": "image"}] * (number > 0) + [{"type": "text", "text": piece}] * bool(piece)
    return parts


def _append_prefix(inputs: dict[str, "Tensor"], prefix: Sequence[int]) -> dict[str, "Tensor"]:
    """Return the inputs with the tokens of a partial answer behind them."""
    import torch

    ids = inputs["input_ids"]
    further = {
        name: torch.tensor([list(prefix)], dtype=ids.dtype) if name == "input_ids" else value.new_zeros(1, len(prefix))
        for name, value in inputs.items()
        if value.shape == ids.shape
    }
    further["attention_mask"] = torch.ones_like(further["attention_mask"])
    return {
        name: torch.cat((value, further[name]), dim=1) if name in further else value for name, value in inputs.items()
    }


def _generate(
    model: Any,
    inputs: dict[str, "Tensor"],
    sequences: Sequence[SequenceState],
    end_ids: frozenset[int],
    finish: Callable[[int], None],
    job: _Job,
) -> None:
    """Let `generate` run the model, while `append_tokens` says each next token; call `finish` at the end of each."""
    import torch
    from transformers import LogitsProcessor, LogitsProcessorList, StoppingCriteria, StoppingCriteriaList

    class Choose(LogitsProcessor):
        """Leaves each sequence one token to choose, which `append_tokens` has sampled."""

        def __call__(self, ids: Any, scores: Any) -> Any:
            live = [at for at, each in enumerate(sequences) if not each.ended]
            append_tokens([sequences[at] for at in live], scores[live].float(), end_ids)
            for at in live:
                if sequences[at].finish_reason:
                    finish(at)
            chosen = torch.full_like(scores, -torch.inf)
            chosen[range(len(sequences)), [each.token_ids[-1] for each in sequences]] = 0.0
            return chosen

    class Ended(StoppingCriteria):
        """Tells which sequences have ended."""

        def __call__(self, ids: Any, scores: Any, **_: Any) -> Any:
            ended = [job.cancelled or each.ended for each in sequences]
            return torch.tensor(ended, device=ids.device)

    with torch.inference_mode():
        model.generate(
            **{name: torch.cat([value] * len(sequences)).to(model.device) for name, value in inputs.items()},
            do_sample=False,
            max_new_tokens=max(each.max_tokens for each in sequences),
            pad_token_id=0,
            logits_processor=LogitsProcessorList([Choose()]),
            stopping_criteria=StoppingCriteriaList([Ended()]),
        )
