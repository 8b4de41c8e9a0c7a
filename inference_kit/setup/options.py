"""Options: every setting that a run, or what was chosen for it, has, by one flat name each.

Why: flags, keys of files and help are the same list in different clothes, and a setting is declared once, where it is
used.
Promises: settings of a reward model begin with `reward_`, so no two parts share a name.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields, replace
from typing import Any

from inference_kit.config import GENERATION, Resolved
from inference_kit.errors import UserError, flag_of
from inference_kit.records import GenerationConfig
from inference_kit.registry import Setting, read_settings
from inference_kit.setup.run_options import WHAT, RunOptions
from inference_kit.setup.values import (
    Read,
    choose_reader,
    read_boolean,
    read_integer,
    read_list,
    read_number,
    read_object,
    read_pair,
    read_stops,
)

REWARD_PREFIX = "reward_"


@dataclass(frozen=True, slots=True)
class Option:
    """One setting as a face shows and reads it.

    `default` says in words what holds, by default or by another `source`; `key` is its name among the settings of a
    run, where the settings of a part stand behind the part's name, as in `method.n`.
    """

    name: str
    read: Read
    help: str
    default: str = ""
    group: str = WHAT
    key: str = ""
    source: str = "default"

    def show(self, settings: Mapping[str, Resolved]) -> "Option":
        """Return the option with the value that it has among the settings of a run."""
        setting = settings.get(self.key)
        if setting is None:
            return self
        source = "default" if setting.source == "library default" else setting.source
        return replace(self, default=show_value(setting.value), source=source)

    @property
    def flag(self) -> str:
        """The flag as users type it."""
        return flag_of(self.name)

    def read_value(self, value: Any, place: str) -> Any:
        """Read a value of a file.

        Raises:
            UserError: naming the place.
        """
        if isinstance(value, list) and self.read in (read_list, read_stops):
            texts = [self._read_item(each, place) for each in value]
            return (
                tuple(texts) if self.read is read_stops else tuple(name for each in texts for name in read_list(each))
            )
        if isinstance(value, dict) and self.read in (read_object, read_pair):
            return value
        if isinstance(value, list) and self.name == "index":
            value = ",".join(map(str, value))
        if isinstance(value, list | dict):
            kind = "a list" if isinstance(value, list) else "a mapping"
            raise UserError(f"{self.name} takes one value, not {kind}", where=place, fix="Quote it where it is a text.")
        try:
            return self.read(str(value).lower() if isinstance(value, bool) else str(value))
        except ValueError as error:
            raise UserError(f"{self.name}: {error}", where=place) from error

    def _read_item(self, value: Any, place: str) -> str:
        """Read one item of a list as the text that stands there."""
        if value is None or isinstance(value, list | dict):
            kind = {type(None): "nothing", list: "a list", dict: "a mapping"}[type(value)]
            raise UserError(f"{self.name} has {kind} in its list", where=place, fix="Quote it where it is a text.")
        return str(value).lower() if isinstance(value, bool) else str(value)


def list_run_options(record: type[RunOptions]) -> list[Option]:
    """List the options of a run and the generation settings, in the order in which they are shown."""
    declared = read_settings(record)
    own = [
        Option(
            each.name,
            _require_reader(declared[each.name], text=str),
            declared[each.name].help,
            show_value(each.default) if each.default is not None else each.metadata["unset"],
            each.metadata["group"],
            each.name,
        )
        for each in fields(record)
    ]
    what = [option for option in own if option.group == WHAT]
    return [*what, *list_generation(), *(option for option in own if option.group != WHAT)]


def list_settings(owner: Callable[..., Any], group: str, part: str, *, prefix: str = "") -> list[Option]:
    """List the settings of a method, an engine, a reward model or a data set, as far as a text can hold them.

    Args:
        owner: Whose keyword-only parameters they are.
        group: Where they are shown.
        part: What their names begin with among the settings of a run: method, model, reward_model or dataset.
        prefix: What their flat names begin with.
    """
    return [
        Option(
            prefix + setting.name,
            read,
            setting.help,
            "required" if setting.required else show_value(setting.default),
            group,
            f"{part}.{setting.name}",
        )
        for setting in read_settings(owner).values()
        if (read := choose_reader(setting))
    ]


def show_value(value: Any) -> str:
    """Write a value as one line of help, as flags write it; what is not printable is written as Python does."""
    if isinstance(value, list | tuple):
        return ",".join(map(show_value, value)) or "none"
    text = str(value).lower() if isinstance(value, bool) else str(value)
    return text if text.isprintable() and text else repr(text)


def list_generation() -> list[Option]:
    """List the generation settings, and the switch for a temperature."""
    readers: dict[type, Read] = {int: read_integer, float: read_number, tuple: read_stops, bool: read_boolean}
    library = GenerationConfig()
    found = [
        Option(name, readers[each.type], each.help, show_value(getattr(library, name)), "generation", name)
        for name, each in GENERATION.items()
    ]
    sample = Option("do_sample", read_boolean, "false is temperature 0", "from the temperature", "generation")
    return [*found, sample]


def _require_reader(setting: Setting, text: Read) -> Read:
    read = choose_reader(setting, text=text)
    assert read, f"{setting.name} has a type that no flag can hold"
    return read
