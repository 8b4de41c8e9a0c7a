"""Look names up with a did-you-mean, and read a function's settings off its signature and docstring.

Why: a registry is a plain dict and a setting is a keyword-only parameter; flags, YAML, `list` and error texts derive
from them.
Promises: an unknown name raises `UserError` that lists the known ones and names the nearest.
"""

import difflib
import inspect
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar, get_type_hints

from inference_kit.errors import UserError

Entry = TypeVar("Entry")


@dataclass(frozen=True, slots=True)
class Setting:
    """One keyword-only parameter: its name, type, default (`required` where there is none) and help text."""

    name: str
    type: Any
    default: Any
    help: str
    required: bool = False


def lookup(table: Mapping[str, Entry], name: str, kind: str, *, where: str = "") -> Entry:
    """Return `table[name]`.

    Raises:
        UserError: naming the known entries and the nearest one.
    """
    if name in table:
        return table[name]
    raise unknown(name, table, kind, where=where)


def unknown(name: str, known: Iterable[str], kind: str, *, where: str = "") -> UserError:
    """The error for a name that is not among `known`: all known names, and the nearest one where one is near."""
    names = sorted(set(known))
    near = difflib.get_close_matches(name, names, n=1, cutoff=0.6)
    hint = f"Did you mean {near[0]!r}? " if near else ""
    return UserError(f"unknown {kind} {name!r}", where=where, fix=f"{hint}Known: {', '.join(names) or 'none'}.")


def settings_of(function: Callable[..., Any]) -> dict[str, Setting]:
    """The settings of a method, class or function: its keyword-only parameters, described under `Args:`."""
    target = function.__init__ if inspect.isclass(function) else function
    described = argument_help(inspect.getdoc(function) or "") | argument_help(inspect.getdoc(target) or "")
    hints = get_type_hints(target)
    return {
        name: Setting(
            name,
            hints.get(name, str),
            None if parameter.default is parameter.empty else parameter.default,
            described.get(name, ""),
            required=parameter.default is parameter.empty,
        )
        for name, parameter in inspect.signature(function).parameters.items()
        if parameter.kind is parameter.KEYWORD_ONLY
    }


def argument_help(docstring: str) -> dict[str, str]:
    """What the `Args:` section of a docstring says of each parameter; several names may share a line."""
    section = re.search(r"^Args:\n((?:[ \t]+.*\n?|\n)+)", docstring, flags=re.MULTILINE)
    if section is None:
        return {}
    entries = re.findall(r"^ {4}(\w+(?:, \w+)*):[ ]*((?:.*(?:\n {5,}.*)*))", section.group(1), flags=re.MULTILINE)
    return {name: " ".join(text.split()) for names, text in entries for name in names.split(", ")}


def summary_of(entry: Any) -> str:
    """The first line of a registered thing's docstring; a `partial` speaks for what it wraps."""
    documented = getattr(entry, "func", entry)
    return (inspect.getdoc(documented) or "").split("\n", 1)[0]
