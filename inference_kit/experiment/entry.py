"""Entry: what config.json and final files say of a run.

Why: a resumed run must be the same run, and a reader must see what made a number.
Promises: two runs whose `list_dependencies` are equal make the same results.
"""

import contextlib
import platform
from importlib.metadata import PackageNotFoundError, version
from typing import Any

from inference_kit import __version__
from inference_kit.config import GENERATION_SETTINGS
from inference_kit.models.http.extras import mask_setting
from inference_kit.setup.parts import Parts

LIBRARIES = ("torch", "transformers", "tokenizers", "sympy")
"""What a result may depend on besides Python and this program."""


def list_dependencies(parts: Parts) -> dict[str, Any]:
    """Return what the results depend on, by name, as plain JSON values; weights and data are looked at."""
    assert parts.dataset, "a run has a data set"
    chosen = {
        name: each.value
        for name, each in parts.settings.items()
        if name in GENERATION_SETTINGS or name.startswith(("method.", "dataset."))
    }
    results = parts.options.named("results")
    return {
        "model": parts.engine.identity,
        "separator": parts.engine.separator,
        "reward_model": parts.reward_model.identity if parts.reward_model else None,
        "reward_separator": parts.reward_model.separator if parts.reward_model else None,
        "dataset": parts.dataset.digest(),
        "prompt": parts.dataset.template,
        "method": parts.method_name,
        "seed": results["seed"],  # first, and `system` last: the order of the files that are there already
        **{name: value for name, value in results.items() if name != "system"},
        "system": results["system"],
        **{name: list(value) if isinstance(value, tuple) else value for name, value in chosen.items()},
    }


def make_header(parts: Parts) -> dict[str, Any]:
    """Return what final files say before their metrics: the same for every run that makes the same results."""
    process = parts.options.named("process")
    shown = {name: mask_setting(name, each).to_json() for name, each in parts.settings.items() if name not in process}
    return {
        "dataset": parts.dataset_name,
        "model": parts.model_name,
        "reward_model": parts.reward_model_name,
        "method": parts.method_name,
        "config": {"depends_on": list_dependencies(parts), "settings": shown, "versions": read_versions()},
    }


def make_entry(parts: Parts) -> dict[str, Any]:
    """Return the entry of a run in config.json."""
    names = parts.options.named("process")
    process = {name: mask_setting(name, each).to_json() for name, each in parts.settings.items() if name in names}
    return {**make_header(parts), "process": process}


def read_versions() -> dict[str, str]:
    """Return the versions of Python, this program and the libraries that a result may depend on."""
    found = {"python": platform.python_version(), "inference_kit": __version__}
    for name in LIBRARIES:
        with contextlib.suppress(PackageNotFoundError):
            found[name] = version(name)
    return found
