"""Sources: what `model_name_or_path` means, and the engine that runs it.

Why: a registered name, an address, a folder and a hub id are all just a text; whoever reads it should say what it took
it for.
Promises: registered name, address, folder, name on the server at `api_base`, hub id, in this order; what looks like a
path is never tried as a hub id; every error about the model says what it was taken for and why. The bundled models are
registered; other registries come in as an argument.
"""

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from loguru import logger

from inference_kit.config import GENERATION_SETTINGS
from inference_kit.decoders.settings import WHERE, BadArgument, Options, Told
from inference_kit.errors import UserError, spell_settings
from inference_kit.models import ENGINES
from inference_kit.models.auto import choose_engine
from inference_kit.models.base import Engine
from inference_kit.models.decode.huggingface import HuggingFace
from inference_kit.models.echo import Echo
from inference_kit.models.http.ollama import ADDRESS, Ollama
from inference_kit.models.http.openai import OpenAI
from inference_kit.models.local.hub import is_local
from inference_kit.registry import Entry, lookup, name_of, opened, settings_of
from inference_kit.reward_models import REWARD_MODELS
from inference_kit.reward_models.base import RewardModel
from inference_kit.reward_models.formats.likelihood import Likelihood

_BUNDLED = Path(__file__).parents[1] / "bundled"
MODELS: Mapping[str, Entry] = {
    "abacus": partial(HuggingFace, str(_BUNDLED / "abacus"), separator="\n", max_batch_size=128),
    "echo": Echo,
}
REWARD_NAMES: Mapping[str, Entry] = {"abacus_prm": partial(Likelihood, str(_BUNDLED / "abacus_prm"), separator="\n")}
SERVICES = {"openai": "https://api.openai.com/v1", "ollama": ADDRESS}
"""Engines that are servers, and where they are if nothing is said."""
NO_KEY = "EMPTY"
"""What a server gets that was given no key; most that need none want to see one."""


@dataclass(frozen=True, slots=True)
class Source:
    """What a model's name was taken for.

    `entry` is the registry's; else `path` is a folder, hub id or address, and `remote` the model's name on a server.
    """

    name: str
    taken_for: str
    entry: Entry | None = None
    path: str = ""
    backend: str = "auto"
    remote: str | None = None


@dataclass(frozen=True, slots=True)
class Model:
    """An engine, the backend's name, the model's, and the generation settings that its registry entry fixes."""

    engine: Engine
    backend: str
    name: str
    generation: Mapping[str, Any]


def find_source(name: str, options: Options, models: Mapping[str, Entry]) -> Source:
    """Say what `name` means; nobody is asked.

    Raises:
        BadArgument: for a folder that is not there, and a backend that runs no such thing.
    """
    if not isinstance(name, str) or not name.strip():
        raise BadArgument(f"must be a text, got {name!r}", where="model_name_or_path")
    backend = options.backend
    if backend == "auto" and name in models:
        return Source(name, "a registered name", models[name])
    if backend in SERVICES or "://" in name or (options.api_base and not is_local(name) and backend == "auto"):
        return _on_server(name, options)
    if options.model or options.api_base or options.api_key:
        logger.warning("model, api_base and api_key have no effect: {} is no server", name)
    if backend == "echo":
        return Source(name, "anything, because of its backend", None, name, backend)
    if is_local(name):
        return _in_folder(name, backend)
    return Source(name, "a hub id, because it is no registered name, address or folder", None, name, backend)


def _on_server(name: str, options: Options) -> Source:
    backend, is_address = options.backend, "://" in name
    if backend not in ("auto", *SERVICES):
        raise BadArgument(
            f"backend {backend!r} runs folders and hub ids, and {name!r} is an address",
            where=WHERE,
            fix="Leave backend out.",
        )
    address = options.api_base or (name if is_address else SERVICES.get(backend, ""))
    if is_address:
        return Source(name, "an address, because of its ://", None, address, backend, options.model)
    why = "the name of a model on a server, because of its backend or api_base"
    return Source(name, why, None, address, backend, options.model or name)


def _in_folder(name: str, backend: str) -> Source:
    folder = Path(name).expanduser()
    taken_for = f"a local path, because {'it is there' if folder.exists() else 'of how it begins'}"
    if not folder.is_dir():
        raise BadArgument(
            f"no such folder; it was taken for {taken_for}", where=name, fix="Give a folder with weights."
        )
    return Source(name, taken_for, None, name, backend)


def load_model(source: Source, told: Told) -> Model:
    """Make the engine of a source; a server or hub may be asked what is there.

    Raises:
        UserError: saying what the name was taken for.
    """
    try:
        return _registered(source, source.entry, told) if source.entry else _by_path(source, told)
    except BadArgument:
        raise
    except UserError as error:
        raise explained(error, source) from error


def explained(error: UserError, source: Source) -> UserError:
    """The same error with what the name was taken for, and hyperparameters in the place of flags."""
    what = f"{error.what} ({source.name!r} was taken for {source.taken_for})"
    return UserError(spoken(what), where=spoken(error.where), fix=spoken(error.fix))


def find_reward_model(
    named: str | RewardModel | None, path: str | None, names: Mapping[str, Entry]
) -> RewardModel | None:
    """The reward model that a decoder was told, by a registered name or by a format and its path."""
    if named is None or isinstance(named, RewardModel):
        return named
    entries: dict[str, Entry] = {**REWARD_MODELS, **names}
    entry = lookup(entries, named, "reward model", where=WHERE)
    target, arguments, keywords = opened(entry)
    try:
        made: RewardModel = target(*([path] if path else arguments), **keywords)
    except TypeError as error:
        raise BadArgument(f"reward model {named!r} cannot be made: {error}", where=WHERE) from error
    return made


def _registered(source: Source, entry: Entry, told: Told) -> Model:
    target, arguments, keywords = opened(entry)
    generation = {name: value for name, value in keywords.items() if name in GENERATION_SETTINGS}
    fixed = {name: value for name, value in keywords.items() if name not in generation}
    backend = name_of(entry, ENGINES)
    engine = target(*arguments, **{**fixed, **_settings(target, backend, told)})
    return Model(engine, backend, source.name, generation)


def _by_path(source: Source, told: Told) -> Model:
    backend = choose_engine(source.path).engine if source.backend == "auto" else source.backend
    settings = _settings(ENGINES[backend], backend, told)
    if backend not in SERVICES:
        return Model(ENGINES[backend](source.path, **settings), backend, source.name, {})
    engine: OpenAI | Ollama
    asked = {**settings, **({"api_model": source.remote} if source.remote else {})}
    if backend == "openai":
        engine = OpenAI(source.path, _key(told.options, asked), **asked)
    else:
        engine = Ollama(source.path, **asked)
    return Model(engine, backend, source.remote or asked.get("api_model") or _only_model(engine, source), {})


def _settings(target: Entry, backend: str, told: Told) -> dict[str, Any]:
    """The engine's own settings, with those that send text as it is where that is asked for."""
    known, settings = settings_of(target), dict(told.engine)
    if not told.options.use_chat_template:
        if backend == "openai":
            settings["api"] = "completions"
        elif "template" in known:
            settings["template"] = "empty"
        elif backend != "echo":
            raise BadArgument(f"{backend} cannot do without a chat template", where="use_chat_template")
    if foreign := sorted({*settings} - {*known}):
        raise BadArgument(f"{backend} has no setting {foreign[0]}", where=WHERE, fix=f"It has {', '.join(known)}.")
    return {name: tuple(value) if isinstance(value, list) else value for name, value in settings.items()}


def _key(options: Options, settings: Mapping[str, Any]) -> str:
    """The key given, nothing where the environment has one, or what stands for none."""
    if options.api_key:
        return options.api_key
    return "" if os.environ.get(settings.get("api_key_env", "OPENAI_API_KEY"), "").strip() else NO_KEY


def _only_model(engine: OpenAI | Ollama, source: Source) -> str:
    """The name of the only model of a server.

    Raises:
        BadArgument: listing them where there are several.
    """
    names = engine.served_models
    if len(names) > 1:
        raise BadArgument(
            "several models are served", where=source.path, fix=f"Name one as `model`: {', '.join(names[:20])}."
        )
    return names[0] if names else source.name


def spoken(text: str) -> str:
    """`text` with the names of hyperparameters where it has flags."""
    named = spell_settings(text).replace("--model-path", "model_name_or_path")
    return re.sub(r"--(\w[\w-]*)", lambda flag: flag[1].replace("-", "_"), named)
