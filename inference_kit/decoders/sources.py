"""Sources: what `model_name_or_path` means, as names and settings that setup knows.

Why: a registered name, an address, a folder and a hub id are all just a text; whoever reads it should say what it took
it for.
Promises: an engine that is open already, registered name, address, folder, name on the server at `api_base`, hub id, in
this order; what looks like a path is never tried as a hub id; every error about a model that is not registered says
what it was taken for and why. The bundled models are registered; other registries come in as an argument.
"""

import os
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

from loguru import logger

from inference_kit.config import Level
from inference_kit.decoders.settings import WHERE, BadArgument, Told
from inference_kit.errors import UserError, named
from inference_kit.models import ENGINES
from inference_kit.models.auto import choose_engine
from inference_kit.models.base import Engine
from inference_kit.models.decode.huggingface import HuggingFace
from inference_kit.models.echo import Echo
from inference_kit.models.http.address import OLLAMA_ADDRESS
from inference_kit.models.http.ollama import Ollama
from inference_kit.models.http.openai import OpenAI
from inference_kit.models.local.hub import is_local
from inference_kit.registry import Entry, open_entry, read_settings
from inference_kit.reward_models.formats.likelihood import Likelihood
from inference_kit.setup.choose import choose_parts
from inference_kit.setup.names import Named, check_names, select
from inference_kit.setup.opener import Opener
from inference_kit.setup.parts import Parts
from inference_kit.setup.registries import Registries
from inference_kit.setup.request import Request

_BUNDLED = Path(__file__).parents[1] / "bundled"
MODELS: Mapping[str, Entry] = {
    "abacus": partial(HuggingFace, str(_BUNDLED / "abacus"), separator="\n", max_batch_size=128),
    "echo": Echo,
}
REWARD_NAMES: Mapping[str, Entry] = {"abacus_prm": partial(Likelihood, str(_BUNDLED / "abacus_prm"), separator="\n")}
SERVICES = {"openai": "https://api.openai.com/v1", "ollama": OLLAMA_ADDRESS}
"""Engines that are servers, and where they are if nothing is said."""
NO_KEY = "EMPTY"
"""What a server gets that was given no key; most that need none want to see one."""
DEFAULTS = {"max_new_tokens": 512, "reward_model": "none"}
"""What holds where neither the decoder is told otherwise nor, of its replies, the model says so."""


@dataclass(frozen=True, slots=True)
class Source:
    """What a model's name was taken for; `taken_for` is empty where there is nothing to explain.

    `model` and `path` are what setup is told. On a server, `path` is its address and `remote` the model's name there.
    """

    name: str
    model: str | Engine
    taken_for: str = ""
    path: str | None = None
    on_server: bool = False
    remote: str | None = None


def find_source(name: str | Engine, told: Told, models: Mapping[str, Entry]) -> Source:
    """Say what `name` means; nobody is asked.

    Raises:
        BadArgument: for a folder that is not there, and a backend that runs no such thing.
    """
    options, backend = told.options, told.options.backend
    if isinstance(name, Engine):
        return Source(type(name).__name__, name)
    if not isinstance(name, str) or not name.strip():
        raise BadArgument(f"must be a text or an engine, got {name!r}", where="model_name_or_path")
    if backend == "auto" and name in models:
        return Source(name, name)
    if backend in SERVICES or "://" in name or (options.api_base and not is_local(name) and backend == "auto"):
        return _find_on_server(name, told)
    if options.model or options.api_base or options.api_key:
        logger.warning("model, api_base and api_key have no effect: {} is no server", name)
    if backend == "echo":
        return Source(name, backend, "anything, because of its backend", name)
    if is_local(name):
        return _find_folder(name, backend)
    return Source(name, backend, "a hub id, because it is no registered name, address or folder", name)


def choose_for(source: Source, told: Told, further: Mapping[str, Any], names: Registries, opener: Opener) -> Parts:
    """Choose the parts of a decoder and check them; a server or hub may be asked what is there.

    Args:
        source: The model.
        told: What the decoder was told.
        further: What it chooses itself: its method, reward model and vote.
        names: The registries.
        opener: Opens what is not open yet.

    Raises:
        BadArgument: saying what the model's name was taken for.
    """
    try:
        if source.on_server:
            names = replace(names, models={**names.models, source.name: _make_server_entry(source, told)})
        located = {} if source.on_server or not source.path else {"model_path": source.path}
        remote = {"api_model": source.remote} if source.remote else {}
        values = {**told.settings, **further, "model": source.model, **located, **remote}
        remedy = f"Name a {named('reward_model')}, or override `score`."
        request = Request((Level(WHERE, values, told=True),), DEFAULTS, without_reward_model=remedy)
        selection = select(request, names)
        check_names(request.levels, selection)
        if not told.options.use_chat_template:
            values |= _choose_plain_text(selection.model)
        parts = choose_parts(selection, request, names, opener)
        parts.check()
        return parts
    except UserError as error:
        what = f"{error.what} ({source.name!r} was taken for {source.taken_for})" if source.taken_for else error.what
        raise BadArgument(what, where=error.where, fix=error.fix) from error


def name_model(source: Source, parts: Parts) -> str:
    """Return the model's name for metadata: that on the server where there is one.

    Raises:
        BadArgument: listing the models of a server that has several, of which none was named.
    """
    told = parts.settings.get("model.api_model")
    if not source.on_server or source.remote or (told and told.value):
        return source.remote or (told and told.value) or source.name
    assert isinstance(parts.engine, OpenAI | Ollama)
    served = parts.engine.served_models
    if len(served) > 1:
        fix = f"Name one as `model`: {', '.join(served[:20])}."
        raise BadArgument("several models are served", where=str(source.path), fix=fix)
    return served[0] if served else source.name


def _find_on_server(name: str, told: Told) -> Source:
    options, is_address = told.options, "://" in name
    if options.backend not in ("auto", *SERVICES):
        what = f"backend {options.backend!r} runs folders and hub ids, and {name!r} is an address"
        raise BadArgument(what, where=WHERE, fix="Leave backend out.")
    address = options.api_base or (name if is_address else SERVICES.get(options.backend, ""))
    if is_address:
        return Source(name, name, "an address, because of its ://", address, True, options.model)
    why = "the name of a model on a server, because of its backend or api_base"
    return Source(name, name, why, address, True, options.model or name)


def _find_folder(name: str, backend: str) -> Source:
    folder = Path(name).expanduser()
    taken_for = f"a local path, because {'it is there' if folder.exists() else 'of how it begins'}"
    if not folder.is_dir():
        what = f"no such folder; it was taken for {taken_for}"
        raise BadArgument(what, where=name, fix="Give a folder with weights.")
    return Source(name, backend, taken_for, name)


def _make_server_entry(source: Source, told: Told) -> Entry:
    """Return the registry entry of a model on a server; the key is no setting, because settings are stored."""
    backend = told.options.backend
    engine = choose_engine(str(source.path)).engine if backend == "auto" else backend
    if engine != "openai":
        return partial(ENGINES[engine], source.path)
    variable = told.settings.get("api_key_env", read_settings(OpenAI)["api_key_env"].default)
    in_environment = os.environ.get(variable, "").strip()
    return partial(OpenAI, str(source.path), told.options.api_key or ("" if in_environment else NO_KEY))


def _choose_plain_text(model: Named) -> dict[str, Any]:
    """Return the settings by which an engine sends text as it is."""
    if model.engine == "openai":
        return {"api": "completions"}
    if "template" in read_settings(open_entry(model.entry)[0]):
        return {"template": "empty"}
    if model.engine != "echo":
        raise UserError(f"{model.engine} cannot do without a chat template", where="use_chat_template")
    return {}
