"""Engine: runs a language model. The least to write is `vanilla_generate`, blocking, a batch in and a batch out.

Why: everything above (search, resume, accounting) needs only prompts in and completions out, so a new engine is one
method.
Promises: `identity` and `capabilities` are known without weights, which load at the first call; concurrent calls of a
blocking engine are joined into batches; a setting that an engine cannot do is refused by name, never ignored.
"""

from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from inference_kit.budget import Prices
from inference_kit.errors import UserError, named
from inference_kit.models.batching import Batcher
from inference_kit.records import Completion, GenerationConfig, Message, Prompt

NEUTRAL = GenerationConfig()
"""Its penalties, top_k, min_p and stop are the values that every engine accepts, because they change nothing."""


@dataclass(frozen=True, slots=True)
class Capabilities:
    """What an engine can do; `refused_settings` are names of settings that it cannot apply.

    `prefix` is the continuation of a partial answer, where `prefix_blind_settings` take no notice of what was written
    before; `logprobs` that completions come with their log-probability, `certainty` that token details see the
    whole vocabulary. `shares_prompt` says that a prompt is read once for all its completions, so that its tokens count
    once though each of them names them; else each names those that were read for it alone.
    """

    refused_settings: frozenset[str] = field(default_factory=frozenset)
    prefix_blind_settings: frozenset[str] = field(default_factory=frozenset)
    prefix: bool = True
    logprobs: bool = True
    certainty: bool = True
    images: bool = False
    shares_prompt: bool = True


class Engine:
    """Runs a language model.

    `identity` names everything that replies depend on, `former_identity` what it was in earlier versions where these
    made the same of it, and is empty where there is nothing to tell.
    `served_name` is what a server calls the model, empty where it is called by its path. `separator` is the text that
    ends a step; `concurrency` is how many problems keep the engine full; `prices` are None where tokens cost no money;
    `max_batch_size` is how many completions one `vanilla_generate` is asked for.
    """

    identity: str = ""
    former_identity: str = ""
    served_name: str = ""
    separator: str = "\n\n"
    capabilities: Capabilities = Capabilities()
    concurrency: int = 16
    prices: Prices | None = None
    max_batch_size: int = 64

    def vanilla_generate(self, prompts: Sequence[Prompt], config: GenerationConfig) -> list[list[Completion]]:
        """Write `prompt.n` completions for each prompt; blocking.

        Returns:
            One list for each prompt, its completions in the order of `prompt.seeds`.
        """
        raise NotImplementedError(f"{type(self).__name__} writes neither vanilla_generate nor generate")

    async def generate(self, prompt: Prompt, config: GenerationConfig) -> AsyncIterator[tuple[int, Completion]]:
        """Write the completions of one prompt, each with its position among `prompt.seeds`, as they finish.

        Calls that wait at the same time and share `config` are joined into one `vanilla_generate`, on a thread.
        """
        for position, completion in enumerate(await self._batcher.submit(prompt, config, size=prompt.n)):
            yield position, completion

    @cached_property
    def _batcher(self) -> Batcher[Prompt, list[Completion]]:
        return Batcher(self.vanilla_generate, self.max_batch_size)

    async def stream(self, prompt: Prompt, config: GenerationConfig) -> AsyncIterator[tuple[int, str | Completion]]:
        """Write the completions of one prompt like `generate`, and show their texts while they grow.

        Yields:
            A position among `prompt.seeds` with a piece of its text, or with its completion, which comes last; the
            pieces join to the completion's text. By default each text is one piece.
        """
        async for position, completion in self.generate(prompt, config):
            yield position, completion.text
            yield position, completion

    def generation_defaults(self) -> Mapping[str, Any]:
        """Return the model's own generation settings (`generation_config.json`), by our names."""
        return {}

    @property
    def context_length(self) -> int | None:
        """The longest prompt and completion together, in tokens; None where unknown."""
        return None

    def render(self, messages: Sequence[Message]) -> str:
        """Render messages as the model sees them, for showing; by default their contents, one a paragraph."""
        return "\n\n".join(message.content for message in messages)

    def as_known_here(self) -> "Engine | None":
        """Return an engine that tells what this one is without asking a server or a hub; None where that is not known.

        It tells `generation_defaults`, `context_length` and `capabilities`, for showing, and writes nothing.
        """
        return self

    async def close(self) -> None:
        """Give back processes, threads and memory."""

    def check(self, config: GenerationConfig) -> None:
        """Refuse what this engine cannot do.

        Raises:
            UserError: naming the setting, and `max_new_tokens` beyond the context.
        """
        for name in _find_changed(self.capabilities.refused_settings, config):
            raise UserError(
                f"engine {type(self).__name__} cannot apply {name}",
                where=named(name),
                fix=f"Leave it at {getattr(NEUTRAL, name)!r}, or use another engine.",
            )
        room = self.context_length
        if room is not None and config.max_new_tokens >= room:
            raise UserError(
                f"max_new_tokens {config.max_new_tokens} does not fit the model's context of {room} tokens",
                where=named("max_new_tokens"),
                fix=f"Choose less than {room}; the prompt needs room too.",
            )

    def check_continuation(self, config: GenerationConfig, method: str) -> None:
        """Refuse settings that would begin anew wherever `method` goes on with a partial answer.

        Raises:
            UserError: naming the setting.
        """
        for name in _find_changed(self.capabilities.prefix_blind_settings, config):
            raise UserError(
                f"{method} goes on with partial answers, where engine {type(self).__name__} would begin {name} anew",
                where=named(name),
                fix=f"Leave it at {getattr(NEUTRAL, name)!r}, or use best_of_n, self_consistency or huggingface.",
            )


def choose_concurrency(places: int) -> int:
    """Choose how many problems keep so many places busy: half as many again, so that a free one never waits."""
    return places + places // 2


def _find_changed(names: frozenset[str], config: GenerationConfig) -> list[str]:
    """Name those of the settings that are not neutral."""
    return sorted(name for name in names if getattr(config, name) != getattr(NEUTRAL, name))
