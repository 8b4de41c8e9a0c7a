"""Settings and their precedence: each value with where it came from and what it beat.

Why: a number can be trusted only if one can see which temperature made it, and why that one.
Promises: the levels are merged in the order given, strongest first; every value is checked here, once, against its
range; synonyms are one setting, and two different values for one setting at one level are an error.
"""

import math
import os
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import MISSING, dataclass, fields, replace
from pathlib import Path
from typing import Any

from loguru import logger

from inference_kit.errors import UserError
from inference_kit.records import GenerationConfig
from inference_kit.registry import unknown

SHOWN = 8
"""Files of a folder that an error shows at the most."""

SYNONYMS = {
    "max_tokens": "max_new_tokens",
    "num_return_sequences": "n",
    "cot_method": "method",
    "voting_method": "vote",
    "input_path": "input",
    "input_glob": "glob",
    "output_path": "output",
    "template_vars": "template_var",
    "auto_extract_code": "strip_fences",
}


@dataclass(frozen=True, slots=True)
class GenerationSetting:
    """A setting of `GenerationConfig` that users may set: what it does, its type, and the range of a number."""

    help: str
    type: type
    low: float = -math.inf
    high: float = math.inf
    range: str = ""


GENERATION: dict[str, GenerationSetting] = {
    "max_new_tokens": GenerationSetting("tokens of one completion at the most", int, 1, math.inf, "at least 1"),
    "temperature": GenerationSetting("0 is greedy", float, 0, math.inf, "0 or more"),
    "top_p": GenerationSetting(
        "sample from the likeliest tokens that together have this probability", float, 1e-9, 1, "in (0, 1]"
    ),
    "top_k": GenerationSetting("sample from the k likeliest tokens; 0 is off", int, 0, math.inf, "0 (off) or more"),
    "min_p": GenerationSetting("drop tokens less likely than this share of the likeliest", float, 0, 1, "in [0, 1]"),
    "repetition_penalty": GenerationSetting(
        "above 1 makes tokens of prompt and reply less likely to come again", float, 1e-9, math.inf, "above 0"
    ),
    "frequency_penalty": GenerationSetting("taken off for each time a token was written", float, -2, 2, "in [-2, 2]"),
    "presence_penalty": GenerationSetting("taken off once a token was written", float, -2, 2, "in [-2, 2]"),
    "stop": GenerationSetting("text that ends a completion and is cut from it; several as a JSON list", tuple),
    "token_details": GenerationSetting(
        "ask how sure the model is of each token; votes and methods that need it turn it on", bool
    ),
}
GENERATION_SETTINGS = tuple(GENERATION)


@dataclass(frozen=True, slots=True)
class Level:
    """The settings given in one place, such as the command line or a registry entry.

    `told` says that they were given for this very run: they outrank a registry entry, and an error about one of them
    names the setting alone, because its place says no more.
    """

    source: str
    values: Mapping[str, Any]
    told: bool = False


@dataclass(frozen=True, slots=True)
class Resolved:
    """A setting's value, the level it came from, and the (source, value) pairs it beat, strongest first."""

    value: Any
    source: str
    beaten: tuple[tuple[str, Any], ...] = ()
    told: bool = False

    @property
    def place(self) -> str:
        """Where the value stands, empty where it was told for this very run."""
        return "" if self.told else self.source

    def map(self, change: Callable[[Any], Any]) -> "Resolved":
        """Return the same with each value changed, those that were beaten as well."""
        beaten = tuple((source, change(value)) for source, value in self.beaten)
        return replace(self, value=change(self.value), beaten=beaten)

    def to_json(self) -> dict[str, Any]:
        return {"value": self.value, "source": self.source} | (
            {"beat": [{"value": value, "source": source} for source, value in self.beaten]} if self.beaten else {}
        )


def resolve(names: Sequence[str], levels: Sequence[Level]) -> dict[str, Resolved]:
    """Merge `levels`, strongest first; a name that no level gives is left out."""
    found: dict[str, Resolved] = {}
    for name in names:
        if given := [level for level in levels if level.values.get(name) is not None]:
            first, *beaten = given
            others = tuple((level.source, level.values[name]) for level in beaten)
            found[name] = Resolved(first.values[name], first.source, others, first.told)
    return found


def resolve_generation(*levels: Level) -> dict[str, Resolved]:
    """Merge the generation settings of `levels`, strongest first, over the library's defaults, and check them.

    `do_sample: false` is temperature 0 at its level, whatever temperature that level names.
    """
    library = {each.name: each.default for each in fields(GenerationConfig) if each.default is not MISSING}
    resolved = resolve(
        GENERATION_SETTINGS, [*(_apply_do_sample(level) for level in levels), Level("library default", library)]
    )
    if resolved["temperature"].value == 0 and (source := _find_do_sample(levels)):
        raise UserError("do_sample is true and temperature is 0", where=source, fix="Drop one of the two.")
    return {name: _check(name, each) for name, each in resolved.items()}


def generation_config(resolved: Mapping[str, Resolved]) -> GenerationConfig:
    """Build the record that engines get of the generation settings."""
    return GenerationConfig(**{name: each.value for name, each in resolved.items() if name in GENERATION_SETTINGS})


def spell_names(values: Mapping[str, Any], source: str) -> dict[str, Any]:
    """Spell every name with `_` and by its one name.

    Raises:
        UserError: where two synonyms have different values.
    """
    found: dict[str, Any] = {}
    for given, value in values.items():
        spelled = given.replace("-", "_")
        name = SYNONYMS.get(spelled, spelled)
        if name in found and found[name] != value:
            raise UserError(f"{given!r} and its synonym give different values for {name!r}", where=source)
        found[name] = value
    return found


@dataclass(frozen=True, slots=True)
class ConfigFile:
    """A YAML file of settings: flat values, sections of values, and the `file:line:column` of every name."""

    path: Path
    values: Mapping[str, Any]
    sections: Mapping[str, Mapping[str, Any]]
    places: Mapping[str, str]

    def check(self, known: Sequence[str]) -> None:
        """Refuse the first flat name that is not among `known`, naming its place and the nearest one."""
        for name in self.values:
            if name not in known:
                raise unknown(name, [*known, *self.sections], "key", where=self.places.get(name, str(self.path)))


def read_config(path: Path, sections: Sequence[str]) -> ConfigFile:
    """Read a YAML file whose top level holds settings, and mappings of settings under the names in `sections`.

    A value is what stands there: `1.10`, `no`, `010` and a date are texts, which the setting reads as its flag is read.
    In paths, `~` and variables such as `$HOME` are expanded.

    Raises:
        UserError: naming file, line and column of whatever is wrong.
    """
    import yaml

    if path.is_dir():
        inside = ", ".join(sorted(each.name for each in path.glob("*.y*ml"))[:SHOWN])
        raise UserError(
            "is a folder", where=str(path), fix=f"Give one file of it: {inside or 'it holds no YAML file'}."
        )
    if not path.is_file():
        raise UserError("no such config file", where=str(path), fix=find_nearest(path))
    try:
        text = path.read_text(encoding="utf-8-sig")
        node = yaml.compose(text, Loader=yaml.SafeLoader)
        data = yaml.load(text, Loader=_make_literal_loader()) or {}
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark
        place = f"{path}:{mark.line + 1}:{mark.column + 1}" if mark else str(path)
        raise UserError(f"not YAML: {error.problem}", where=place, fix=_QUOTE_IT) from error
    except OSError as error:
        raise UserError(error.strerror or "cannot be read", where=str(path)) from error
    except (UnicodeDecodeError, yaml.YAMLError, RecursionError) as error:
        raise UserError(f"not YAML: {error}", where=str(path)) from error
    if not isinstance(data, dict):
        raise UserError("the file must hold settings, one `name: value` a line", where=f"{path}:1")
    places = _find_places(node, path, sections) if node is not None else {}
    for name in sections:
        if not isinstance(data.get(name) or {}, dict):
            raise UserError(f"{name} must hold settings, one `name: value` a line", where=places[name])

    def read_values(values: Mapping[Any, Any], place: str) -> dict[str, Any]:
        """Spell the names of settings and expand the paths among their values."""
        found = spell_names({str(name): value for name, value in values.items()}, place)
        if "reward_model" in found and found["reward_model"] is None:
            found["reward_model"] = "none"  # elsewhere nothing means the default, but here people mean none
        return {name: _expand_path(name, value, places.get(name, place)) for name, value in found.items()}

    return ConfigFile(
        path,
        read_values({name: value for name, value in data.items() if name not in sections}, str(path)),
        {name: read_values(data[name], places[name]) for name in sections if data.get(name)},
        places,
    )


_QUOTE_IT = "Put a text that YAML would read as something else in quotes."
_PATHS = ("_path", "_dir", "_file", "template")
"""How the names of settings end that hold a path."""
_VARIABLE = re.compile(r"\$(\w+|\{[^}]*\})")


def _make_literal_loader() -> Any:
    """Return a safe loader to which a number, a boolean or a date is a text wherever another spelling would be lost."""
    import yaml

    class LiteralLoader(yaml.SafeLoader):
        """Keeps the text of a scalar that its value does not write in the same way."""

    def construct(loader: Any, node: Any) -> Any:
        """Construct the value of a scalar, or keep its text."""
        value = yaml.SafeLoader.yaml_constructors[node.tag](loader, node)
        written = str(value).lower() if isinstance(value, bool) else str(value)
        return value if written == node.value else node.value

    for kind in ("bool", "int", "float"):
        LiteralLoader.add_constructor(f"tag:yaml.org,2002:{kind}", construct)
    LiteralLoader.add_constructor("tag:yaml.org,2002:timestamp", lambda _, node: node.value)
    return LiteralLoader


def _expand_path(name: str, value: Any, place: str) -> Any:
    """Return a path with `~` and variables expanded, and every other value as it is."""
    if not isinstance(value, str) or not (name.endswith(_PATHS) or name == "model"):
        return value
    expanded = os.path.expandvars(value)
    expanded = str(Path(expanded).expanduser()) if expanded.startswith("~") else expanded
    if unset := _VARIABLE.search(expanded):
        raise UserError(f"the variable {unset[0]} is not set", where=place, fix="Set it, or write the path in full.")
    return expanded


def find_nearest(path: Path) -> str:
    """Say which part of a missing path exists, and what lies there under a like name."""
    import difflib

    folder = path.parent
    while not folder.exists() and folder != folder.parent:
        folder = folder.parent
    names = [each.name for each in folder.iterdir()] if folder.is_dir() else []
    below = path.relative_to(folder).parts[0] if path != folder else path.name
    near = difflib.get_close_matches(below, names, n=1)
    if near:
        return f"Did you mean {folder / near[0]}?"
    return f"{_describe_folder(folder)} exists, and nothing named {below!r} is in it."


def make_safe(name: str) -> str:
    """Spell a name so that it can be a file's: what is unsafe there becomes `_`."""
    return re.sub(r"[^\w.+=-]", "_", name).lstrip(".") or "_"


def _describe_folder(folder: Path) -> str:
    return "the current folder" if folder == Path() else str(folder)


def _apply_do_sample(level: Level) -> Level:
    sample = level.values.get("do_sample")
    if sample is None:
        return level
    temperature = level.values.get("temperature")
    if sample is False and temperature:
        logger.warning("{}: do_sample is false, so temperature {} counts as 0", level.source, temperature)
    return replace(level, values={**level.values, "temperature": temperature if sample else 0.0})


def _find_do_sample(levels: Sequence[Level]) -> str:
    """Find the level that says `do_sample: true`, where none above it names a temperature; else empty."""
    for level in levels:
        if level.values.get("do_sample"):
            return level.source
        if level.values.get("temperature") is not None:
            return ""
    return ""


def _check(name: str, setting: Resolved) -> Resolved:
    known, value = GENERATION[name], setting.value
    if known.type is bool:
        if not isinstance(value, bool):
            raise UserError(f"{name} must be true or false, got {value!r}", where=setting.source)
        return setting
    if known.type is tuple:
        stops = (value,) if isinstance(value, str) else tuple(value)
        if not all(isinstance(stop, str) and stop for stop in stops):
            raise UserError(f"{name} must be texts that are not empty, got {value!r}", where=setting.source)
        return replace(setting, value=stops)
    whole = isinstance(value, int) or (isinstance(value, float) and value.is_integer())
    if isinstance(value, bool) or not isinstance(value, int | float) or (known.type is int and not whole):
        kind = "an integer" if known.type is int else "a number"
        raise UserError(f"{name} must be {kind}, got {value!r}", where=setting.source)
    if not math.isfinite(value):
        raise UserError(f"{name} must be a finite number, got {value!r}", where=setting.source)
    if not known.low <= value <= known.high:
        raise UserError(f"{name} must be {known.range}, got {value!r}", where=setting.source)
    return replace(setting, value=known.type(value))


def _find_places(node: Any, path: Path, sections: Sequence[str]) -> dict[str, str]:
    """Find where each name of a mapping and of its sections stands; a name given twice is refused."""
    places: dict[str, str] = {}
    own: set[str] = set()
    for key, value in node.value:
        spelled = str(key.value).replace("-", "_")
        name = SYNONYMS.get(spelled, spelled)
        place = f"{path}:{key.start_mark.line + 1}:{key.start_mark.column + 1}"
        if spelled in own:
            raise UserError(f"key {key.value!r} is there twice, first at {places[name]}", where=place)
        own.add(spelled)
        places[name] = place
        if name in sections and value.id == "mapping":
            places |= _find_places(value, path, ())
    return places
