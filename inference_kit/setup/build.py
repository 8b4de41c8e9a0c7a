"""Build: what a line of a registry becomes, with every setting from the level that counts.

Why: engines, reward models and data sets get their settings in one way, and each value should know its source.
Promises: what is built has loaded nothing; an entry that cannot be built is one line that names what chose it.
"""

import inspect
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, TypeVar

from loguru import logger

from inference_kit.config import GENERATION_SETTINGS, SYNONYMS, Level, Resolved, resolve, spell_names
from inference_kit.errors import UserError, named
from inference_kit.models.local.devices import choose_device
from inference_kit.registry import Entry, Setting, open_entry, read_settings
from inference_kit.setup.request import insert_below_told

MODEL_MAY_SET = frozenset({*GENERATION_SETTINGS, "do_sample", "n", "system"})
"""What a model may come with besides the settings of its engine, in the registry or in a file of its own."""

Made = TypeVar("Made")


@dataclass(frozen=True, slots=True)
class Plan:
    """How an engine, a reward model or a data set is built: a call without arguments, and its settings."""

    build: "partial[Any]"
    settings: Mapping[str, Resolved]

    @property
    def recipe(self) -> tuple[Any, ...]:
        """What decides what is built: two plans of equal recipes build the same."""
        return self.build.func, self.build.args, self.build.keywords


def read_model_arguments(entry: Entry) -> Level:
    """Return what a model's registry entry says that is no setting of its engine, each by its one name."""
    target, _, keywords = open_entry(entry)
    own = read_settings(target)
    others = {name: value for name, value in keywords.items() if name not in own}
    source = "model arguments"
    return Level(source, {name: value for name, value in spell_names(others, source).items() if name in MODEL_MAY_SET})


def plan_part(entry: Entry, part: str, path: Any, levels: Sequence[Level], *, prefix: str = "") -> Plan:
    """Plan how an engine, a reward model or a data set is built of its registry entry.

    Args:
        entry: The class, or a `partial` of it.
        part: `model`, `reward_model` or `dataset`.
        path: What replaces the entry's path; None leaves it.
        levels: Where settings are given, strongest first; the registry's keywords stand behind what was told.
        prefix: What the flat names of its settings begin with.

    Raises:
        UserError: where a setting is out of range, or the class cannot be called like this.
    """
    target, arguments, keywords = open_entry(entry)
    known = read_settings(target)
    settings = _resolve(known, keywords, levels, prefix)
    chosen = {name: each.value for name, each in settings.items() if each.source != "default"}
    fixed = {name: value for name, value in keywords.items() if name not in known and not _is_model_argument(name)}
    if path and f"{part}_path" in fixed:
        fixed[f"{part}_path"] = path
    elif path:
        arguments = (path, *arguments[1:])
    try:
        inspect.signature(target).bind(*arguments, **fixed, **chosen)
    except TypeError as error:
        raise UserError(
            f"{target.__name__} cannot be made: {error}",
            where=named(part),
            fix=f"Give {named(f'{part}_path')}, or mend the registry entry.",
        ) from error
    return Plan(partial(target, *arguments, **fixed, **chosen), settings)


def build_part(build: Callable[[], Made], part: str) -> Made:
    """Build a part; a value that its class refuses is the user's error.

    Raises:
        UserError: naming what chose the part.
    """
    try:
        return build()
    except ValueError as error:
        raise UserError(str(error), where=named(part)) from error


def _is_model_argument(name: str) -> bool:
    return SYNONYMS.get(name, name) in MODEL_MAY_SET


def _resolve(
    known: Mapping[str, Setting], keywords: Mapping[str, Any], levels: Sequence[Level], prefix: str
) -> dict[str, Resolved]:
    """Resolve the settings of a part and check each."""
    given = [replace(level, values={name: level.values.get(prefix + name) for name in known}) for level in levels]
    defaults = Level("default", {name: setting.default for name, setting in known.items()})
    resolved = resolve(list(known), [*insert_below_told(given, Level("registry", keywords)), defaults])
    for name, setting in known.items():
        if name in resolved:
            replace(setting, name=prefix + name).check(resolved[name].value, where=resolved[name].place)
        elif setting.required:
            raise UserError("it is needed, and has no default", where=named(prefix + name), fix=setting.help)
    return resolved | _fall_back_to_cpu(resolved)


def _fall_back_to_cpu(resolved: Mapping[str, Resolved]) -> dict[str, Resolved]:
    """Return the CPU and its numbers, for an engine that a file or the registry puts on a GPU that is not here."""
    device = resolved.get("device")
    if device is None or device.told or not str(device.value).startswith("cuda"):
        return {}
    try:
        choose_device(device.value)
    except UserError as error:
        logger.warning("{}: {}; going on with the CPU", device.source, error.what)
    else:
        return {}
    cpu = {"device": "cpu", "dtype": "float32"}
    given = {name: resolved[name] for name in cpu if name in resolved and not resolved[name].told}
    return {
        name: Resolved(cpu[name], "no such GPU is here", ((each.source, each.value), *each.beaten))
        for name, each in given.items()
    }
