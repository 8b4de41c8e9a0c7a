"""Vision: models that read images and text (LLaVA, Qwen-VL and their like), run by `generate` of `transformers`.

Why: each of these models has its own way to set images into a prompt, which its processor and `generate` know.
Promises: replies, steps, details, seeds and streams are as with `huggingface`; an image that cannot be read fails its
problem alone; prompts are written one after another, the completions of each together (`generate_loop`).
"""

import asyncio
from collections.abc import Sequence
from functools import cached_property
from threading import Lock
from typing import TYPE_CHECKING, Any

from inference_kit.errors import EngineError, UserError, first_line, named
from inference_kit.models.base import Capabilities
from inference_kit.models.decode.detokenize import Detokenizer
from inference_kit.models.decode.generate_loop import GenerateLoop
from inference_kit.models.decode.huggingface import HuggingFace
from inference_kit.models.decode.sequences import SequenceState
from inference_kit.models.local.chat_text import render_chat
from inference_kit.models.local.images import mark_images, open_image
from inference_kit.records import GenerationConfig, Message, Prompt

if TYPE_CHECKING:
    from torch import Tensor


class Vision(HuggingFace):
    """A model that reads images and text, by folder or hub id; its settings are those of `huggingface`."""

    auto_class = "AutoModelForImageTextToText"
    capabilities = Capabilities(images=True)

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

    def _build_loop(self) -> GenerateLoop:
        """Load the weights; `generate` runs them, which knows where images stand."""
        return GenerateLoop(self._load_model(), slots=self.max_batch_size, end_ids=self.end_ids)

    async def _begin_sequences(
        self, prompt: Prompt, config: GenerationConfig
    ) -> tuple[Detokenizer, list[SequenceState]]:
        """Begin a sequence for each completion of a prompt; its images are read on a thread."""
        return await asyncio.to_thread(self._begin_with_images, prompt, config)

    def _begin_with_images(self, prompt: Prompt, config: GenerationConfig) -> tuple[Detokenizer, list[SequenceState]]:
        """Begin a sequence for each completion of a prompt, with the model's inputs; one prompt at a time."""
        config = self.add_template_stops(config)
        with self._reading:  # tokenizers refuse to be used by two threads at once
            inputs = self._build_inputs(prompt)
            ids = tuple(inputs["input_ids"][0].tolist())
            prefix = prompt.prefix_tokens or tuple(self.tokenizer.encode(prompt.prefix, add_special_tokens=False))
            detokenizer = Detokenizer(self.tokenizer, (*ids, *prefix), prefix)
            max_tokens = self.limit_tokens(len(detokenizer.prompt_ids), config)
            sequences = [detokenizer.begin_sequence(config, seed, max_tokens) for seed in prompt.seeds]
        whole = _append_prefix(inputs, prefix)
        for sequence in sequences:
            sequence.inputs = whole
        return detokenizer, sequences

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

    @property
    def _mark(self) -> str:
        """What stands for an image in a text."""
        mark: str = self._processor.image_token
        has_frame = "<|vision_start|>" in self.tokenizer.get_vocab()
        return f"<|vision_start|>{mark}<|vision_end|>" if has_frame else mark

    @cached_property
    def _reading(self) -> Lock:
        return Lock()

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
