"""`chat`: talk to a model in the terminal; with a reward model each reply is searched and its score shown."""

import asyncio
import sys
from collections.abc import Iterator, Sequence
from dataclasses import replace

from inference_kit.chat import Conversation
from inference_kit.cli.logs import log_to_terminal
from inference_kit.cli.options import parse_known
from inference_kit.cli.plan import Plan
from inference_kit.cli.planning import Command, make_plan, print_help
from inference_kit.cli.run_options import DEFAULTS, RUN_OPTIONS
from inference_kit.cli.settings_table import explained
from inference_kit.errors import UserError
from inference_kit.grader import GraderPool
from inference_kit.search import METHODS
from inference_kit.setup.registries import Registries
from inference_kit.solver import Solver

OF_A_RUN = frozenset(
    "dataset dataset_path split subset prompt_template limit index shuffle_seed shard evaluate grading work_dir "
    "exp_name resume overwrite concurrency max_tokens_total max_seconds max_cost keep_trees show_tree dry_run "
    "json".split()
)
"""Flags of `run` that mean nothing in a conversation."""
PROG = "play.py"
ABOUT = "Talk to a model; `/image PATH` shows it an image, `clear` forgets the history, `exit` leaves."
LEAVE, FORGET, IMAGE = ("exit", "quit"), "clear", "/image "


def execute(arguments: Sequence[str], registries: Registries) -> int:
    """Answer line by line until the input ends; Ctrl-C stops a reply, not the program."""
    words = [word for word in arguments if word not in ("-h", "--help")]
    command = Command(PROG, _defaults(words), OF_A_RUN)
    if len(words) < len(arguments):
        print_help(ABOUT, words, registries, command)
        return 0
    plan = make_plan(words, registries, command)
    log_to_terminal(plan.value("log_level"), debug=bool(plan.value("debug")))
    if plan.value("explain"):
        of_the_data = [name for name in plan.settings if name.startswith("dataset.")]
        print(explained(plan.settings, without=[*OF_A_RUN, *of_the_data]))
        return 0
    with GraderPool() as grader, asyncio.Runner() as runner:  # one loop, because connections live on one
        conversation = _conversation(plan, grader)
        try:
            _talk(conversation, runner)
        finally:
            runner.run(conversation.solver.close())
    return 0


def _defaults(words: Sequence[str]) -> dict[str, object]:
    """A plain streamed reply, unless a reward model or a method asks for search."""
    given, _ = parse_known(RUN_OPTIONS, words, prog=PROG)
    searched = given.get("reward_model", "none") != "none"
    return (
        {**DEFAULTS, "method": "best_of_n"} if searched else {**DEFAULTS, "method": "vanilla", "reward_model": "none"}
    )


def _conversation(plan: Plan, grader: GraderPool) -> Conversation:
    config = replace(plan.generation, temperature=0.0) if plan.method_name == "greedy" else plan.generation
    plan.engine.check(config)
    if plan.reward_model is not None:
        plan.reward_model.check()
    solver = Solver(plan.engine, plan.method, config, grader, plan.reward_model, rules=plan.rules)
    vote = None if METHODS[plan.method_name].one_solution else plan.votes[0]
    return Conversation(solver, vote, system=plan.value("system") or "")


def _talk(conversation: Conversation, runner: asyncio.Runner) -> None:
    images: list[str] = []
    for line in _lines():
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


def _lines() -> Iterator[str]:
    """The user's turns: from a terminal with a prompt, or from a pipe; blank ones are left out."""
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
