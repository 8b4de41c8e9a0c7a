"""What reward models have in common that are a `transformers` model read at chosen places of a text.

Why: they differ in the text they show, in the places, and in how an output becomes a score, and in nothing else.
Promises: one score for each place; what a format writes between steps cannot be forged by a step, because special
tokens and marks inside steps and questions are spelled with a space; a text longer than the context counts 0 and is
said with both lengths, never cut; weights with another kind of head are refused before any work.
"""

import re
import threading
from abc import ABC, abstractmethod
from collections.abc import Sequence
from functools import cached_property
from typing import Annotated, Any, ClassVar

from inference_kit.errors import EngineError, UserError, first_line
from inference_kit.models.local.chat_text import chat_text
from inference_kit.models.local.devices import Dtype, out_of_memory
from inference_kit.models.local.loading import load_model, load_tokenizer
from inference_kit.models.local.weights import Weights
from inference_kit.records import Message, Problem, Role, StepScores
from inference_kit.reward_models.base import RewardModel, ScoreItem, TooLong
from inference_kit.reward_models.local.forward import Reader
from inference_kit.reward_models.local.prefix_cache import Reading

OTHER_FORMATS = {"ForTokenClassification": "token_prm", "ForSequenceClassification": "sequence_orm"}
CACHE_BYTES = 1 << 30
"""Memory for the keys and values of beginnings that were read lately."""


class TransformerRewardModel(RewardModel, ABC):
    """Reads a text with `auto_class`; `heads` are the ends of the architectures' names that this format can read.

    `kind` is the format's name, `marks` what it writes between steps.

    Args:
        dtype: auto, bfloat16, float16 or float32.
        device: auto, cuda, mps or cpu.
        device_map: How accelerate spreads the layers over GPUs, such as auto; none keeps them on one device.
        max_batch_size: Solutions in one forward pass at the most.
        cache_bytes: Memory for beginnings of solutions, so that one that grows is not read again; 0 is none.
    """

    kind: ClassVar[str]
    auto_class: ClassVar[str] = "AutoModelForCausalLM"
    heads: ClassVar[tuple[str, ...]] = ("ForCausalLM", "LMHeadModel", "ForConditionalGeneration")
    marks: ClassVar[tuple[str, ...]] = ()

    def __init__(
        self,
        model_path: str,
        *,
        dtype: Dtype = "auto",
        device: str = "auto",
        device_map: str | None = None,
        max_batch_size: int = 16,
        cache_bytes: Annotated[int, 0] = CACHE_BYTES,
    ) -> None:
        self.max_batch_size, self.cache_bytes = max_batch_size, cache_bytes
        self._weights = Weights(model_path, flag="--reward-model-path")
        self._dtype, self._device, self._device_map = dtype, device, device_map
        self._lock = threading.Lock()

    @cached_property
    def identity(self) -> str:  # type: ignore[override]
        """Kind, name and digest of the weights, number format, and the settings that change scores."""
        settings = "".join(f":{setting!r}" for setting in self.settings())
        return f"{self.kind}:{self._weights.name}:{self._weights.digest}:{self._dtype}{settings}"

    def settings(self) -> tuple[Any, ...]:
        """The settings that change scores."""
        return ()

    @abstractmethod
    def reading(self, problem: Problem, steps: Sequence[str]) -> Reading:
        """The ids of the whole text and the places where scores are read; `steps` went through `plain`."""

    @abstractmethod
    def reader(self) -> Reader:
        """Load the weights."""

    def scores_of(self, values: Sequence[float]) -> Sequence[float]:
        """The scores, from the numbers at the places."""
        return values

    def score_batch(self, items: Sequence[ScoreItem]) -> Sequence[StepScores | TooLong]:
        """Read all solutions together; the tokens counted are those of the whole text, however many were known."""
        with self._lock:
            readings = [self.reading_or_error(problem, steps) for problem, steps in items]
            values = iter(self._values_in_memory([each for each in readings if isinstance(each, Reading)]))
        return [
            StepScores(tuple(self.scores_of(next(values))), tokens=len(each.ids)) if isinstance(each, Reading) else each
            for each in readings
        ]

    def _values_in_memory(self, readings: Sequence[Reading]) -> list[tuple[float, ...]]:
        """The numbers at the places of each text; where memory runs out, an error that says what to lower."""
        import torch

        try:
            with torch.inference_mode():
                return self.values(readings) if readings else []
        except (RuntimeError, MemoryError) as error:
            if not out_of_memory(error):
                raise
            reason = first_line(error)
        # Out here the exception, which holds on to what did not fit, is gone; each text is tried alone next.
        raise EngineError(
            f"the reward model is out of memory with {len(readings)} texts of up to "
            f"{max(len(reading.ids) for reading in readings)} tokens ({reason})",
            fix="Use a smaller --reward-max-batch-size or --reward-cache-bytes, --reward-dtype bfloat16 or another "
            "--reward-device.",
        )

    def reading_or_error(self, problem: Problem, steps: Sequence[str]) -> Reading | TooLong:
        """The checked reading of one solution among many, or that it does not fit the context."""
        try:
            return self.checked_reading(problem, steps)
        except TooLong as error:
            return error

    def checked_reading(self, problem: Problem, steps: Sequence[str]) -> Reading:
        """The reading of a solution without its blank steps.

        Raises:
            TooLong: where it does not fit the context.
            EngineError: where it holds a token that the model does not know.
        """
        reading = self.reading(problem, [self.plain(step) for step in steps if step.strip()])
        context = self._weights.context_length
        if context is not None and len(reading.ids) > context:
            raise TooLong(
                f"the reward model would read {len(reading.ids)} tokens and its context is {context}",
                fix="Use a reward model with a longer context, or a smaller --max-new-tokens.",
            )
        self._weights.check_ids(reading.ids)
        return reading

    def values(self, readings: Sequence[Reading]) -> list[tuple[float, ...]]:
        """The numbers at the places of each text."""
        return self._reader.values(readings)

    def plain(self, text: str) -> str:
        """`text` with a space inside whatever this format or the chat template could take for its own."""
        return self._reserved.sub(lambda found: f"{found[0][0]} {found[0][1:]}", text)

    def check(self) -> None:
        """Look at the architecture and, of weights that are here, at the tokenizer."""
        architectures = self._weights.architectures
        if architectures and not any(name.endswith(self.heads) for name in architectures):
            other = next((kind for end, kind in OTHER_FORMATS.items() if architectures[0].endswith(end)), "")
            raise UserError(
                f"the weights are a {architectures[0]}, and {self.kind} reads one whose name ends in "
                f"{' or '.join(self.heads)}",
                where=self._weights.path,
                fix=f"Try --reward-model {other}." if other else "Choose the format that the weights were made for.",
            )
        if self._weights.is_local:
            self._weights.whole_folder()
        self.check_head()
        if self._weights.is_local:
            self.check_tokens()

    def check_head(self) -> None:
        """Refuse a head with other outputs than this format reads; by default nothing is refused."""

    def check_tokens(self) -> None:
        """Refuse a tokenizer that lacks what the format writes; by default nothing is refused."""

    def encode(self, text: str) -> list[int]:
        """The ids of a text, with nothing added."""
        return list(self.tokenizer.encode(text, add_special_tokens=False))

    def single_id(self, text: str, *, behind_space: bool = False) -> int:
        """The id of a text that has to be one token.

        Raises:
            UserError: where it is not.
        """
        last = self.encode(f" {text}" if behind_space else text)[-1]
        if str(self.tokenizer.decode([last])).strip() == text:
            return last
        raise UserError(
            f"{text!r} is not one token of this model, and {self.kind} reads its scores there",
            where=self._weights.path,
            fix="Choose the format that the weights were made for.",
        )

    def chat(self, turns: Sequence[tuple[Role, str]]) -> str:
        """The chat template applied to (role, content) turns that end with the assistant's.

        Raises:
            UserError: where there is no template.
            EngineError: where it refuses these turns.
        """
        if not self.tokenizer.chat_template:
            raise UserError(
                f"the tokenizer has no chat template, and {self.kind} shows a chat", where=self._weights.path
            )
        messages = [Message(role, content) for role, content in turns]
        return chat_text(self.tokenizer, messages, asks=turns[-1][0] != "assistant")

    @cached_property
    def tokenizer(self) -> Any:
        """The model's tokenizer."""
        return load_tokenizer(self._weights)

    def load(self, weights: Weights | None = None) -> Any:
        """The model of its own weights or of others."""
        return load_model(
            weights or self._weights,
            self.auto_class,
            dtype=self._dtype,
            device=self._device,
            device_map=self._device_map,
        )

    @cached_property
    def _reader(self) -> Reader:
        return self.reader()

    @cached_property
    def _reserved(self) -> re.Pattern[str]:
        added = self.tokenizer.added_tokens_decoder.values()
        special = {str(token) for token in added if token.special and len(str(token)) > 1}
        names = sorted({*special, *self.marks}, key=len, reverse=True)
        return re.compile("|".join(map(re.escape, names)) or r"(?!)")
