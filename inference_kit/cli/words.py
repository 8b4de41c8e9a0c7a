"""Words: the words of a command line, and the config file that they name, as a request to setup.

Why: which flags there are follows from what is chosen, so words are read twice: names first, then everything.
Promises: an unknown flag is one line that names the nearest one, or the method that has it.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from inference_kit.cli.options import Parser, add_options, parse, parse_known
from inference_kit.config import Level, read_config
from inference_kit.errors import named
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
        selection, request = self._read(words, registries)
        return choose_parts(selection, request, registries, opener)

    def print_help(self, words: Sequence[str], registries: Registries) -> None:
        """Print every flag of what `words` choose: those of its method, model, reward model and data set too."""
        selection, _ = self._select(words, registries)
        parser = Parser(prog=self.prog, description=self.about, allow_abbrev=False)
        add_options(parser, self._known(selection))
        parser.print_help()

    def _select(self, words: Sequence[str], registries: Registries) -> tuple[Selection, Request]:
        """Read the names among `words` and in the config file that they name; values are as they were written."""
        given, _ = parse_known(list_run_options(TerminalOptions), words, prog=self.prog)
        levels = [Level("command line", given, told=True)]
        if given.get("config"):
            levels.append(Level("config file", read_config(Path(given["config"]).expanduser(), SECTIONS).values))
        remedy = f"Add {named('reward_model')} NAME; `main.py list reward_models` shows those registered."
        request = Request(tuple(levels), self.defaults, TerminalOptions, remedy)
        return select(request, registries), request

    def _read(self, words: Sequence[str], registries: Registries) -> tuple[Selection, Request]:
        """Read all words and the config file, each value as its setting wants it."""
        selection, request = self._select(words, registries)
        given = parse(self._known(selection), words, prog=self.prog, elsewhere=_flags_of_methods())
        levels = [Level("command line", given, told=True)]
        if given.get("config"):
            options = {option.name: option for option in selection.options}
            config = read_config(Path(given["config"]).expanduser(), SECTIONS)
            levels.append(read_file_level(config, options, "config file"))
        return selection, replace(request, levels=tuple(levels))

    def _known(self, selection: Selection) -> list[Option]:
        return [option for option in selection.options if self.knows(option.key)]


def _flags_of_methods() -> dict[str, str]:
    """Return every flag that some method has, and the name of one that has it."""
    return {
        option.flag: name
        for name in reversed(METHODS)
        for option in list_settings(METHODS[name].function, "", "method")
    }
