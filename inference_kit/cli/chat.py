"""`chat`: talk to a model in the terminal; with a reward model each reply is searched and its score shown."""

import asyncio
import sys
from collections.abc import Iterator, Sequence
from dataclasses import replace

from inference_kit.chat import Conversation
from inference_kit.cli.logs import log_to_terminal
from inference_kit.cli.options import parse_known
from inference_kit.cli.settings_table import format_settings
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

ABOUT = "Talk to a model; `/image PATH` shows it an image, `clear` forgets the history, `exit` leaves."
LEAVE, FORGET, IMAGE = ("exit", "quit"), "clear", "/image "


def execute(arguments: Sequence[str], registries: Registries) -> int:
    """Answer line by line until the input ends; Ctrl-C stops a reply, not the program."""
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
        try:
            _talk(conversation, runner)
        finally:
            runner.run(opener.close())
    return 0


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


def _talk(conversation: Conversation, runner: asyncio.Runner) -> None:
    images: list[str] = []
    for line in _read_lines():
        if line.startswith(IMAGE):
            images.append(line.removeprefix(IMAGE).strip())
            print("(the next turn shows it)", file=sys.stderr)
            continue
        if line == FORGET:
            images.clear()
            conversation.clear()
            print("(history forgotten)", file=sys.stderr)
            continue
        try:
            runner.run(_answer(conversation, line, tuple(images)))
        except KeyboardInterrupt:
            print(" (stopped)", file=sys.stderr)
        except UserError as error:
            print(f"error: {error}", file=sys.stderr)
        images.clear()


def _read_lines() -> Iterator[str]:
    """Yield the user's turns, from a terminal with a prompt or from a pipe; blank ones are left out."""
    prompt = "you: " if sys.stdin.isatty() else ""
    while True:
        try:
            line = input(prompt).strip()
        except EOFError:
            return
        except KeyboardInterrupt:
            print("\n(Ctrl-D or exit leaves)", file=sys.stderr)
            continue
        if line in LEAVE:
            return
        if line:
            yield line


async def _answer(conversation: Conversation, line: str, images: tuple[str, ...]) -> None:
    async for piece in conversation.reply(line, images):
        print(piece, end="", flush=True)
    print(f"  [score {conversation.score:.2g}]" if conversation.score is not None else "")
