"""Request: what is asked of setup, as levels of settings by flat names.

Why: flags, a YAML file, another program's YAML and a dict of hyperparameters differ in where they stand, not in what
they say.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from typing import Any

from inference_kit.config import ConfigFile, Level, Resolved, resolve
from inference_kit.errors import UserError, named
from inference_kit.registry import unknown
from inference_kit.setup.options import REWARD_PREFIX, Option
from inference_kit.setup.run_options import RunOptions

SECTIONS = ("generation", "model_args", "reward_model_args", "dataset_args", "method_args")
"""Sections of a config file that hold the settings of one part."""


@dataclass(frozen=True, slots=True)
class Request:
    """Levels of settings, strongest first, and what holds where none of them says anything.

    `defaults` are the face's own; `options` is the record of the options that it knows; `without_reward_model` is its
    advice where a method needs a reward model and has none. Where it may not `ask`, no server and no hub is contacted,
    and what only these could tell is left open: for help and for explanations.
    """

    levels: tuple[Level, ...]
    defaults: Mapping[str, Any] = field(default_factory=dict)
    options: type[RunOptions] = RunOptions
    ask: bool = True
    without_reward_model: str = f"Add {named('reward_model')} NAME."

    @property
    def default_level(self) -> Level:
        """The weakest level: the options' defaults, replaced by the face's own."""
        declared = {each.name: each.default for each in fields(self.options)}
        return Level("default", {**declared, **self.defaults})

    def resolve_options(self, levels: Sequence[Level]) -> dict[str, Resolved]:
        """Resolve the options of the run among `levels`, strongest first, and the switch for a temperature."""
        return resolve([*(each.name for each in fields(self.options)), "do_sample"], [*levels, self.default_level])


def insert_below_told(levels: Sequence[Level], level: Level) -> list[Level]:
    """Return `levels` with one more, which what was told for this very run outranks, and which outranks the rest."""
    told = [each for each in levels if each.told]
    return [*told, level, *(each for each in levels if not each.told)]


def read_file_level(config: ConfigFile, options: Mapping[str, Option], source: str) -> Level:
    """Return the settings of a config file as a level, each value read like the text of its flag.

    Raises:
        UserError: for a key that is none of `options`, or has two values.
    """
    config.check([*options])
    values = dict(config.values)
    for section, inside in config.sections.items():
        prefix = REWARD_PREFIX if section == "reward_model_args" else ""
        for name, value in inside.items():
            if prefix + name not in options:
                known = [each.removeprefix(prefix) for each in options if each.startswith(prefix)]
                raise unknown(name, known, f"key of {section}", where=config.places[name])
            if values.get(prefix + name, value) != value:
                raise UserError(f"{name} has two values in this file", where=config.places[name])
            values[prefix + name] = value
    return Level(
        source,
        {
            name: options[name].read_value(value, _find_place(config, name))
            for name, value in values.items()
            if value is not None
        },
    )


def _find_place(config: ConfigFile, name: str) -> str:
    return config.places.get(name.removeprefix(REWARD_PREFIX), str(config.path))
