"""The command line: arguments in, one call, exit code out. One line in `COMMANDS` adds a subcommand.

Why: each subcommand is one file, imported only when it is asked for, so `--help` answers at once.
Promises: what a user can mend is one line on standard error and exit code 2; a bug is one line that says how to see
more.
"""

import codecs
import importlib
import json
import os
import sys
import traceback
from collections.abc import Sequence
from io import TextIOWrapper
from typing import NoReturn

from inference_kit import __version__
from inference_kit.cli.logs import log_to_terminal
from inference_kit.cli.options import Parser, hyphenate
from inference_kit.cli.shutdown import leave
from inference_kit.errors import UserError
from inference_kit.registry import unknown
from inference_kit.setup.registries import Registries

COMMANDS = {
    "run": "run a search method over a data set, vote, grade, store; resumes by itself",
    "evaluate": "grade and vote stored results again; no model is loaded",
    "compare": "two result files of the same data set side by side",
    "grade": "grade lines of id, gold and response from any other program",
    "cache": "what the call log of a work folder holds, and its cleaning",
    "list": "what is registered, with one line each",
    "chat": "talk to a model in the terminal",
    "doctor": "what this machine has, and the command that mends what is missing",
}

OWN_FLAGS = ("run", "chat")
"""Commands that read their words themselves, because their flags follow from the model and the method chosen."""


def main(arguments: Sequence[str], registries: Registries) -> int:
    """Run one command and return its exit code."""
    debug = "--debug" in arguments
    _escape_what_cannot_be_written()
    try:
        return _dispatch([*arguments], registries)  # `list` is a module of this package once it is imported
    except UserError as error:
        print(f"error: {error}", file=sys.stderr)
        if debug:
            traceback.print_exc()
        return 2
    except KeyboardInterrupt:
        print("Interrupted. Nothing is lost: the same command goes on.", file=sys.stderr)
        return 130
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except Exception as error:
        if debug:
            raise
        place = traceback.extract_tb(error.__traceback__)[-1]
        print(f"bug: {type(error).__name__}: {error} ({place.filename}:{place.lineno})", file=sys.stderr)
        print("Run the same command with --debug for the traceback, and please report it.", file=sys.stderr)
        return 1


def _escape_what_cannot_be_written() -> None:
    r"""Write a character that a terminal's encoding lacks as `\uXXXX`, which JSON reads back, and fail at none."""
    codecs.register_error("inference_kit.escape", _escape)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):
            stream.reconfigure(errors="inference_kit.escape")


def _escape(error: UnicodeError) -> tuple[str, int]:
    if not isinstance(error, UnicodeEncodeError):
        raise error
    return json.dumps(error.object[error.start : error.end])[1:-1], error.end


def console_script() -> NoReturn:
    """`inference-kit`: the same as `python main.py`, installed."""
    leave(importlib.import_module("main").main(sys.argv[1:]))


def _dispatch(arguments: list[str], registries: Registries) -> int:
    if not arguments or (arguments[0].startswith("-") and arguments[0] not in ("-h", "--help", "--version")):
        arguments = ["run", *arguments]
    command = arguments[0]
    if command in OWN_FLAGS:
        return int(importlib.import_module(f"inference_kit.cli.{command}").execute(arguments[1:], registries))
    if not command.startswith("-") and command not in COMMANDS:
        raise unknown(command, COMMANDS, "command")
    log_to_terminal(None)
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
