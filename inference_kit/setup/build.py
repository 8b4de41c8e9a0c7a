"""Making: what a line of a registry becomes, with every setting from the level that counts.

Why: engines, reward models and data sets are told their settings in one way, and each value should know its source.
Promises: what is made has loaded nothing; an entry that cannot be made is one line that names its flag.
"""

import inspect
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

from loguru import logger

from inference_kit.config import GENERATION_SETTINGS, SYNONYMS, Level, Resolved, canonical, resolve
from inference_kit.errors import UserError
from inference_kit.models.local.devices import choose_device
from inference_kit.registry import Entry, Setting, flag_of, opened, settings_of

MODEL_MAY_SET = frozenset({*GENERATION_SETTINGS, "do_sample", "n", "system"})
"""What a model may come with besides the settings of its engine, in the registry or in a file of its own."""


def wishes_of(entry: Entry) -> dict[str, Any]:
    """What a model's registry entry says that is no setting of its engine, each by its one name."""
    target, _, keywords = opened(entry)
    own = settings_of(target)
    others = {name: value for name, value in keywords.items() if name not in own}
    return {name: value for name, value in canonical(others, "model arguments").items() if name in MODEL_MAY_SET}


def made(
    entry: Entry, option: str, settings: Mapping[str, Resolved], levels: Sequence[Level], prefix: str = ""
) -> tuple[Any, dict[str, Resolved]]:
    """Make a reward model or data set, like `maker`."""
    make, resolved = maker(entry, option, settings, levels, prefix)
    return make(), resolved


def maker(
    entry: Entry, option: str, settings: Mapping[str, Resolved], levels: Sequence[Level], prefix: str = ""
) -> tuple["partial[Any]", dict[str, Resolved]]:
    """What makes an engine, reward model or data set of its registry entry.

    Args:
        entry: The class, or a `partial` of it.
        option: `model`, `reward_model` or `dataset`; `--<option>-path` replaces the entry's path.
        settings: The run's options.
        levels: Command line and config files; the registry's keywords stand behind the first.
        prefix: What the names of its settings begin with on the command line.

    Returns:
        A call without arguments that makes it, and its settings with their sources.

    Raises:
        UserError: where a setting is out of range, or the class cannot be called like this.
    """
    target, arguments, keywords = opened(entry)
    known = settings_of(target)
    resolved = _resolved(known, keywords, levels, prefix)
    chosen = {name: each.value for name, each in resolved.items() if each.source != "default"}
    fixed = {name: value for name, value in keywords.items() if name not in known and not _is_wish(name)}
    path = settings.get(f"{option}_path")
    if path and f"{option}_path" in fixed:
        fixed[f"{option}_path"] = path.value
    elif path:
        arguments = (path.value, *arguments[1:])
    flag = flag_of(option)
    try:
        inspect.signature(target).bind(*arguments, **fixed, **chosen)
    except TypeError as error:
        raise UserError(
            f"{target.__name__} cannot be made: {error}",
            where=flag,
            fix=f"Give {flag}-path, or mend the registry entry.",
        ) from error
    return partial(target, *arguments, **fixed, **chosen), resolved


def _is_wish(name: str) -> bool:
    return SYNONYMS.get(name, name) in MODEL_MAY_SET


def _resolved(
    known: Mapping[str, Setting], keywords: Mapping[str, Any], levels: Sequence[Level], prefix: str
) -> dict[str, Resolved]:
    """The settings with their sources, each checked."""
    command_line, *files = (
        Level(level.source, {name: level.values.get(prefix + name) for name in known}) for level in levels
    )
    defaults = Level("default", {name: setting.default for name, setting in known.items()})
    resolved = resolve(list(known), [command_line, Level("registry", keywords), *files, defaults])
    for name, setting in known.items():
        named = replace(setting, name=prefix + name)
        if name in resolved:
            named.check(resolved[name].value, where=resolved[name].place)
        elif setting.required:
            raise UserError("it is needed, and has no default", where=named.flag, fix=setting.help)
    return resolved | _without_gpu(resolved)


def _without_gpu(resolved: Mapping[str, Resolved]) -> dict[str, Resolved]:
    """The CPU and its numbers, for an engine that a file or the registry puts on a GPU that is not here."""
    device = resolved.get("device")
    if device is None or device.source == "command line" or not str(device.value).startswith("cuda"):
        return {}
    try:
        choose_device(device.value)
    except UserError as error:
        logger.warning("{}: {}; going on with the CPU", device.source, error.what)
    else:
        return {}
    cpu = {"device": "cpu", "dtype": "float32"}
    given = {name: resolved[name] for name in cpu if name in resolved and resolved[name].source != "command line"}
    return {
        name: Resolved(cpu[name], "no such GPU is here", ((each.source, each.value), *each.beaten))
        for name, each in given.items()
    }
