"""Options: the words of a command line in, values out.

Why: flags are the options of a run and of whatever is chosen; writing them down again would be a second truth.
Promises: `-` and `_` are the same in a name; booleans take `--x`, `--no-x`, `--x=true|false` and `--x false`; an
unknown flag is one line that names the nearest one; of a flag given twice with different values the last counts, which
is said, but stop texts add up; synonyms must agree.
"""

import argparse
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any, NoReturn

from loguru import logger

from inference_kit.config import SYNONYMS
from inference_kit.errors import UserError, flag_of
from inference_kit.registry import unknown
from inference_kit.setup.options import Option, show_value
from inference_kit.setup.values import FALSE, TRUE, read_boolean, read_object, read_pair, read_stops


class Parser(argparse.ArgumentParser):
    """Raises `UserError` where argparse would print its usage and leave.

    Of a flag given twice the last counts, which is said unless the reading is `preliminary`.
    """

    def __init__(self, *arguments: Any, preliminary: bool = False, **settings: Any) -> None:
        super().__init__(*arguments, **settings)
        self.preliminary = preliminary
        for name in (None, "store"):
            self.register("action", name, _LastCounts)

    def error(self, message: str) -> NoReturn:
        raise UserError(message.removeprefix("argument "), fix=f"See {self.prog} --help.")


class _LastCounts(argparse.Action):
    """Stores the value of a flag, and says so where it replaces another that was given."""

    def __init__(self, *arguments: Any, **settings: Any) -> None:
        super().__init__(*arguments, **settings)
        self._given: list[Any] = []

    def __call__(
        self, parser: argparse.ArgumentParser, namespace: argparse.Namespace, values: Any, option_string: Any = None
    ) -> None:
        said = option_string and isinstance(parser, Parser) and not parser.preliminary
        if said and self._given and self._given[-1] != values:
            first, last = show_value(self._given[-1]), show_value(values)
            logger.warning("{} is given twice, {} and then {}: the last counts", option_string, first, last)
        self._given.append(values)
        setattr(namespace, self.dest, values)


class _Agree(argparse.Action):
    """Stores a value that was given under two synonyms, where both give the same one."""

    def __call__(
        self, parser: argparse.ArgumentParser, namespace: argparse.Namespace, values: Any, option_string: Any = None
    ) -> None:
        if getattr(namespace, self.dest, values) != values:
            parser.error(f"{option_string} and its synonym have different values")
        setattr(namespace, self.dest, values)


class _AddUp(argparse.Action):
    """Stores all the values that a flag is given."""

    def __call__(
        self, parser: argparse.ArgumentParser, namespace: argparse.Namespace, values: Any, option_string: Any = None
    ) -> None:
        setattr(namespace, self.dest, (*getattr(namespace, self.dest, ()), *values))


class _Merge(argparse.Action):
    """Stores the fields of all the objects that a flag is given."""

    def __call__(
        self, parser: argparse.ArgumentParser, namespace: argparse.Namespace, values: Any, option_string: Any = None
    ) -> None:
        setattr(namespace, self.dest, {**getattr(namespace, self.dest, {}), **values})


def parse(
    options: Sequence[Option], arguments: Sequence[str], *, prog: str, elsewhere: Mapping[str, str] | None = None
) -> dict[str, Any]:
    """Read `arguments`; the result holds only what was given.

    Args:
        options: The flags that are known.
        arguments: The words of the command line.
        prog: The command, for messages.
        elsewhere: Flags that another method would have, with its name.

    Raises:
        UserError: an unknown flag, a value of the wrong type, a word that belongs to no flag.
    """
    given, unread = _read(Parser(prog=prog, add_help=False, allow_abbrev=False), options, arguments)
    for word in unread:
        flag = word.partition("=")[0]
        if elsewhere and flag in elsewhere:
            what = f"{flag} is a setting of {elsewhere[flag]}, which is not what runs"
            raise UserError(what, fix=f"Leave it out, or choose that method: {flag_of('method')} {elsewhere[flag]}.")
        if word.startswith("--"):
            known = [option.flag for option in options] + [*map(flag_of, SYNONYMS)]
            raise unknown(flag, known, "option")
        raise UserError(f"unexpected argument {word!r}", fix=f"See {prog} --help.")
    return given


def parse_known(options: Sequence[Option], arguments: Sequence[str], *, prog: str) -> tuple[dict[str, Any], list[str]]:
    """Read what `options` know of `arguments`, before `parse` does; also return the words that they do not know."""
    return _read(Parser(prog=prog, add_help=False, allow_abbrev=False, preliminary=True), options, arguments)


def _read(parser: Parser, options: Sequence[Option], arguments: Sequence[str]) -> tuple[dict[str, Any], list[str]]:
    add_options(parser, options, agree=_find_named_twice(arguments))
    found, unread = parser.parse_known_args(spell_flags(arguments, options))
    return vars(found), unread


def add_options(parser: argparse.ArgumentParser, options: Sequence[Option], *, agree: Collection[str] = ()) -> None:
    """Add `options` to `parser`, in their groups; the flags in `agree` take one value only."""
    groups: dict[str, Any] = {}
    for option in options:
        if option.group not in groups:
            groups[option.group] = parser.add_argument_group(option.group)
        shown = f"{option.help} ({option.source}: {option.default})" if option.default else option.help
        groups[option.group].add_argument(
            option.flag,
            dest=option.name,
            type=_make_argument_reader(option),
            action=_choose_action(option, agree),
            default=argparse.SUPPRESS,
            metavar="" if option.read is read_boolean else option.name.rpartition("_")[2].upper(),
            help=shown.replace("%", "%%"),
        )


def _choose_action(option: Option, agree: Collection[str]) -> Any:
    if option.read is read_stops:
        return _AddUp
    if option.read in (read_object, read_pair):
        return _Merge
    return _Agree if option.flag in agree else "store"


def _make_argument_reader(option: Option) -> Callable[[str], Any]:
    """Return what reads the text behind a flag, and fails in argparse's own words."""

    def read(text: str) -> Any:
        try:
            return option.read(text)
        except ValueError as error:
            raise argparse.ArgumentTypeError(str(error)) from error

    return read


def spell_flags(arguments: Sequence[str], options: Sequence[Option]) -> list[str]:
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
        flag = _spell_flag(name)
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


def _spell_flag(name: str) -> str:
    """Spell a flag with `-`, by its one name, and one that switches off likewise."""
    plain = name.removeprefix("--").replace("-", "_")
    switch = plain.removeprefix("no_")
    if plain != switch and switch in SYNONYMS:
        return flag_of(f"no_{SYNONYMS[switch]}")
    return flag_of(SYNONYMS.get(plain, plain))


def _find_named_twice(arguments: Sequence[str]) -> set[str]:
    """Find the flags that are given under two synonyms, switched on or off."""
    names = {
        word.partition("=")[0].replace("_", "-").replace("--no-", "--", 1)
        for word in arguments
        if word.startswith("--")
    }
    flags = [_spell_flag(name) for name in names]
    return {flag for flag in flags if flags.count(flag) > 1}


def hyphenate(arguments: Sequence[str]) -> list[str]:
    """Spell the names of flags with `-`, and leave everything else as it is."""
    return [
        word.partition("=")[0].replace("_", "-") + "".join(word.partition("=")[1:]) if word.startswith("--") else word
        for word in arguments
    ]
