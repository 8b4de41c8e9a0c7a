"""`run`: a search method over a data set, with votes, grades and files that survive anything."""

import asyncio
import json
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from loguru import logger

from inference_kit.budget import RunBudget
from inference_kit.cli.logs import log_to_folder, log_to_terminal
from inference_kit.cli.plan import Plan
from inference_kit.cli.planning import Command, make_plan, print_help
from inference_kit.cli.progress import Progress
from inference_kit.cli.run_options import DEFAULTS
from inference_kit.cli.settings_table import explained
from inference_kit.cli.shutdown import run_until_told
from inference_kit.cli.summary import show_summary, summary_of_run
from inference_kit.dataset.selection import Selection
from inference_kit.errors import RunStopped, UserError
from inference_kit.evaluation import verdict, write_finals
from inference_kit.grader import GraderPool
from inference_kit.records import Index, Message, Problem, Record
from inference_kit.report.tree import draw_tree
from inference_kit.runner import run
from inference_kit.setup.registries import Registries
from inference_kit.solver import Solver
from inference_kit.store.atomic import make_folder
from inference_kit.store.call_log import CallLog
from inference_kit.store.lock import FolderLock
from inference_kit.store.results import PartialFile
from inference_kit.store.run_config import check_same_run, write_entry
from inference_kit.voting import VOTES

COMMAND = Command("main.py run", DEFAULTS)
ABOUT = "Run a search method over a data set, vote, grade and store; the same command again goes on where it stopped."


def execute(arguments: Sequence[str], registries: Registries) -> int:
    """Run what `arguments` ask for; 1 where some problems failed, 130 where the run was interrupted."""
    if {"-h", "--help"} & set(arguments):
        print_help(ABOUT, [word for word in arguments if word not in ("-h", "--help")], registries, COMMAND)
        return 0
    plan = make_plan(arguments, registries, COMMAND)
    level = log_to_terminal(plan.value("log_level"), debug=bool(plan.value("debug")))
    if plan.value("explain"):
        print(explained(plan.settings))
        return 0
    survey = _survey(plan)
    plan.engine.check(plan.generation)
    if plan.reward_model is not None:
        plan.reward_model.check()
    plan.depends_on()  # reads what identifies model, reward model and data, so that what is missing is said before work
    if plan.value("dry_run"):
        print(_dry_run(plan, survey))
        return 0
    return _run(plan, survey, arguments, shown=level in ("DEBUG", "INFO"))


@dataclass(frozen=True, slots=True)
class _Survey:
    """What a first pass over the data found: which problems are wanted, in order, and whether any has a gold answer."""

    indices: tuple[Index, ...]
    first: Problem
    graded: bool


def _survey(plan: Plan) -> _Survey:
    indices: list[Index] = []
    first: Problem | None = None
    without_gold: Index | None = None
    with_gold = 0
    for problem in _selected(plan):
        first = first or problem
        indices.append(problem.index)
        with_gold += problem.answer is not None
        if problem.answer is None and without_gold is None:
            without_gold = problem.index
    if first is None and plan.shard:
        raise UserError(f"shard {plan.shard} has no problem", where="--shard", fix="Choose fewer shards.")
    if first is None:
        raise UserError(
            "the data set holds no problem", where=plan.dataset_name, fix="Check --dataset-path and --split."
        )
    wanted = plan.value("evaluate")
    if without_gold is not None and (wanted or (wanted is None and with_gold)):
        raise UserError(
            f"problem {without_gold!r} has no gold answer, so there is no accuracy",
            where=plan.dataset.location,
            fix="Add the answer, or use --no-evaluate to generate only.",
        )
    if without_gold is not None and wanted is None:
        logger.warning("{} has no gold answers: there will be no accuracy", plan.dataset_name)
    return _Survey(tuple(indices), first, graded=with_gold > 0)


def _selected(plan: Plan) -> Iterator[Problem]:
    selection = Selection(plan.value("limit"), plan.value("index"), plan.value("shuffle_seed"), plan.shard)
    system = plan.value("system")
    for problem in selection.select(plan.dataset.problems()):
        yield replace(problem, messages=(Message("system", system), *problem.messages)) if system else problem


def _run(plan: Plan, survey: _Survey, arguments: Sequence[str], *, shown: bool) -> int:
    make_folder(plan.folder)
    with FolderLock(plan.folder), GraderPool() as grader:
        run_id = _claim(plan, survey, arguments)
        log_to_folder(plan.folder)
        logger.debug("command line: {}", " ".join(arguments))
        partial = PartialFile(plan.file(suffix=".jsonl"))
        solver = Solver(
            engine=plan.engine,
            method=plan.method,
            config=plan.generation,
            grader=grader,
            reward_model=plan.reward_model,
            call_log=CallLog(plan.log_folder, run_id),
            rules=plan.rules,
            run_budget=_run_budget(plan, partial),
            keep_trees=bool(plan.value("keep_trees")),
        )
        try:
            progress = _solved(plan, survey, solver, partial, shown=shown)
            return _conclude(plan, survey, partial, grader, progress, arguments)
        except (KeyboardInterrupt, RunStopped) as reason:
            logger.remove()  # a thread that is still at work has no last word
            print(_goes_on(survey, partial, limit=str(reason)), file=sys.stderr)
            return 130


def _solved(plan: Plan, survey: _Survey, solver: Solver, partial: PartialFile, *, shown: bool) -> Progress:
    """Solve what is not stored yet; how it went."""
    stored = len(partial.find_finished().intersection(survey.indices))
    try:
        with Progress(total=len(survey.indices), done=stored, shown=shown) as progress:
            run_until_told(_solve_all(plan, survey, solver, partial, progress))
    finally:
        partial.close()
    return progress


def _goes_on(survey: _Survey, partial: PartialFile, *, limit: str) -> str:
    """What is done, and how to go on; `limit` is empty where the run was told to end."""
    done = len(partial.find_finished().intersection(survey.indices))
    why, higher = (f"Stopped, {limit},", " with a higher limit") if limit else ("Interrupted", "")
    return (
        f"{why} with {done} of {len(survey.indices)} problems done; all of them are in {partial.path}. "
        f"The same command{higher} goes on from there."
    )


def _run_budget(plan: Plan, partial: PartialFile) -> RunBudget:
    """What the run may cost, less what its stored problems did."""
    budget = RunBudget(plan.value("max_tokens_total"), plan.value("max_cost"), plan.engine.prices)
    if budget.max_cost is not None and budget.prices is None:
        raise UserError(
            f"{plan.model_name} has no prices, so its cost is not known",
            where="--max-cost",
            fix="Add --prompt-price and --completion-price, in dollars for a million tokens.",
        )
    for record in partial.read_records():
        budget.count(record.usage)
    return budget


async def _solve_all(plan: Plan, survey: _Survey, solver: Solver, partial: PartialFile, progress: Progress) -> None:
    concurrency = plan.value("concurrency") or plan.engine.concurrency
    grades = plan.value("evaluate") is not False

    def watch(record: Record) -> None:
        correct = verdict(record, plan.votes[0], solver.grader, strict=plan.strict) if grades else None
        outcome = record.error or {True: "right", False: "wrong", None: "no gold answer"}[correct]
        logger.debug("problem {}: {}, {:.1f} s", record.index, outcome, record.seconds)
        progress.finished(record, correct)

    try:
        async with asyncio.timeout(plan.value("max_seconds")):
            await run(_selected(plan), solver, partial, concurrency=concurrency, watch=watch)
        if plan.value("show_tree"):
            await _show_tree(plan, survey.first, solver)
    except TimeoutError as error:
        raise RunStopped(f"--max-seconds {plan.value('max_seconds'):g} is over") from error
    finally:
        await solver.close()


async def _show_tree(plan: Plan, problem: Problem, solver: Solver) -> None:
    """Draw the search of one problem; the call log answers all that it asks."""
    from rich.console import Console

    solution = await replace(solver, keep_trees=True).solve(problem)
    vote = plan.votes[0]
    chosen = VOTES[vote].choose(solution.candidates) if vote else 0
    Console(file=sys.stderr if plan.value("json") else sys.stdout).print(draw_tree(problem, solution, chosen))


def _claim(plan: Plan, survey: _Survey, arguments: Sequence[str]) -> str:
    """Make the folder this run's own: same settings as before, or a fresh start; return the run's id."""
    method, overwrite = plan.method_name, bool(plan.value("overwrite"))
    files = [plan.file(suffix=".jsonl"), *(plan.file(vote) for vote in (None, *VOTES))]
    if overwrite:
        for path in files:
            path.unlink(missing_ok=True)
    elif not plan.value("resume") and files[0].exists():
        raise UserError(
            "this run is there already", where=str(files[0]), fix="Add --overwrite, or choose another --exp-name."
        )
    else:
        check_same_run(plan.folder, method, plan.depends_on())
    entry = plan.to_json() | {"command": list(arguments), "problems": len(survey.indices)}
    return write_entry(plan.folder, method, entry, fresh=overwrite)


def _conclude(
    plan: Plan,
    survey: _Survey,
    partial: PartialFile,
    grader: GraderPool,
    progress: Progress,
    arguments: Sequence[str],
) -> int:
    """Vote, grade, write the final files and show the summary."""
    order = survey.indices
    finished = partial.find_finished()
    failed = sum(index not in finished for index in order)
    if plan.value("evaluate") is False:
        print(f"{len(order)} problems generated, {failed} failed; records in {partial.path}")
        return 1 if failed else 0
    paths = {vote: plan.file(vote) for vote in plan.votes}
    metrics = write_finals(
        lambda: partial.read_in_order(order),
        paths,
        plan.header(),
        grader,
        strict=plan.strict,
        own_metrics=plan.dataset.own_metrics,
    )
    summary = summary_of_run(plan, paths, metrics, progress, arguments)
    shown = show_summary(summary)
    logger.debug("{}", shown)
    print(json.dumps(summary, ensure_ascii=False, indent=1) if plan.value("json") else shown)
    return 1 if failed else 0


def _dry_run(plan: Plan, survey: _Survey) -> str:
    return (
        f"{plan.dataset_name}: {len(survey.indices)} problems, "
        f"{'with' if survey.graded else 'without'} gold answers\n"
        f"would write to {plan.folder}\n\n"
        f"first prompt (problem {survey.first.index}), as {plan.model_name} sees it:\n"
        f"{plan.engine.render(survey.first.messages)}"
    )
