"""Hyperparameters: one flat dictionary in; engine, generation settings and method settings out, each checked.

Why: callers of a library write one dictionary, and a name that is misspelt there must not be ignored.
Promises: an unknown or wrong one is a `ValueError` that names it and the nearest known; a key never leaves the
environment variable that it is put into.
"""

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import inference_kit
from inference_kit.errors import UserError
from inference_kit.models import ENGINES
from inference_kit.models.auto import choose_engine
from inference_kit.models.base import Engine
from inference_kit.records import GenerationConfig
from inference_kit.registry import lookup, settings_of, unknown
from inference_kit.reward_models.base import RewardModel

KEY_VARIABLE = "INFERENCE_KIT_API_KEY"
SYNONYMS = {"max_tokens": "max_new_tokens", "num_return_sequences": "n", "model": "api_model"}
OWN = ("backend", "api_key", "api_base", "use_chat_template", "cache_dir", "reward_model", "seed", "concurrency")
GENERATION = tuple(each.name for each in fields(GenerationConfig) if each.name not in ("boundary", "branch_first"))
BUNDLED = Path(inference_kit.__file__).parent / "bundled"


@dataclass(frozen=True, slots=True)
class Parts:
    """What a decoder is made of; `backend` is the engine's name."""

    backend: str
    engine: Engine
    generation: GenerationConfig
    method_settings: Mapping[str, Any] = field(default_factory=dict)
    reward_model: RewardModel | None = None
    seed: int = 0
    cache_dir: Path | None = None


def parts_of(model: str, given: Mapping[str, Any], method: Callable[..., Any], defaults: GenerationConfig) -> Parts:
    """Choose and check everything; nothing is loaded.

    Raises:
        ValueError: an unknown hyperparameter, or one out of range.
        UserError: a model that is not there; it says what the name was taken for.
    """
    values = {SYNONYMS.get(name, name): value for name, value in given.items()}
    if not isinstance(model, str) or not model:
        raise ValueError(f"model_name_or_path must be a text, got {model!r}")
    backend, path = _backend(model, values)
    engine_class, method_settings = lookup(ENGINES, backend, "backend"), settings_of(method)
    engine_settings = settings_of(engine_class)
    known = [*OWN, *GENERATION, *method_settings, *engine_settings, *SYNONYMS]
    for name in values:
        if name not in known:
            raise ValueError(str(unknown(name, known, "hyperparameter")))
    for_method = {name: value for name, value in values.items() if name in method_settings}
    for name, value in for_method.items():
        _checked(method_settings[name].check, value, name)
    for_engine = {name: value for name, value in values.items() if name in engine_settings and name not in for_method}
    for_engine |= _of_the_server(values, engine_settings) | _of_raw_text(values, backend)
    try:
        engine = engine_class(path, **for_engine)
    except ValueError as error:
        raise ValueError(f"{backend}: {error}") from error
    room = engine.context_length
    if room is not None and room <= defaults.max_new_tokens:
        defaults = replace(defaults, max_new_tokens=room // 2)
    generation = _generation({name: value for name, value in values.items() if name in GENERATION}, defaults)
    engine.check(generation)
    cache = values.get("cache_dir")
    return Parts(
        backend,
        engine,
        generation,
        for_method,
        _reward_model(values.get("reward_model")),
        int(values.get("seed", 0)),
        Path(cache).expanduser() if cache else None,
    )


def _backend(model: str, values: Mapping[str, Any]) -> tuple[str, str]:
    """The engine's name and the path that it gets.

    In this order: a bundled model's name, an address, a path that exists, `api_base` with the name of a remote model,
    a hub id.
    """
    asked = str(values.get("backend", "auto"))
    if (BUNDLED / model).is_dir() and "/" not in model:
        return ("huggingface" if asked == "auto" else asked), str(BUNDLED / model)
    if api_base := values.get("api_base"):
        return ("openai" if asked == "auto" else asked), str(api_base)
    if asked != "auto":
        return asked, model
    if model in ENGINES:
        return model, model
    if model.startswith((".", "/", "~")) and not Path(model).expanduser().exists():
        raise UserError(
            f"{model!r} does not exist; it was taken as a local path because it begins like one",
            where="model_name_or_path",
            fix="Mend the path, or give a hub id such as org/name.",
        )
    return choose_engine(model).engine, model


def _of_the_server(values: Mapping[str, Any], engine_settings: Mapping[str, Any]) -> dict[str, Any]:
    """The settings of an engine that asks a server."""
    if "api_key_env" not in engine_settings:
        return {}
    found: dict[str, Any] = {}
    if values.get("api_key"):
        os.environ[KEY_VARIABLE] = str(values["api_key"])
        found["api_key_env"] = KEY_VARIABLE
    name = values.get("model_name")
    return found | ({"api_model": name} if name else {})


def _of_raw_text(values: Mapping[str, Any], backend: str) -> dict[str, Any]:
    """The settings that send the text as it is, without a chat template."""
    if values.get("use_chat_template", True):
        return {}
    return {"openai": {"api": "completions"}, "echo": {}}.get(backend, {"template": "empty"})


def _generation(values: Mapping[str, Any], defaults: GenerationConfig) -> GenerationConfig:
    stop = values.get("stop")
    values = {**values, "stop": (stop,) if isinstance(stop, str) else tuple(stop or ())}
    for name, least in (("max_new_tokens", 1), ("temperature", 0), ("top_k", 0), ("min_p", 0)):
        value = values.get(name, least)
        if not isinstance(value, int | float) or isinstance(value, bool) or value < least:
            raise ValueError(f"{name} must be a number of at least {least}, got {value!r}")
    if not 0 < values.get("top_p", 1.0) <= 1:
        raise ValueError(f"top_p must be above 0 and at most 1, got {values['top_p']!r}")
    return replace(defaults, **values)


def _reward_model(given: Any) -> RewardModel | None:
    if given is not None and not isinstance(given, RewardModel):
        raise ValueError(f"reward_model must be a RewardModel, got {given!r}")
    return given


def _checked(check: Callable[[Any], None], value: Any, name: str) -> None:
    try:
        check(value)
    except UserError as error:
        raise ValueError(f"{name}: {error}") from error


def shown_name(model: str, values: Mapping[str, Any]) -> str:
    """The model as metadata names it; an address without what may be secret in it."""
    named: Sequence[Any] = [values.get("model")] if values.get("model") else []
    if named:
        return str(named[0])
    return urlsplit(model).netloc.rpartition("@")[2] if "://" in model else model
