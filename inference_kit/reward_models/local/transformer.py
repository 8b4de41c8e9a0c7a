"""TransformerRewardModel: the base of reward models that are a `transformers` model, read at positions of a text.

Why: these formats differ in the text they show, in the positions, and in how an output becomes a score. All else is
here.
Promises: one raw score for each position. A step cannot forge what a format writes between steps, because special
tokens and marks inside steps and questions are spelled with a space. A text longer than the context is never cut: it
counts 0 and is reported with both lengths. Weights with another kind of head are refused before any work.
"""

import re
import threading
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Annotated, Any, ClassVar

from inference_kit.errors import EngineError, UserError, first_line, named
from inference_kit.models.local.adapters import Adapter, apply_adapters, resolve_adapters
from inference_kit.models.local.chat_text import render_chat, set_chat_template
from inference_kit.models.local.devices import Placement, is_out_of_memory
from inference_kit.models.local.loading import load_model, load_tokenizer
from inference_kit.models.local.quantization import check_quantization
from inference_kit.models.local.weights import Weights
from inference_kit.records import Message, Problem, Role, StepScores
from inference_kit.registry import flatten_settings
from inference_kit.reward_models.base import RewardModel, ScoreItem, TooLong
from inference_kit.reward_models.local.encoded_text import EncodedText
from inference_kit.reward_models.local.escape import build_escape
from inference_kit.reward_models.local.forward import BatchedForward
from inference_kit.reward_models.local.heads import count_head_outputs

HEAD_OF_TASK = {
    "CAUSAL_LM": "ForCausalLM",
    "SEQ_CLS": "ForSequenceClassification",
    "TOKEN_CLS": "ForTokenClassification",
}
"""How the name of an architecture ends with the head that an adapter was trained for, by peft's name of the task."""
SAVED_HEAD = r"base_model\.model\.(?:score|classifier)\.(?:\w+\.)*weight"
"""The weights of a head that an adapter brings."""
FORMAT_OF_HEAD = {
    "ForTokenClassification": "token_prm",
    "ForSequenceClassification": "sequence_orm",
    "ForProcessRewardModel": "qwen_prm",
    "Qwen2ForRewardModel": "qwen_rm",
}
"""The format to try instead, by the end of the architecture's name."""

CACHE_BYTES = 1 << 30
"""Memory for the keys and values of cached prefixes."""


@dataclass(frozen=True, slots=True)
class ScorerSettings:
    """How the weights of a reward model are run.

    Args:
        max_batch_size: Solutions in one forward pass at the most.
        base_model: The model that a LoRA adapter is put on, where not the one it names.
    """

    max_batch_size: int = 16
    base_model: str | None = None


@dataclass(frozen=True, slots=True)
class CachingSettings(ScorerSettings):
    """How the weights of a reward model are run that reads steps, and goes on where the beginning of a text was read.

    Args:
        cache_bytes: Memory for cached prefixes, so that a solution that grows is not read again; 0 is none.
    """

    cache_bytes: Annotated[int, 0] = CACHE_BYTES


class TransformerRewardModel(RewardModel, ABC):
    """A format says which text it shows (`encode_solution`), and how outputs become scores (`build_forward`).

    `kind` is the format's name, `auto_class` the class of `transformers` that loads the weights. `heads` are the ends
    of the architectures' names that the format can read, `marks` what it writes between steps.
    """

    kind: ClassVar[str]
    auto_class: ClassVar[str] = "AutoModelForCausalLM"
    heads: ClassVar[tuple[str, ...]] = ("ForCausalLM", "LMHeadModel", "ForConditionalGeneration")
    marks: ClassVar[tuple[str, ...]] = ()

    @flatten_settings
    def __init__(
        self,
        model_path: str,
        *,
        placement: Placement = Placement(),
        scorer: ScorerSettings = CachingSettings(),
    ) -> None:
        self.max_batch_size = scorer.max_batch_size
        self.cache_bytes = scorer.cache_bytes if isinstance(scorer, CachingSettings) else 0
        self._given, self._base_model = Weights(model_path, setting="reward_model_path"), scorer.base_model
        self._placement = placement
        self._lock = threading.Lock()

    @cached_property
    def identity(self) -> str:  # type: ignore[override]
        """Kind, name and digest of the weights, number format, and the settings that change scores."""
        settings = "".join(f":{setting!r}" for setting in self.score_settings)
        adapters = "".join(f"+{adapter.name}:{adapter.digest}" for adapter in self._adapters)
        return f"{self.kind}:{self._weights.name}:{self._weights.digest}{adapters}:{self._placement.dtype}{settings}"

    @cached_property
    def _weights(self) -> Weights:
        """The model itself: what was given, or the base of the adapter that was given."""
        return resolve_adapters(self._given, None, self._base_model, "reward_base_model")[0]

    @cached_property
    def _adapters(self) -> tuple[Adapter, ...]:
        """The LoRA adapter that was given, if it is one."""
        return resolve_adapters(self._given, None, self._base_model, "reward_base_model")[1]

    @property
    def architectures(self) -> tuple[str, ...]:
        """The names of the model's classes; an adapter's are those of its base with the head it was trained for."""
        names = self._weights.architectures
        head = HEAD_OF_TASK.get(self._adapters[0].task) if self._adapters else None
        return tuple(re.sub(r"(For\w+|LMHeadModel)$", head, name) for name in names) if head else names

    @cached_property
    def labels(self) -> tuple[str, ...]:
        """The names of a classification head's labels, which an adapter that brings a head does not tell."""
        return tuple(f"LABEL_{number}" for number in range(self._n_new_labels)) or self._weights.labels

    @cached_property
    def _n_new_labels(self) -> int:
        """Outputs of the head that an adapter brings; 0 where none does."""
        return next((count_head_outputs(each.folder, SAVED_HEAD) or 0 for each in self._adapters), 0)

    @property
    def score_settings(self) -> tuple[Any, ...]:
        """The settings that change scores."""
        return ()

    @abstractmethod
    def encode_solution(self, problem: Problem, steps: Sequence[str]) -> EncodedText:
        """Encode the whole text of one solution, with the positions at which scores are read.

        Args:
            problem: What is solved; its question is not escaped yet.
            steps: None of them blank, each escaped by `escape`.
        """

    @abstractmethod
    def build_forward(self) -> BatchedForward:
        """Load the weights and say how their outputs become raw scores."""

    def compute_step_scores(self, raw_scores: Sequence[float]) -> Sequence[float]:
        """Turn the raw scores of one text into step scores; by default they are the same."""
        return raw_scores

    def score_batch(self, items: Sequence[ScoreItem]) -> Sequence[StepScores | TooLong]:
        """Score all solutions together; the tokens counted are those of the whole text, however many were cached."""
        with self._lock:
            texts = [self.try_encoding(problem, steps) for problem, steps in items]
            raw_scores = iter(self._compute_in_memory([each for each in texts if isinstance(each, EncodedText)]))
        return [
            StepScores(tuple(self.compute_step_scores(next(raw_scores))), tokens=len(each.ids))
            if isinstance(each, EncodedText)
            else each
            for each in texts
        ]

    def _compute_in_memory(self, texts: Sequence[EncodedText]) -> list[tuple[float, ...]]:
        """Compute the raw scores of each text; where memory runs out, raise an error that says what to lower."""
        import torch

        try:
            with torch.inference_mode():
                return self.compute_raw_scores(texts) if texts else []
        except (RuntimeError, MemoryError) as error:
            if not is_out_of_memory(error):
                raise
            reason = first_line(error)
        # Out here the exception, which holds on to what did not fit, is gone; each text is tried alone next.
        raise EngineError(
            f"the reward model is out of memory with {len(texts)} texts of up to "
            f"{max(len(text.ids) for text in texts)} tokens ({reason})",
            fix=f"Use a smaller {named('reward_max_batch_size')} or {named('reward_cache_bytes')}, "
            f"{named('reward_dtype')} bfloat16 or another {named('reward_device')}.",
        )

    def try_encoding(self, problem: Problem, steps: Sequence[str]) -> EncodedText | TooLong:
        """Encode one solution among many; where it does not fit the context, return that error."""
        try:
            return self.encode_checked(problem, steps)
        except TooLong as error:
            return error

    def encode_checked(self, problem: Problem, steps: Sequence[str]) -> EncodedText:
        """Encode a solution without its blank steps.

        Raises:
            TooLong: where it does not fit the context.
            EngineError: where it holds a token that the model does not know.
        """
        text = self.encode_solution(problem, [self.escape(step) for step in steps if step.strip()])
        context = self._weights.context_length
        if context is not None and len(text.ids) > context:
            raise TooLong(
                f"the reward model would read {len(text.ids)} tokens and its context is {context}",
                fix=f"Use a reward model with a longer context, or a smaller {named('max_new_tokens')}.",
            )
        self._weights.check_ids(text.ids)
        return text

    def compute_raw_scores(self, texts: Sequence[EncodedText]) -> list[tuple[float, ...]]:
        """Compute the raw score at each position of each text."""
        return self._forward.compute_raw_scores(texts)

    def escape(self, text: str) -> str:
        """Put a space into each special token and mark in `text`, so that it is none: `<|end|>` becomes `< |end|>`."""
        return self._escape(text)

    def check(self) -> None:
        """Check architecture and head and, of weights that are here, the tokenizer.

        Raises:
            UserError: where this format cannot read them.
        """
        architectures = self.architectures
        if architectures and not any(name.endswith(self.heads) for name in architectures):
            other = next((kind for end, kind in FORMAT_OF_HEAD.items() if architectures[0].endswith(end)), "")
            raise UserError(
                f"the weights are a {architectures[0]}, and {self.kind} reads one whose name ends in "
                f"{' or '.join(self.heads)}",
                where=self._weights.path,
                fix=f"Try {named('reward_model')} {other}."
                if other
                else "Choose the format that the weights were made for.",
            )
        if self._weights.is_local:
            self._weights.fetch_all()
        self.check_head()
        if self._weights.is_local:
            self.check_tokens()

    def check_head(self) -> None:
        """Refuse a head with other outputs than this format reads; by default nothing is refused."""

    def check_tokens(self) -> None:
        """Refuse a tokenizer that lacks what the format writes; by default nothing is refused."""

    def encode(self, text: str) -> list[int]:
        """Encode a text; no special token is added."""
        return list(self.tokenizer.encode(text, add_special_tokens=False))

    def find_token(self, text: str, *, behind_space: bool = False) -> int:
        """Return the id of a text that has to be one token.

        Args:
            text: Without spaces around it.
            behind_space: Whether the token is the one that the text becomes behind a space.

        Raises:
            UserError: where it is more than one.
        """
        last = self.encode(f" {text}" if behind_space else text)[-1]
        if str(self.tokenizer.decode([last])).strip() == text:
            return last
        raise UserError(
            f"{text!r} is not one token of this model, and {self.kind} reads its scores there",
            where=self._weights.path,
            fix="Choose the format that the weights were made for.",
        )

    def render_chat(self, turns: Sequence[tuple[Role, str]]) -> str:
        """Apply the chat template to (role, content) turns.

        Where the last turn is not the assistant's, the text ends where the assistant's would begin.

        Raises:
            UserError: where there is no template, or none that shows what is said.
            EngineError: where it refuses these turns.
        """
        messages = [Message(role, content) for role, content in turns]
        return render_chat(self._chat_tokenizer, messages, add_generation_prompt=turns[-1][0] != "assistant")

    @cached_property
    def _chat_tokenizer(self) -> Any:
        """The tokenizer, whose chat template was tried."""
        if not self.tokenizer.chat_template:
            raise UserError(
                f"the tokenizer has no chat template, and {self.kind} shows a chat", where=self._weights.path
            )
        set_chat_template(self.tokenizer, None, self._weights.name)
        return self.tokenizer

    @cached_property
    def tokenizer(self) -> Any:
        """The model's tokenizer; an adapter may bring its own."""
        return load_tokenizer(self._given if self._given.has_tokenizer else self._weights)

    def load(self, weights: Weights | None = None) -> Any:
        """Load the format's own weights with their adapter, or others in the same way."""
        n_new_labels = 0 if weights else self._n_new_labels
        model = load_model(weights or self._weights, self.auto_class, self._placement, n_new_labels=n_new_labels)
        if weights or not self._adapters:
            return model
        merge = check_quantization(0, self._weights.whole_config) is None
        return apply_adapters(model, self._weights, self._adapters, merge=merge).eval()

    @cached_property
    def _forward(self) -> BatchedForward:
        return self.build_forward()

    @cached_property
    def _escape(self) -> Callable[[str], str]:
        return build_escape(self.tokenizer, self.marks)
