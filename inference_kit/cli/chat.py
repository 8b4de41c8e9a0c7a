"""`chat`: talk to a model in the terminal; with a reward model each reply is searched and its score shown."""

import asyncio
import difflib
import re
import sys
from collections.abc import Iterator, Sequence
from dataclasses import replace

from loguru import logger

from inference_kit.chat import Conversation
from inference_kit.cli.logs import log_to_terminal
from inference_kit.cli.options import parse_known
from inference_kit.cli.settings_table import format_settings
from inference_kit.cli.shutdown import Terminated, Threads
from inference_kit.cli.words import Command, TerminalOptions
from inference_kit.errors import UserError
from inference_kit.grader import GraderPool
from inference_kit.search import METHODS
from inference_kit.setup.names import NO_REWARD_MODEL
from inference_kit.setup.opener import Opener
from inference_kit.setup.options import list_run_options
from inference_kit.setup.parts import Parts
from inference_kit.setup.registries import Registries
from inference_kit.solver import Solver

ABOUT = (
    "Talk to a model; `/image PATH` shows it an image, `/clear` forgets the history, `/exit` leaves, `/help` lists all."
)
LEAVE, FORGET, IMAGE, HELP = ("exit", "quit", "/exit", "/quit"), ("clear", "/clear"), "/image", "/help"
COMMANDS = f"""\
{IMAGE} PATH  shows the next turn an image, a file or an address
/clear       forgets the history (also: clear)
/exit        leaves (also: /quit, exit, quit, Ctrl-D)
{HELP}        lists these
A line that begins with a space goes to the model as it is. Ctrl-C stops a reply."""
WORD = re.compile(r"/[A-Za-z]+")
"""What could only be a command: a path goes on after its first name."""


def execute(arguments: Sequence[str], registries: Registries) -> int:
    """Answer line by line until the input ends; Ctrl-C stops a reply, not the program.

    Returns 1 where a turn that came from a pipe failed, 130 where SIGTERM ended it.
    """
    words = [word for word in arguments if word not in ("-h", "--help")]
    command = Command("play.py", ABOUT, _choose_defaults(words), conversation=True)
    if len(words) < len(arguments):
        command.print_help(words, registries)
        return 0
    opener = Opener()
    parts = command.choose(words, registries, opener)
    options = parts.options
    assert isinstance(options, TerminalOptions)
    log_to_terminal(options.log_level, debug=bool(options.debug))
    if options.explain:
        print(format_settings({name: each for name, each in parts.settings.items() if command.knows(name)}))
        return 0
    parts.check()
    with GraderPool() as grader, asyncio.Runner() as runner:  # one loop, because connections live on one
        conversation = _begin(parts, grader)
        runner.get_loop().set_default_executor(Threads())  # for which nobody waits at the end
        try:
            failed = _talk(conversation, runner)
        except Terminated:
            return 130
        finally:
            runner.run(opener.close())
    return 1 if failed and not sys.stdin.isatty() else 0


def _choose_defaults(words: Sequence[str]) -> dict[str, object]:
    """Take a plain streamed reply, unless a reward model or a method asks for search."""
    given, _ = parse_known(list_run_options(TerminalOptions), words, prog="play.py")
    searched = str(given.get("reward_model", "none")).lower() not in NO_REWARD_MODEL
    return {"method": "best_of_n"} if searched else {"method": "vanilla", "reward_model": "none"}


def _begin(parts: Parts, grader: GraderPool) -> Conversation:
    greedy = parts.method_name == "greedy"
    config = replace(parts.generation, temperature=0.0) if greedy else parts.generation
    solver = Solver(parts.engine, parts.method, config, grader, parts.reward_model, rules=parts.rules)
    vote = None if METHODS[parts.method_name].one_solution else parts.votes[0]
    return Conversation(solver, vote, system=parts.options.system or "")


def _talk(conversation: Conversation, runner: asyncio.Runner) -> int:
    """Answer until the input ends; return how many turns failed. A turn that failed ends nothing but itself."""
    images: list[str] = []
    failed = 0
    for line in _read_lines():
        if _obey(line, conversation, images):
            continue
        try:
            runner.run(_answer(conversation, line.strip(), tuple(images)))
        except Terminated:
            raise
        except KeyboardInterrupt:
            print(" (stopped)", file=sys.stderr)
        except UserError as error:
            failed += 1
            print(f"error: {error}", file=sys.stderr)
        except Exception as error:  # noqa: BLE001 - one turn's bug must not cost the conversation
            failed += 1
            logger.opt(exception=error).debug("the turn failed")
            print(f"bug: {type(error).__name__}: {error}; --debug shows where", file=sys.stderr)
        images.clear()
    return failed


def _obey(line: str, conversation: Conversation, images: list[str]) -> bool:
    """Do what a line commands; return whether it is a command, an unknown one included."""
    word, _, rest = line.partition(" ")
    if word == IMAGE:
        images += [rest.strip()] if rest.strip() else []
        said = "the next turn shows it" if rest.strip() else f"{IMAGE} PATH: the path is missing"
    elif line in FORGET:
        images.clear()
        conversation.clear()
        said = "history forgotten"
    elif line == HELP:
        said = COMMANDS
    elif WORD.fullmatch(word):
        near = difflib.get_close_matches(word, [IMAGE, "/clear", "/exit", "/quit", HELP], n=1)
        meant = f", did you mean {near[0]}?" if near else ";"
        said = f"{word} is no command{meant} {HELP} lists them, and a space before it sends it to the model"
    else:
        return False
    print(f"({said})" if said != COMMANDS else said, file=sys.stderr)
    return True


def _read_lines() -> Iterator[str]:
    """Yield the user's lines, from a terminal with a prompt or from a pipe; blank ones are left out.

    Leading spaces stay: they keep a line from being a command.
    """
    interactive = sys.stdin.isatty()
    if interactive:
        _edit_lines()
    while True:
        try:  # `input` of a pipe drops what a signal raises while it writes out what was printed
            line = input("you: ") + "\n" if interactive else sys.stdin.readline()
        except EOFError:
            line = ""
        except KeyboardInterrupt as told:
            if not interactive or isinstance(told, Terminated):
                raise
            print("\n(Ctrl-D or /exit leaves)", file=sys.stderr)
            continue
        said = line.rstrip()
        if not line or said in LEAVE:
            return
        if said:
            yield said


def _edit_lines() -> None:
    """Have the arrow keys edit the line and recall earlier ones; a line has no length limit then."""
    try:
        import readline
    except ImportError:  # some builds of Python lack it; typing works without
        return
    readline.parse_and_bind("tab: self-insert")  # a pasted tab is text


async def _answer(conversation: Conversation, line: str, images: tuple[str, ...]) -> None:
    async for piece in conversation.reply(line, images):
        print(piece, end="", flush=True)
    print(f"  [score {conversation.score:.2g}]" if conversation.score is not None else "", flush=True)
