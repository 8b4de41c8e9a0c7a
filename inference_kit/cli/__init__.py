"""The command line: arguments in, one call, exit code out. One line in `COMMANDS` adds a subcommand.

Why: each subcommand is one file, imported only when it is asked for, so `--help` answers at once.
Promises: what a user can mend is one line on standard error and exit code 2; a bug is one line that says how to see
more; SIGTERM interrupts as Ctrl-C does, at any moment; a command whose output nobody reads ends as done only where its
results are files.
"""

import importlib
import sys
import traceback
from collections.abc import Sequence
from typing import NoReturn

from inference_kit import __version__
from inference_kit.cli.logs import log_to_terminal
from inference_kit.cli.options import Parser, hyphenate
from inference_kit.cli.shutdown import leave, sigterm_interrupts
from inference_kit.cli.streams import OutputLost, prepare_streams
from inference_kit.errors import UserError
from inference_kit.registry import unknown
from inference_kit.setup.registries import Registries

COMMANDS = {
    "run": "run a search method over a data set, vote, grade, store; resumes by itself",
    "evaluate": "grade and vote stored results again; no model is loaded",
    "compare": "two result files of the same data set side by side",
    "grade": "grade lines of id, gold and response from any other program",
    "transform": "rewrite a field of every record of JSON files with a model; resumes by itself",
    "cache": "what the call log of a work folder holds, and its cleaning",
    "list": "what is registered, with one line each",
    "chat": "talk to a model in the terminal",
    "doctor": "what this machine has, and the command that mends what is missing",
}

OWN_FLAGS = ("run", "chat", "transform")
"""Commands that read their words themselves, because their flags follow from the model and the method chosen."""

RESULTS_ARE_FILES = ("run", "evaluate")
"""Commands that go on to their end where nobody reads what they print."""

READER_LEFT = 128 + 13
"""The exit code of a command whose output was closed before its end: what shells show for SIGPIPE."""


def main(arguments: Sequence[str], registries: Registries) -> int:
    """Run one command and return its exit code."""
    arguments = _name_command(arguments)
    debug = "--debug" in arguments
    prepare_streams(may_lose_output=arguments[0] in RESULTS_ARE_FILES)
    try:
        with sigterm_interrupts():
            try:
                return _dispatch([*arguments], registries)  # `list` is a module of this package once it is imported
            finally:
                sys.stdout.flush()
    except UserError as error:
        print(f"error: {error}", file=sys.stderr)
        if debug:
            traceback.print_exc()
        return 2
    except KeyboardInterrupt:
        print("Interrupted. Nothing is lost: the same command goes on.", file=sys.stderr)
        return 130
    except OutputLost as lost:
        if lost.reader_left:
            return READER_LEFT
        print(f"error: standard output: {lost.error.strerror}", file=sys.stderr)
        return 2
    except Exception as error:
        if debug:
            raise
        place = traceback.extract_tb(error.__traceback__)[-1]
        print(f"bug: {type(error).__name__}: {error} ({place.filename}:{place.lineno})", file=sys.stderr)
        print("Run the same command with --debug for the traceback, and please report it.", file=sys.stderr)
        return 1


def _name_command(arguments: Sequence[str]) -> Sequence[str]:
    """Return the words with the command first, which is `run` where none is named."""
    named = arguments and (not arguments[0].startswith("-") or arguments[0] in ("-h", "--help", "--version"))
    return arguments if named else ["run", *arguments]


def console_script() -> NoReturn:
    """`inference-kit`: the same as `python main.py`, installed."""
    leave(importlib.import_module("main").main(sys.argv[1:]))


def transform_script() -> NoReturn:
    """`fabe-infer run`: the same as `python main.py transform`, installed."""
    words = sys.argv[1:]
    command = ["transform", *words[1:]] if words[:1] == ["run"] else ["transform", *(words or ["--help"])]
    leave(importlib.import_module("main").main(command))


def _dispatch(arguments: list[str], registries: Registries) -> int:
    log_to_terminal(None)
    command = arguments[0]
    if command in OWN_FLAGS:
        return int(importlib.import_module(f"inference_kit.cli.{command}").execute(arguments[1:], registries))
    if not command.startswith("-") and command not in COMMANDS:
        raise unknown(command, COMMANDS, "command")
    parser = Parser(prog="main.py", description="How much does a language model gain from thinking longer?")
    parser.add_argument("--version", action="version", version=__version__)
    subparsers = parser.add_subparsers(metavar="COMMAND", required=True)
    for name, summary in COMMANDS.items():
        if name == command:
            importlib.import_module(f"inference_kit.cli.{name}").add_parser(subparsers)
        else:
            subparsers.add_parser(name, help=summary)
    parsed = parser.parse_args(hyphenate(arguments))
    return int(parsed.execute(parsed, registries))
