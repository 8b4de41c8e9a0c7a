"""Registries: look names up with a did-you-mean, open entries, and read settings off a signature and docstring.

Why: a registry is a plain dict and a setting is a keyword-only parameter; flags, YAML, `list` and error texts derive
from them.
Promises: an unknown name raises `UserError` that lists the known ones and names the nearest.
"""

import difflib
import inspect
import math
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, fields, is_dataclass, replace
from functools import partial, wraps
from typing import Annotated, Any, Literal, TypeVar, get_args, get_origin, get_type_hints

from inference_kit.errors import UserError, named

Entry = Callable[..., Any]
"""What users register: a class, or a `partial` of one that knows its path and settings."""

Value = TypeVar("Value")
Result = TypeVar("Result")

MOST_INTEGER = 2**63 - 1
"""What an integer is at most, because libraries below Python take no larger one."""


@dataclass(frozen=True, slots=True)
class Above:
    """The open lower bound of a number, as in `Annotated[float, Above(0)]`."""

    bound: float


@dataclass(frozen=True, slots=True)
class Setting:
    """One keyword-only parameter: its name, type, default (`required` where there is none) and help text.

    `least` and `most` are what a number may be: an integer is at least 1, unless its type is `Annotated[int, least]`;
    `Annotated[float, least]` and `Annotated[float, least, most]` are the same for fractions. `above` is a bound that
    the number itself may not be.
    """

    name: str
    type: Any
    default: Any
    help: str
    required: bool = False
    least: float = 1
    most: float = math.inf
    above: Above | None = None

    def check(self, value: Any, *, where: str = "") -> None:
        """Refuse a number out of its range, and a name that is not among those of a `Literal`.

        Raises:
            UserError: naming `where` the value stands, or else the setting.
        """
        where = where or named(self.name)
        if isinstance(value, int | float) and not isinstance(value, bool) and (bound := self._find_missed_bound(value)):
            raise UserError(f"{self.name} must be {bound}, got {value}", where=where)
        if get_origin(self.type) is Literal and value not in get_args(self.type):
            raise unknown(str(value), get_args(self.type), self.name, where=where)

    def _find_missed_bound(self, value: float) -> str:
        """Return what a number should be and is not; empty where it is in range."""
        if not math.isfinite(value):
            return "a finite number"
        if self.above is not None and not value > self.above.bound:  # NaN is not, either
            return f"above {self.above.bound}"
        if value < self.least:
            return f"at least {self.least}"
        return f"at most {self.most}" if value > self.most else ""


def lookup(table: Mapping[str, Value], name: str, kind: str, *, where: str = "") -> Value:
    """Return `table[name]`.

    Raises:
        UserError: naming the known entries and the nearest one.
    """
    if name in table:
        return table[name]
    raise unknown(name, table, kind, where=where)


def unknown(name: str, known: Iterable[str], kind: str, *, where: str = "") -> UserError:
    """Make the error for a name that is not among `known`, with all known names and the nearest one."""
    names = sorted(set(known))
    near = difflib.get_close_matches(name, names, n=1, cutoff=0.6)
    hint = f"Did you mean {near[0]!r}? " if near else ""
    return UserError(f"unknown {kind} {name!r}", where=where, fix=f"{hint}Known: {', '.join(names) or 'none'}.")


def open_entry(entry: Entry) -> tuple[Entry, tuple[Any, ...], dict[str, Any]]:
    """Return the class that an entry makes, and the arguments and keywords that it comes with."""
    return (entry.func, entry.args, dict(entry.keywords)) if isinstance(entry, partial) else (entry, (), {})


def find_name(entry: Entry, table: Mapping[str, Entry]) -> str:
    """Find the name that the class of an entry has in `table`, or else its own."""
    target = open_entry(entry)[0]
    return next((name for name, each in table.items() if each is target), target.__name__)


def read_settings(function: Callable[..., Any]) -> dict[str, Setting]:
    """Read the settings of a method, class or function: its keyword-only parameters, described under `Args:`.

    A class that adds none to those of its base is described there, the fields of a settings record by the record.
    """
    target = function.__init__ if inspect.isclass(function) else function
    records = _find_settings_records(target).values()
    documented: list[Any] = [each for record in records for each in reversed(inspect.getmro(type(record)))]
    documented += [*reversed(inspect.getmro(function)), target] if inspect.isclass(function) else [function]
    described = {
        name: text for each in documented for name, text in read_argument_help(inspect.getdoc(each) or "").items()
    }
    hints = get_type_hints(target, include_extras=True)
    return {
        name: Setting(
            name,
            _strip_annotation(hints.get(name, str)),
            None if parameter.default is parameter.empty else parameter.default,
            described.get(name, ""),
            required=parameter.default is parameter.empty,
            **_read_range(hints.get(name, str)),
        )
        for name, parameter in inspect.signature(function).parameters.items()
        if parameter.kind is parameter.KEYWORD_ONLY
    }


def flatten_settings(function: Callable[..., Result]) -> Callable[..., Result]:
    """Let a constructor or function take each field of its settings records as a keyword of its own.

    A settings record is a frozen dataclass that is the default of a keyword-only parameter, such as
    `server: ServerSettings = ServerSettings()`. Callers give fields, `request_seconds=5`, or the record, or both, where
    fields replace the record's. The signature shows the fields, so each is a setting with a flag.
    """
    records = _find_settings_records(function)

    @wraps(function)
    def call(*arguments: Any, **keywords: Any) -> Result:
        """Gather the fields that are given into their records, and call."""
        for name, default in records.items():
            given = {each.name: keywords.pop(each.name) for each in fields(default) if each.name in keywords}
            if given:
                keywords[name] = replace(keywords.get(name, default), **given)
        return function(*arguments, **keywords)

    own = inspect.signature(function)
    flat = [
        each
        for name, parameter in own.parameters.items()
        for each in (_flatten_record(records[name]) if name in records else [parameter])
    ]
    vars(call)["__signature__"] = own.replace(parameters=flat)  # what `inspect.signature` looks for first
    call.__annotations__ = {each.name: each.annotation for each in flat if each.annotation is not each.empty}
    return call


def _find_settings_records(function: Callable[..., Any]) -> dict[str, Any]:
    """Return the settings records that a function takes, by parameter, each with its default values."""
    parameters = inspect.signature(inspect.unwrap(function)).parameters.values()
    return {
        each.name: each.default
        for each in parameters
        if each.kind is each.KEYWORD_ONLY and is_dataclass(each.default) and not inspect.isclass(each.default)
    }


def _flatten_record(record: Any) -> list[inspect.Parameter]:
    """Return a keyword-only parameter for each field of a settings record."""
    hints = get_type_hints(type(record), include_extras=True)
    return [
        inspect.Parameter(
            each.name,
            inspect.Parameter.KEYWORD_ONLY,
            default=getattr(record, each.name),
            annotation=hints[each.name],
        )
        for each in fields(record)
    ]


def _strip_annotation(hint: Any) -> Any:
    return get_args(hint)[0] if get_origin(hint) is Annotated else hint


def _read_range(hint: Any) -> dict[str, Any]:
    """Read the bounds that stand in the annotation of a number."""
    notes = get_args(hint)[1:] if get_origin(hint) is Annotated else ()
    above = next((note for note in notes if isinstance(note, Above)), None)
    closed = dict(zip(("least", "most"), (note for note in notes if not isinstance(note, Above)), strict=False))
    kinds = (_strip_annotation(hint), *get_args(_strip_annotation(hint)))
    least = {"least": -math.inf} if above or float in kinds else {}
    most = {"most": MOST_INTEGER} if int in kinds and float not in kinds else {}
    return {**least, **most, **closed, "above": above}


def read_argument_help(docstring: str) -> dict[str, str]:
    """Read what the `Args:` section of a docstring says of each parameter; several names may share a line."""
    section = re.search(r"^Args:\n((?:[ \t]+.*\n?|\n)+)", docstring, flags=re.MULTILINE)
    if section is None:
        return {}
    entries = re.findall(r"^ {4}(\w+(?:, \w+)*):[ ]*((?:.*(?:\n {5,}.*)*))", section.group(1), flags=re.MULTILINE)
    return {name: " ".join(text.split()) for names, text in entries for name in names.split(", ")}


def summarize_entry(entry: Entry) -> str:
    """Return the first line of the docstring of what an entry makes."""
    return (inspect.getdoc(open_entry(entry)[0]) or "").split("\n", 1)[0]
