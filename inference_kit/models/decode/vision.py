"""Vision: models that read images and text (LLaVA, Qwen-VL and their like), written with by `transformers.generate`.

Why: each of these models has its own way to set images into a prompt, which its processor and `generate` know; each
row still draws by its own seed, with our sampler.
Promises: replies, steps, details and seeds are as with `huggingface`; an image that cannot be read fails its problem
alone; prompts are written one after another, the completions of each together, or in halves where memory runs out.
"""

from collections.abc import Sequence
from dataclasses import replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

from loguru import logger

from inference_kit.errors import EngineError, UserError, first_line
from inference_kit.models.base import Capabilities, Engine
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
    generate, stream = Engine.generate, Engine.stream

    def check(self, config: GenerationConfig) -> None:
        """Refuse what the engine cannot do, a model without eyes above all."""
        super().check(config)
        if "vision_config" not in self.weights.whole_config:
            raise UserError(
                f"{self.weights.name} reads text only", where="--model vision", fix="Use --model huggingface or auto."
            )

    def render(self, messages: Sequence[Message]) -> str:
        """The prompt with the chat template applied and a mark for each image."""
        if self._template is not None or not self._processor.chat_template:
            mark = self._mark
            return render_chat(self.tokenizer, [mark_images(message, mark) for message in messages])
        turns = [{"role": message.role, "content": _parts(message)} for message in messages]
        text: str = self._processor.apply_chat_template(turns, tokenize=False, add_generation_prompt=True)
        return text

    def vanilla_generate(self, prompts: Sequence[Prompt], config: GenerationConfig) -> list[list[Completion]]:
        """Write the completions of each prompt, one prompt after another."""
        return [self._write(prompt, self.add_template_stops(config)) for prompt in prompts]

    async def close(self) -> None:
        """Drop the weights."""
        self.__dict__.pop("_seeing", None)

    @cached_property
    def _processor(self) -> Any:
        from transformers import AutoProcessor

        folder, trusted = self.weights.whole_folder(), self._trust_remote_code
        try:
            return AutoProcessor.from_pretrained(folder, trust_remote_code=trusted)  # type: ignore[no-untyped-call]
        except (OSError, ValueError, ImportError) as error:
            raise UserError(
                f"the image processor does not load: {first_line(error)}",
                where=str(folder),
                fix="Some need more packages: pip install -r requirements-vision.txt.",
            ) from error

    @cached_property
    def _seeing(self) -> Any:
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

    def _write(self, prompt: Prompt, config: GenerationConfig) -> list[Completion]:
        inputs = self._inputs(prompt)
        ids = tuple(inputs["input_ids"][0].tolist())
        prefix = prompt.prefix_tokens or tuple(self.tokenizer.encode(prompt.prefix, add_special_tokens=False))
        text = Detokenizer(self.tokenizer, (*ids, *prefix), prefix)
        room = self.limit_tokens(len(text.prompt_ids), config)
        rows = [text.begin_sequence(config, seed, room) for seed in prompt.seeds]
        reason = ""
        try:
            _generate(self._seeing, _continued(inputs, prefix), rows, self.end_ids)
        except (RuntimeError, MemoryError) as error:
            if not is_out_of_memory(error):
                raise
            reason = first_line(error)
        if reason:  # out here the exception, which holds on to what did not fit, is gone
            return self._write_in_halves(prompt, config, reason)
        for row in rows:
            if row.error:
                raise row.error
        return [text.build_completion(row) for row in rows]

    def _write_in_halves(self, prompt: Prompt, config: GenerationConfig, reason: str) -> list[Completion]:
        if prompt.n == 1:
            raise EngineError(
                f"out of memory with a single completion ({reason})",
                fix="Use a smaller --max-new-tokens, smaller images, or a smaller dtype.",
            )
        half = (prompt.n + 1) // 2
        logger.warning("out of memory; going on with {} completions at once ({})", half, reason)
        parts = (replace(prompt, seeds=seeds) for seeds in (prompt.seeds[:half], prompt.seeds[half:]))
        return [completion for part in parts for completion in self._write(part, config)]

    def _inputs(self, prompt: Prompt) -> dict[str, "Tensor"]:
        """The model's inputs for one row, without the partial answer."""
        images = [open_image(image) for message in prompt.messages for image in message.images]
        text = self.render(prompt.messages)
        begins = bool(self.tokenizer.bos_token) and text.startswith(self.tokenizer.bos_token)
        try:
            return dict(
                self._processor(text=[text], images=images or None, return_tensors="pt", add_special_tokens=not begins)
            )
        except ValueError as error:
            raise EngineError(f"the model's processor refuses this prompt: {error}") from error


def _parts(message: Message) -> str | list[dict[str, str]]:
    """Text and images in their order, as the chat templates of such models read them."""
    pieces = mark_images(message, "\0").content.split("\0")
    parts: list[dict[str, str]] = []
    for number, piece in enumerate(pieces):
        parts += [{"type": "image"}] * (number > 0) + [{"type": "text", "text": piece}] * bool(piece)
    return parts


def _continued(inputs: dict[str, "Tensor"], prefix: Sequence[int]) -> dict[str, "Tensor"]:
    """The inputs with the tokens of a partial answer behind them."""
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


def _generate(model: Any, inputs: dict[str, "Tensor"], rows: Sequence[SequenceState], eos: frozenset[int]) -> None:
    """Let `generate` run the model, while `choose` says each row's next token and when it ends."""
    import torch
    from transformers import LogitsProcessor, LogitsProcessorList, StoppingCriteria, StoppingCriteriaList

    class Choose(LogitsProcessor):
        def __call__(self, ids: Any, scores: Any) -> Any:
            live = [place for place, row in enumerate(rows) if not (row.finish_reason or row.error)]
            append_tokens([rows[place] for place in live], scores[live].float(), eos)
            chosen = torch.full_like(scores, -torch.inf)
            chosen[range(len(rows)), [row.token_ids[-1] for row in rows]] = 0.0
            return chosen

    class Ended(StoppingCriteria):
        def __call__(self, ids: Any, scores: Any, **_: Any) -> Any:
            return torch.tensor([bool(row.finish_reason or row.error) for row in rows], device=ids.device)

    with torch.inference_mode():
        model.generate(
            **{name: torch.cat([value] * len(rows)).to(model.device) for name, value in inputs.items()},
            do_sample=False,
            max_new_tokens=max(row.max_tokens for row in rows),
            pad_token_id=0,
            logits_processor=LogitsProcessorList([Choose()]),
            stopping_criteria=StoppingCriteriaList([Ended()]),
        )
