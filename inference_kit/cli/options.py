"""Options: argument texts in, values out; flags derive from tables and from the settings of whatever is chosen.

Why: a method's, an engine's or a data set's settings are its keyword-only parameters; writing them down again as flags
would be a second truth.
Promises: `-` and `_` are the same in a name; booleans take `--x`, `--no-x`, `--x=true|false` and `--x false`; an
unknown flag is one line that names the nearest one; of a flag given twice the last counts; synonyms must agree.
"""

import argparse
import json
import types
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, NoReturn, Union, get_args, get_origin

from inference_kit.config import SYNONYMS
from inference_kit.errors import UserError
from inference_kit.registry import Setting, flag_of, settings_of, unknown

TRUE, FALSE = ("true", "1", "yes"), ("false", "0", "no")


@dataclass(frozen=True, slots=True)
class Option:
    """One flag: its name with `_`, how its text is read, its help, and its default as the help shows it."""

    name: str
    read: Callable[[str], Any]
    help: str
    default: str = ""
    group: str = "what to run"

    @property
    def flag(self) -> str:
        """The flag as users type it."""
        return flag_of(self.name)


class Parser(argparse.ArgumentParser):
    """Raises `UserError` where argparse would print its usage and leave."""

    def error(self, message: str) -> NoReturn:
        raise UserError(message.removeprefix("argument "), fix=f"See {self.prog} --help.")


class _Agree(argparse.Action):
    """Stores a value that was given under two synonyms, where both give the same one."""

    def __call__(
        self, parser: argparse.ArgumentParser, namespace: argparse.Namespace, values: Any, option_string: Any = None
    ) -> None:
        if getattr(namespace, self.dest, values) != values:
            parser.error(f"{option_string} and its synonym have different values")
        setattr(namespace, self.dest, values)


def setting_options(owner: Callable[..., Any], group: str, *, prefix: str = "") -> list[Option]:
    """The flags of a method's, engine's, reward model's or data set's settings; mappings have no flag."""
    return [
        Option(prefix + setting.name, read, setting.help, _shown_default(setting), group)
        for setting in settings_of(owner).values()
        if (read := reader_of(setting))
    ]


def _shown_default(setting: Setting) -> str:
    if setting.required:
        return "required"
    text = str(setting.default)
    return text if text.isprintable() and text else repr(text)


def parse(
    options: Sequence[Option], arguments: Sequence[str], *, prog: str, elsewhere: Mapping[str, str] | None = None
) -> dict[str, Any]:
    """Read `arguments`; the result holds only what was given.

    Args:
        options: The flags that are known.
        arguments: The words of the command line.
        prog: The command, for messages.
        elsewhere: Flags that something else would have, with its name.

    Raises:
        UserError: an unknown flag, a value of the wrong type, a word that belongs to no flag.
    """
    given, unread = parse_known(options, arguments, prog=prog)
    for word in unread:
        flag = word.partition("=")[0]
        if elsewhere and flag in elsewhere:
            raise UserError(
                f"{flag} is a setting of {elsewhere[flag]}, which is not what runs", fix=f"See {prog} --help."
            )
        if word.startswith("--"):
            known = [option.flag for option in options] + [*map(flag_of, SYNONYMS)]
            raise unknown(flag, known, "option")
        raise UserError(f"unexpected argument {word!r}", fix=f"See {prog} --help.")
    return given


def parse_known(options: Sequence[Option], arguments: Sequence[str], *, prog: str) -> tuple[dict[str, Any], list[str]]:
    """Read what `options` know of `arguments`; also return the words that they do not know."""
    parser = Parser(prog=prog, add_help=False, allow_abbrev=False)
    add_to(parser, options, agree=_named_twice(arguments))
    found, unread = parser.parse_known_args(normalised(arguments, options))
    return vars(found), unread


def add_to(parser: argparse.ArgumentParser, options: Sequence[Option], *, agree: Collection[str] = ()) -> None:
    """Add `options` to `parser`, in their groups; the flags in `agree` take one value only."""
    groups: dict[str, Any] = {}
    for option in options:
        if option.group not in groups:
            groups[option.group] = parser.add_argument_group(option.group)
        shown = f"{option.help} (default: {option.default})" if option.default else option.help
        groups[option.group].add_argument(
            option.flag,
            dest=option.name,
            type=option.read,
            action=_Agree if option.flag in agree else "store",
            default=argparse.SUPPRESS,
            metavar="" if option.read is read_boolean else option.name.rpartition("_")[2].upper(),
            help=shown.replace("%", "%%"),
        )


def normalised(arguments: Sequence[str], options: Sequence[Option]) -> list[str]:
    """Spell every flag with `-` and by its one name, and give every boolean a value."""
    booleans = {option.flag for option in options if option.read is read_boolean}
    words = list(arguments)
    spelled: list[str] = []
    while words:
        word = words.pop(0)
        if not word.startswith("--") or word == "--":
            spelled.append(word)
            continue
        name, equals, value = word.partition("=")
        flag = _one_spelling(name)
        positive = "--" + flag.removeprefix("--no-")
        if flag in booleans and not equals and words and words[0].lower() in TRUE + FALSE:
            spelled.append(f"{flag}={words.pop(0)}")
        elif flag in booleans and not equals:
            spelled.append(f"{flag}=true")
        elif flag not in booleans and positive in booleans and not equals:
            spelled.append(f"{positive}=false")
        else:
            spelled.append(f"{flag}{equals}{value}")
    return spelled


def _one_spelling(name: str) -> str:
    """The one spelling of a flag."""
    plain = name.removeprefix("--").replace("-", "_")
    return flag_of(SYNONYMS.get(plain, plain))


def _named_twice(arguments: Sequence[str]) -> set[str]:
    """The flags that are given under two synonyms."""
    names = {word.partition("=")[0].replace("_", "-") for word in arguments if word.startswith("--")}
    flags = [_one_spelling(name) for name in names]
    return {flag for flag in flags if flags.count(flag) > 1}


def hyphenated(arguments: Sequence[str]) -> list[str]:
    """Spell the names of flags with `-`, and leave everything else as it is."""
    return [
        word.partition("=")[0].replace("_", "-") + "".join(word.partition("=")[1:]) if word.startswith("--") else word
        for word in arguments
    ]


def reader_of(setting: Setting) -> Callable[[str], Any] | None:
    """How the text of a flag becomes a value of the setting's type; None for a type that no flag can hold."""
    optional = get_origin(setting.type) in (Union, types.UnionType)
    kinds = [kind for kind in (get_args(setting.type) if optional else (setting.type,)) if kind is not type(None)]
    return next((read for kind, read in _READERS.items() if kind in kinds or kind in map(get_origin, kinds)), None)


def read_value(option: Option, value: Any, place: str) -> Any:
    """Check a value from a file against what the flag of the same name would hold."""
    if option.read is read_list and isinstance(value, list):
        return tuple(str(each) for each in value)
    if option.read is read_stops and isinstance(value, list):
        return tuple(value)
    try:
        return option.read(str(value).lower() if isinstance(value, bool) else str(value))
    except (ValueError, argparse.ArgumentTypeError) as error:
        raise UserError(f"{option.name}: {error}", where=place) from error


def read_boolean(text: str) -> bool:
    """Read a yes or a no."""
    if text.lower() not in TRUE + FALSE:
        raise argparse.ArgumentTypeError(f"expected true or false, got {text!r}")
    return text.lower() in TRUE


def read_list(text: str) -> tuple[str, ...]:
    """Read names separated by commas."""
    return tuple(part.strip() for part in text.split(",") if part.strip())


def read_stops(text: str) -> tuple[str, ...]:
    """Read one stop text, or a JSON list of several."""
    if not text.startswith("["):
        return (read_escaped(text),)
    try:
        return tuple(json.loads(text))
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"expected a text or a JSON list of texts, got {text!r}") from error


def read_escaped(text: str) -> str:
    r"""Read a text in which `\n`, `\t` and `\\` stand for themselves."""
    escapes = {"\\n": "\n", "\\t": "\t", "\\\\": "\\"}
    pieces, rest = [], text
    while rest:
        head = rest[:2]
        pieces.append(escapes.get(head, rest[0]))
        rest = rest[2:] if head in escapes else rest[1:]
    return "".join(pieces)


def read_integer(text: str) -> int:
    """Read an integer."""
    try:
        return int(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"expected an integer, got {text!r}") from error


def read_number(text: str) -> float:
    """Read a number."""
    try:
        return float(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"expected a number, got {text!r}") from error


_READERS: Mapping[Any, Callable[[str], Any]] = {
    bool: read_boolean,
    int: read_integer,
    float: read_number,
    tuple: read_list,
    str: read_escaped,
    Literal: read_escaped,
}
