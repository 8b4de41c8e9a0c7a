"""LocalModel: what engines have in common that run a model in Hugging Face layout on this machine.

Why: whether `transformers` or vLLM runs the weights, the same words stand for the same prompt, the same tokens end a
reply, and the same folder is the same model.
Promises: identity, settings and context length are known without weights; the tokens of a partial answer stay as they
are; a prompt that does not fit is refused with both lengths, never cut.
"""

from collections.abc import Mapping, Sequence
from copy import copy
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, ClassVar

from loguru import logger

from inference_kit.errors import EngineError, NoRoom, UserError, named
from inference_kit.models.base import Engine
from inference_kit.models.decode.detokenize import Detokenizer
from inference_kit.models.local.adapters import Adapter, resolve_adapters, warn_of_other_bases
from inference_kit.models.local.chat_text import render_chat, set_chat_template, split_stops
from inference_kit.models.local.hub import NotHere, fetch_from_huggingface, find_of_huggingface
from inference_kit.models.local.loading import load_tokenizer
from inference_kit.models.local.small_files import (
    digest_code,
    digest_further_files,
    digest_tokenizer,
    read_chat_template,
)
from inference_kit.models.local.template_variables import read_variables
from inference_kit.models.local.weights import Weights
from inference_kit.records import GenerationConfig, Message, Prompt
from inference_kit.templates.chat_templates import load_chat_template

HEADS_WITHOUT_TEXT = ("ForSequenceClassification", "ForTokenClassification", "ForMaskedLM", "ForQuestionAnswering")
"""How the names of architectures end that cannot be asked for text, though some would load as if they could."""
NEUTRAL_VALUES: tuple[Any, ...] = (None, 0, 1, [], {})
"""What a setting of `generation_config.json` is where it changes nothing."""
NOT_APPLIED = (
    "bad_words_ids",
    "begin_suppress_tokens",
    "dola_layers",
    "encoder_repetition_penalty",
    "epsilon_cutoff",
    "eta_cutoff",
    "exponential_decay_length_penalty",
    "force_words_ids",
    "forced_bos_token_id",
    "forced_eos_token_id",
    "guidance_scale",
    "min_length",
    "min_new_tokens",
    "no_repeat_ngram_size",
    "num_beams",
    "num_return_sequences",
    "penalty_alpha",
    "sequence_bias",
    "suppress_tokens",
    "top_h",
    "typical_p",
)
"""Settings of `generation_config.json` that change what `transformers` writes and that we have no counterpart of."""
APPLIED = ("max_new_tokens", "temperature", "top_p", "top_k", "min_p", "repetition_penalty")
"""Settings of `generation_config.json` that are ours as well, by the same names."""


@dataclass(frozen=True, slots=True)
class ModelSettings:
    """Which weights a model is, and how a conversation is shown to it.

    Args:
        separator: Text that ends a step.
        template: A chat template by name, in the place of the tokenizer's own.
        chat_template: A chat template from a Jinja file.
        revision: Branch, tag or commit on the hub.
        base_model: The model an adapter is put on, where not the one it names; lends its tokenizer to weights without.
        adapter_path: LoRA adapters to put on the model, several with commas.
        trust_remote_code: Run code that comes with the weights.
        thinking: Whether the model thinks, where its chat template can say so; the template's own if not given.
        reasoning_effort: How long it thinks, such as low, where its chat template can say so.
        template_date: The date that chat templates write which read the clock; 2024-07-26 if not given.
        chat_template_kwargs: Further variables of the chat template, as a JSON object.
    """

    separator: str = "\n\n"
    template: str | None = None
    chat_template: str | None = None
    revision: str | None = None
    base_model: str | None = None
    adapter_path: str | None = None
    trust_remote_code: bool = False
    thinking: bool | None = None
    reasoning_effort: str | None = None
    template_date: str | None = None
    chat_template_kwargs: dict[str, Any] | None = None


class LocalModel(Engine):
    """A model by folder or hub id, or a LoRA adapter, which brings its base."""

    reads_gguf: ClassVar[bool] = False
    fetch = staticmethod(fetch_from_huggingface)
    find = staticmethod(find_of_huggingface)
    """Like `fetch`, for what is on this machine already."""

    def __init__(self, model_path: str, model: ModelSettings) -> None:
        self.separator = model.separator
        self._given = Weights(model_path, model.revision, fetch=self.fetch)
        self._base_model, self._adapter_path = model.base_model, model.adapter_path
        self._template = load_chat_template(model.template, model.chat_template)
        self._trust_remote_code = model.trust_remote_code
        self._variables = read_variables(
            model.thinking, model.reasoning_effort, model.template_date, model.chat_template_kwargs
        )

    @cached_property
    def weights(self) -> Weights:
        """The model itself: what was given, or the base of the adapter that was given."""
        return resolve_adapters(self._given, self._adapter_path, self._base_model)[0]

    @cached_property
    def adapters(self) -> tuple[Adapter, ...]:
        """What is put on the model."""
        return resolve_adapters(self._given, self._adapter_path, self._base_model)[1]

    def build_identity(self, kind: str, *settings: str) -> str:
        """Name everything that replies depend on: weights, adapters, settings, and a chat template of one's own."""
        adapters = "".join(f"+{adapter.name}:{adapter.digest}" for adapter in self.adapters)
        further = "".join(f":{setting}" for setting in settings if setting)
        own_template = f":{self._template.digest}" if self._template else ""
        named = f"{kind}:{self.weights.name}:{self.weights.digest}{adapters}{further}{own_template}"
        return f"{named}{self._further_identity}{self._variables.identify(self._template_text)}"

    @property
    def former_identity(self) -> str:  # type: ignore[override]
        """The identity before ends, code and further files of tokenizers counted; empty where prompts differ, too."""
        further = self._further_identity
        asked = self._variables.identify(self._template_text)
        return self.identity.removesuffix(further) if further and not asked else ""

    @cached_property
    def _further_identity(self) -> str:
        """What most models do not have: ends of their own, code, and further files of tokenizers."""
        config, own = (_read_ids(each.get("eos_token_id")) for each in (self.weights.config, self.weights.generation))
        ends = ",".join(map(str, sorted(own - config)))
        code = digest_code(self.weights) if self._trust_remote_code else ""
        lent = digest_tokenizer(self._lender)
        lent = lent if lent != digest_tokenizer(self.weights) else ""
        parts = {"ends": ends, "code": code, "files": digest_further_files(self.weights), "tokenizer": lent}
        return "".join(f":{name}={value}" for name, value in parts.items() if value)

    @cached_property
    def _template_text(self) -> str:
        return self._template.text if self._template else read_chat_template(self._lender)

    def check(self, config: GenerationConfig) -> None:
        """Refuse what this model cannot do, and a model that scores and does not write."""
        super().check(config)
        if self.weights.gguf and not self.reads_gguf:
            raise UserError(
                f"{self.weights.gguf.name} is a GGUF file, which {type(self).__name__} does not read",
                where=named("model_path"),
                fix=f"Use {named('model')} huggingface, or a folder with config.json and *.safetensors.",
            )
        for name in self.weights.architectures:
            if name.endswith(HEADS_WITHOUT_TEXT):
                raise UserError(
                    f"{self.weights.name} is a {name}, which does not write text",
                    where=named("model_path"),
                    fix="Give a model whose name ends in ForCausalLM; one that scores solutions is a "
                    f"{named('reward_model')}.",
                )
        self._variables.check(self._template_text, self.weights.name)
        warn_of_other_bases(self.weights, self.adapters)
        if left_out := [name for name in NOT_APPLIED if self.weights.generation.get(name) not in NEUTRAL_VALUES]:
            logger.warning(
                "generation_config.json of {} sets {}, which this engine cannot apply",
                self.weights.name,
                ", ".join(left_out),
            )

    @property
    def context_length(self) -> int | None:
        """The longest prompt and completion together, in tokens."""
        return self.weights.context_length

    def generation_defaults(self) -> Mapping[str, Any]:
        """Return the settings of `generation_config.json`; `do_sample: false` there is temperature 0."""
        own = self.weights.generation
        found = {name: own[name] for name in APPLIED if own.get(name) is not None}
        if own.get("stop_strings"):
            found["stop"] = own["stop_strings"]
        if own.get("do_sample") is False:
            found["temperature"] = 0.0
        return found

    def as_known_here(self) -> Engine | None:
        """Return this engine over what is on this machine of its weights; None where a hub would have to be asked."""
        found = copy(self)
        found._given = replace(self._given, fetch=self.find)
        for name in ("weights", "_lender", "_template_text", "_further_identity"):
            found.__dict__.pop(name, None)
        try:
            return found if found.weights.folder else None
        except NotHere:
            return None

    def render(self, messages: Sequence[Message]) -> str:
        """Render messages by the chat template; needs the tokenizer, not the weights."""
        return render_chat(self.tokenizer, messages, variables=self._variables)

    @cached_property
    def tokenizer(self) -> Any:
        """The tokenizer; its chat template is the one set."""
        tokenizer = load_tokenizer(self._lender, trust_remote_code=self._trust_remote_code)
        set_chat_template(tokenizer, self._template, self.weights.name, self._variables)
        return tokenizer

    @cached_property
    def _lender(self) -> Weights:
        """Whose tokenizer is used: that of what was given where it has one, else the base model's."""
        lenders = [self._given, self.weights]
        if self._base_model:
            lenders.append(Weights(self._base_model, setting="base_model", fetch=self.fetch))
        return next((weights for weights in lenders if weights.has_tokenizer), self.weights)

    @cached_property
    def end_ids(self) -> frozenset[int]:
        """The tokens that end a reply: the model's, the tokenizer's and the chat template's."""
        given = (self.weights.generation.get("eos_token_id"), self.weights.config.get("eos_token_id"))
        own = frozenset().union(*map(_read_ids, (*given, self.tokenizer.eos_token_id)))
        return own | split_stops(self.tokenizer, self._template)[0]

    def add_template_stops(self, config: GenerationConfig) -> GenerationConfig:
        """Add the stop texts of the chat template to the settings."""
        stop = split_stops(self.tokenizer, self._template)[1]
        return replace(config, stop=(*config.stop, *stop)) if stop else config

    def build_detokenizer(self, prompt: Prompt) -> Detokenizer:
        """Encode a prompt, for what detokenizes its replies; a partial answer keeps the tokens it was written in.

        Raises:
            EngineError: where a message holds an image, or a token that the model does not know.
        """
        if any(message.images for message in prompt.messages):
            raise EngineError(
                f"the messages hold images, and {type(self).__name__} reads text only",
                fix=f"Use {named('model')} vision with a model that reads images, or a server.",
            )
        rendered = self.render(prompt.messages)
        ids = self._encode(rendered)
        if prompt.prefix_tokens:
            prefix = prompt.prefix_tokens
        else:
            whole = self._encode(rendered + prompt.prefix)
            prefix = whole[len(ids) :] if whole[: len(ids)] == ids else self._encode(prompt.prefix, alone=True)
        self.weights.check_ids((*ids, *prefix))
        return Detokenizer(self.tokenizer, (*ids, *prefix), prefix)

    def limit_tokens(self, n_prompt_tokens: int, config: GenerationConfig) -> int:
        """Return how many tokens may be written.

        Raises:
            NoRoom: where the prompt leaves none.
        """
        context = self.context_length
        if context is None:
            return config.max_new_tokens
        if n_prompt_tokens >= context:
            raise NoRoom(
                f"the prompt has {n_prompt_tokens} tokens and the model's context {context}",
                fix="Shorten the prompt, or use a model with a longer context.",
            )
        return min(config.max_new_tokens, context - n_prompt_tokens)

    def check_ranks(self, ranks: Sequence[int]) -> None:
        """Refuse ranks of first tokens beyond the vocabulary.

        Raises:
            EngineError: with how many it has.
        """
        vocabulary = self.weights.vocabulary
        if not 0 <= min(ranks) <= max(ranks) < vocabulary:
            raise EngineError(
                f"there is no first token of rank {max(ranks)}, the model knows {vocabulary}",
                fix="Branch into fewer completions.",
            )

    def _encode(self, text: str, *, alone: bool = False) -> tuple[int, ...]:
        """Encode a text, with the tokenizer's special tokens only where no chat template writes them."""
        special = not self.tokenizer.chat_template and not alone
        return tuple(self.tokenizer.encode(text, add_special_tokens=special))


def _read_ids(value: int | list[int] | None) -> frozenset[int]:
    """Read token ids as configurations give them: none, one or a list."""
    return frozenset(value if isinstance(value, list) else [] if value is None else [value])
