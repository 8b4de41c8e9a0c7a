"""Providers: what answers, by the names that people know; each is an engine with defaults. One line adds one.

Why: whoever transforms a data set thinks of a service, not of the settings of a class.
Promises: every engine of the registry is a provider by its own name; no engine is built before everything is checked.
"""

from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

from inference_kit.errors import UserError, named
from inference_kit.models import ENGINES, Engine, HuggingFace, ModelScope, Ollama, OpenAI
from inference_kit.models.base import Capabilities
from inference_kit.models.local.hub import is_local
from inference_kit.records import Completion, GenerationConfig, Prompt
from inference_kit.registry import Entry, lookup, open_entry, read_settings
from inference_kit.transform.options import TransformOptions


class EchoRecord(Engine):
    """Answers with a header line and the last message, byte for byte; for dry runs and tests."""

    capabilities = Capabilities(prefix=False, logprobs=False)

    def __init__(self, model_path: str = "local") -> None:
        self.identity, self._header = f"echo:{model_path}", f"# echo: {model_path}\n"

    async def generate(self, prompt: Prompt, config: GenerationConfig) -> AsyncIterator[tuple[int, Completion]]:
        """Repeat the prompt's last message once for each seed."""
        text = self._header + prompt.messages[-1].content
        for position in range(prompt.n):
            yield position, Completion(text, "stop", tokens=text.count(" ") + 1)


@dataclass(frozen=True, slots=True)
class Provider:
    """A name for an engine: its class, and which options of a transformation are which of its settings.

    `address` says that it is a service, found by its address and asked for a model by name; `bare` that it is asked
    with the field alone, because it only repeats what it gets; `downloads` that it may fetch models by default.
    """

    entry: Entry
    address: bool = False
    bare: bool = False
    downloads: bool = False


def _serve(entry: Entry) -> Provider:
    return Provider(entry, address=True)


PROVIDERS: dict[str, Provider] = {
    "echo": Provider(EchoRecord, bare=True),
    "ollama": _serve(Ollama),
    "openai": _serve(partial(OpenAI, setting="base_url")),
    "hf": Provider(HuggingFace),
    "modelscope": Provider(ModelScope, downloads=True),
}


def find_provider(name: str) -> Provider:
    """Return a provider by its name, or an engine by its own.

    Raises:
        UserError: naming the known ones and the nearest.
    """
    table = {**{engine: Provider(entry) for engine, entry in ENGINES.items()}, **PROVIDERS}
    return lookup(table, name, "provider", where=named("provider"))


def choose_engine_settings(provider: Provider, options: TransformOptions) -> dict[str, Any]:
    """Return what the options of a transformation say as settings of the provider's engine."""
    known = read_settings(open_entry(provider.entry)[0])
    said: Mapping[str, Any] = {
        "api_model": options.model,
        "device": options.device,
        "max_batch_size": options.batch_size,
        "max_retries": options.retry,
        "server_concurrency": options.concurrency,
        "request_seconds": options.timeout,
        **({} if options.use_chat_template else {"template": "empty", "api": "completions"}),
    }
    return {name: value for name, value in said.items() if name in known}


def find_path(provider: Provider, options: TransformOptions) -> str | None:
    """Return what an engine is built with: the address of a service, or else the model.

    Raises:
        UserError: where a model is to be downloaded and may not be.
    """
    if provider.address:
        return options.base_url
    local_only = not provider.downloads if options.local_files_only is None else options.local_files_only
    model = options.model or ""
    if "device" in read_settings(open_entry(provider.entry)[0]) and local_only and not is_local(model):
        fix = f"Give the path of a folder, or {named('local_files_only')} false to download it."
        raise UserError(f"{model} is no folder here", where=named("model"), fix=fix)
    return model


def give_key(entry: Entry, key: str | None) -> Entry:
    """Return an entry that has a key for its service."""
    return partial(entry, api_key=key) if key else entry


def build_provider(name: str, model: str, **options: Any) -> Engine:
    """Build the engine of a provider, as `transform` does.

    Args:
        name: A provider, or an engine.
        model: Its model's name or path.
        options: More of the options of a transformation.

    Raises:
        UserError: for an unknown name or a setting out of range.
    """
    provider = find_provider(name)
    given = TransformOptions(provider=name, model=model, **options)
    path = find_path(provider, given)
    build: Callable[..., Engine] = give_key(provider.entry, given.api_key)
    return build(*([path] if path else []), **choose_engine_settings(provider, given))


ModelProvider = Engine
"""What a provider is: any engine. A class of one's own is one, and `PROVIDERS[name] = Provider(TheClass)` adds it."""
