"""`run`: a search method over a data set, with votes, grades and files that survive anything."""

import json
import sys
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from loguru import logger

from inference_kit.cli.logs import log_to_folder, log_to_terminal
from inference_kit.cli.progress import ProgressLine
from inference_kit.cli.settings_table import format_settings
from inference_kit.cli.shutdown import run_until_told
from inference_kit.cli.words import Command, TerminalOptions
from inference_kit.errors import RunStopped
from inference_kit.experiment.entry import list_dependencies
from inference_kit.experiment.files import RunFiles, name_run_files
from inference_kit.experiment.survey import Survey, survey_problems
from inference_kit.models.http.extras import mask_words
from inference_kit.report.tree import GrowingTree, draw_tree
from inference_kit.setup.opener import Opener
from inference_kit.setup.parts import Parts
from inference_kit.setup.registries import Registries
from inference_kit.voting import ALL, VOTES

if TYPE_CHECKING:
    from inference_kit.experiment.run import Run

COMMAND = Command(
    "main.py run",
    "Run a search method over a data set, vote, grade and store; the same command again goes on where it stopped.",
)


def execute(arguments: Sequence[str], registries: Registries) -> int:
    """Run what `arguments` ask for; return 1 where some problems failed, 130 where the run was interrupted."""
    if {"-h", "--help"} & set(arguments):
        COMMAND.print_help([word for word in arguments if word not in ("-h", "--help")], registries)
        return 0
    opener = Opener()
    parts = COMMAND.choose(arguments, registries, opener)
    arguments = mask_words(arguments)  # from here on they are only shown and stored
    options = parts.options
    assert isinstance(options, TerminalOptions)
    level = log_to_terminal(options.log_level, debug=bool(options.debug))
    if options.explain:
        print(format_settings(parts.settings))
        return 0
    survey, files = survey_problems(parts), name_run_files(parts)
    parts.check()
    list_dependencies(parts)  # looks at weights and data, so that what is missing is said before work
    if options.dry_run:
        print(_describe(parts, survey, files))
        return 0
    # A quarter of the start of a command that only explains.
    from inference_kit.experiment.run import claim
    from inference_kit.grader import GraderPool

    with GraderPool() as grader, claim(parts, survey, files, grader, command=arguments) as run:
        return _run(run, options, opener, arguments, shown=level in ("DEBUG", "INFO"))


def _run(run: "Run", options: TerminalOptions, opener: Opener, arguments: Sequence[str], *, shown: bool) -> int:
    """Solve, show and conclude a run; a run that was told to end says how it goes on."""
    log_to_folder(run.files.folder)
    logger.debug("command line: {}", " ".join(arguments))
    try:
        with ProgressLine(run.progress, shown=shown) as line:
            run_until_told(_solve(run, options, opener, line))
        return _conclude(run, options, arguments)
    except (KeyboardInterrupt, RunStopped) as reason:
        logger.remove()  # a thread that is still at work has no last word
        higher = isinstance(reason, RunStopped) and reason.higher
        print(_explain_how_to_go_on(run, limit=str(reason), higher=higher), file=sys.stderr)
        return 130


async def _solve(run: "Run", options: TerminalOptions, opener: Opener, line: ProgressLine) -> None:
    """Solve what is left, and close engine and reward model, which were opened for this run."""
    try:
        await run.solve(line.show)
        if options.show_tree:
            await _show_tree(run, options)
    finally:
        await opener.close()


async def _show_tree(run: "Run", options: TerminalOptions) -> None:
    """Draw the search of one problem while it grows, and then with the choice; the call log answers all it asks."""
    from rich.console import Console
    from rich.live import Live

    problem, vote = run.survey.first, run.parts.votes[0]
    console, tree = Console(file=sys.stderr if options.json else sys.stdout), GrowingTree(problem)
    watched = replace(run.solver, keep_trees=True).watch(problem, pieces=False)
    with Live(tree, console=console, transient=True):
        async for event in watched:
            tree.add(event)
    assert tree.solution is not None, "a search ends with its solution"
    chosen = VOTES[vote].choose(tree.solution.candidates) if vote else 0
    console.print(draw_tree(problem, tree.solution, chosen))


def _conclude(run: "Run", options: TerminalOptions, arguments: Sequence[str]) -> int:
    """Vote, grade, write the final files and show the summary."""
    failed = len(run.survey.indices) - run.n_finished
    if options.evaluate is False:
        print(f"{len(run.survey.indices)} problems generated, {failed} failed; records in {run.stored.path}")
        return 1 if failed else 0
    from inference_kit.cli.summary import format_summary
    from inference_kit.experiment.summary import summarize

    summary = summarize(run, run.conclude(), arguments)
    shown = format_summary(summary)
    logger.debug("{}", shown)
    print(json.dumps(summary, ensure_ascii=False, indent=1) if options.json else shown)
    missed = summary["not_taken"] and options.vote is not None and ALL not in options.vote
    return 1 if failed or missed else 0


def _explain_how_to_go_on(run: "Run", *, limit: str, higher: bool) -> str:
    """Say what is done, and how to go on; `limit` is empty where the run was told to end."""
    why = f"Stopped, {limit}," if limit else "Interrupted"
    again = " with a higher limit" if higher else ""
    return (
        f"{why} with {run.n_finished} of {len(run.survey.indices)} problems done; all of them are in "
        f"{run.stored.path}. The same command{again} goes on from there."
    )


def _describe(parts: Parts, survey: Survey, files: RunFiles) -> str:
    return (
        f"{parts.dataset_name}: {len(survey.indices)} problems, "
        f"{'with' if survey.graded else 'without'} gold answers\n"
        f"would write to {files.folder}\n\n"
        f"first prompt (problem {survey.first.index}), as {parts.model_name} sees it:\n"
        f"{parts.engine.render(survey.first.messages)}"
    )
