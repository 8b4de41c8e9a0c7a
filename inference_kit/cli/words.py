"""Words: the words of a command line, and the config file that they name, as a request to setup.

Why: which flags there are follows from what is chosen, so words are read twice: names first, then everything.
Promises: an unknown flag is one line that names the nearest one, or the method that has it.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from inference_kit.cli.options import Parser, add_options, parse, parse_known
from inference_kit.config import ConfigFile, Level, Resolved, read_config
from inference_kit.errors import UserError, named
from inference_kit.search import METHODS
from inference_kit.setup.choose import choose_parts
from inference_kit.setup.names import Selection, select
from inference_kit.setup.opener import Opener
from inference_kit.setup.options import Option, list_run_options, list_settings
from inference_kit.setup.parts import Parts
from inference_kit.setup.registries import Registries
from inference_kit.setup.request import SECTIONS, Request, read_file_level
from inference_kit.setup.run_options import RunOptions, list_names, option


@dataclass(frozen=True, kw_only=True)
class TerminalOptions(RunOptions):
    """What a terminal adds to the options of a run.

    Args:
        config: a YAML file with any of these settings
        show_tree: draw the search tree of the first problem
        explain: print every setting with its source, and stop
        dry_run: check everything, show the first prompt, and stop
        json: print the summary as one JSON object
        debug: tracebacks, and everything in the log
        log_level: ERROR, WARNING, INFO or DEBUG
    """

    config: str | None = option(None, "process", "solver", unset="none")
    show_tree: bool = option(False, "process", "run")
    explain: bool = option(False, "process", "solver")
    dry_run: bool = option(False, "process", "run")
    json: bool = option(False, "process", "run")
    debug: bool | None = option(None, "process", "solver", unset="false")
    log_level: str | None = option(None, "process", "solver", unset="INFO, or LOG_LEVEL")


OF_A_RUN = frozenset(list_names(TerminalOptions, "run"))


@dataclass(frozen=True, slots=True)
class Command:
    """A command that chooses parts: its name for messages, what it is about, and its defaults.

    To a `conversation` the options of a run and the settings of a data set mean nothing.
    """

    prog: str
    about: str
    defaults: Mapping[str, Any] = field(default_factory=dict)
    conversation: bool = False

    def knows(self, key: str) -> bool:
        """Return whether a setting, by its name among those of a run, means something to this command."""
        return not self.conversation or not (key in OF_A_RUN or key.startswith("dataset."))

    def choose(self, words: Sequence[str], registries: Registries, opener: Opener) -> Parts:
        """Choose the parts that `words` ask for; whoever brings the opener closes it.

        Raises:
            UserError: an unknown name, flag or key, a value out of range, a path that does not exist.
        """
        given = self._read_names(words)
        return self._choose(words, self._make_request(given, ask=not given.get("explain")), registries, opener)

    def print_help(self, words: Sequence[str], registries: Registries) -> None:
        """Print every flag of what `words` choose, those of its parts too, with the values that will hold."""
        request = self._make_request(self._read_names(words), ask=False)
        options = self._list_known(select(request, registries))
        try:
            settings = _list_values(self._choose(words, request, registries, Opener()))
        except UserError:  # what is wrong with a request is no reason to show no help
            settings = {}
        parser = Parser(prog=self.prog, description=self.about, allow_abbrev=False)
        add_options(parser, [option.show(settings) for option in options])
        parser.print_help()

    def _read_names(self, words: Sequence[str]) -> dict[str, Any]:
        """Read those words that do not depend on what is chosen."""
        return parse_known(list_run_options(TerminalOptions), words, prog=self.prog)[0]

    def _make_request(self, given: Mapping[str, Any], *, ask: bool) -> Request:
        """Return what names are given by the words and by the config file that they name."""
        levels = [Level("command line", given, told=True)]
        if given.get("config"):
            config = _read_config(given)
            options = {option.name: option for option in list_run_options(TerminalOptions)}
            values = {name: value for name, value in config.values.items() if name in options}
            levels.append(read_file_level(replace(config, values=values, sections={}), options, "config file"))
        remedy = f"Add {named('reward_model')} NAME; `main.py list reward_models` shows those registered."
        return Request(tuple(levels), self.defaults, TerminalOptions, ask, remedy)

    def _choose(self, words: Sequence[str], request: Request, registries: Registries, opener: Opener) -> Parts:
        """Read all words and the config file, each value as its setting wants it, and choose the parts."""
        selection = select(request, registries)
        given = parse(self._list_known(selection), words, prog=self.prog, elsewhere=_list_flags_of_methods())
        levels = [Level("command line", given, told=True)]
        if given.get("config"):
            options = {option.name: option for option in selection.options}
            levels.append(read_file_level(_read_config(given), options, "config file"))
        return choose_parts(selection, replace(request, levels=tuple(levels)), registries, opener)

    def _list_known(self, selection: Selection) -> list[Option]:
        return [option for option in selection.options if self.knows(option.key)]


def _list_values(parts: Parts) -> dict[str, Resolved]:
    """Return all settings that will hold, those too that nobody gave and that follow from what was chosen."""
    followed = {
        "reward_model": Resolved(parts.reward_model_name, "default"),
        "concurrency": Resolved(parts.engine.concurrency, "engine"),
    }
    return {**followed, **parts.settings}


def _read_config(given: Mapping[str, Any]) -> ConfigFile:
    return read_config(Path(given["config"]).expanduser(), SECTIONS)


def _list_flags_of_methods() -> dict[str, str]:
    """Return every flag that some method has, and the name of one that has it."""
    return {
        option.flag: name
        for name in reversed(METHODS)
        for option in list_settings(METHODS[name].function, "", "method")
    }
