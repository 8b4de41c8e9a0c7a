"""Run: a run in its folder. Claim it, solve what is not stored, conclude with votes and grades.

Why: the terminal, a sweep and a training loop run the same thing, and only differ in what they show.
Promises: a folder has one writer; only the same run goes on in it; every finished problem is stored at once, and what
is stored is not done again; engine and reward model are borrowed, so one engine serves many runs.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from loguru import logger

from inference_kit.budget import RunBudget
from inference_kit.errors import RunStopped, UserError, named
from inference_kit.evaluation import judge_answer, write_finals
from inference_kit.experiment.entry import list_dependencies, make_entry, make_header
from inference_kit.experiment.files import RunFiles
from inference_kit.experiment.progress import Progress
from inference_kit.experiment.survey import Survey, select_problems
from inference_kit.failures import Failures, MaxFailures
from inference_kit.grader import GraderPool
from inference_kit.records import Completion, Record, Usage
from inference_kit.records.indices import canonical_index
from inference_kit.runner import run
from inference_kit.setup.parts import Parts
from inference_kit.solver import Solver
from inference_kit.store.atomic import make_folder
from inference_kit.store.call_log import CallLog
from inference_kit.store.lock import FolderLock
from inference_kit.store.results import PartialFile, read_metrics
from inference_kit.store.run_config import check_same_run, write_entry
from inference_kit.voting import FALLBACK, VOTES

Watch = Callable[[Progress], None]
"""Called with the figures so far after each problem, on a thread of its own."""


LAST_SECONDS = 2.0
"""What is in flight when the seconds of a run are over is given to be answered."""


@dataclass(frozen=True)
class Run:
    """A run whose folder is this process's own, until the `claim` that made it ends."""

    parts: Parts
    survey: Survey
    files: RunFiles
    grader: GraderPool
    stored: PartialFile
    call_log: CallLog

    @cached_property
    def progress(self) -> Progress:
        """The figures so far; the stored problems are counted at the first look."""
        return Progress(len(self.survey.indices), self.n_finished)

    @cached_property
    def solver(self) -> Solver:
        """What solves the problems; it stops where the run has spent what it may, over all its processes."""
        parts = self.parts
        return Solver(
            engine=parts.engine,
            method=parts.method,
            config=parts.generation,
            grader=self.grader,
            reward_model=parts.reward_model,
            call_log=self.call_log,
            rules=parts.rules,
            run_budget=_count_budget(parts, self.stored, self.call_log, len(self.survey.indices)),
            keep_trees=parts.options.keep_trees,
        )

    async def solve(self, watch: Watch) -> None:
        """Solve and store what is not stored yet.

        Raises:
            RunStopped: where a limit of the run is reached.
        """
        options = self.parts.options
        concurrency = options.concurrency or self.parts.engine.concurrency

        def see(record: Record) -> None:
            self._see(record)
            watch(self.progress)

        async with _limit_time(self.solver.run_budget, options.max_seconds):
            await run(select_problems(self.parts), self.solver, self.stored, concurrency=concurrency, show=see)

    def conclude(self) -> dict[str | None, dict[str, Any]]:
        """Vote, grade and write the final files; return the metrics of each vote that could be taken.

        Where none of them can, which may show only now, the majority decides: what was paid for has its files.
        """
        metrics = self._write_finals(self.parts.votes)
        return metrics or self._write_finals((FALLBACK,))

    def _write_finals(self, votes: Sequence[str | None]) -> dict[str | None, dict[str, Any]]:
        assert self.parts.dataset, "a run has a data set"
        paths = {vote: self.files.final(vote) for vote in votes}
        for path in paths.values():
            self._say_what_is_replaced(path)
        return write_finals(
            lambda: self.stored.read_in_order(self.survey.indices),
            paths,
            make_header(self.parts),
            self.grader,
            strict=self._strict,
            own_metrics=self.parts.dataset.own_metrics,
        )

    def _say_what_is_replaced(self, path: Path) -> None:
        """Warn where a final file of more problems is about to be replaced."""
        held, now = read_metrics(path).get("total", 0), len(self.survey.indices)
        if held > now:
            logger.warning(
                "{} held {} problems and now holds these {}; all records are in {}; `evaluate {}` judges them again",
                path,
                held,
                now,
                self.stored.path,
                self.stored.path,
            )

    @property
    def n_finished(self) -> int:
        """Problems of this run that are stored without an error."""
        return len(self.stored.find_finished().intersection(map(canonical_index, self.survey.indices)))

    @property
    def _strict(self) -> bool:
        return self.parts.options.grading == "strict"

    def _see(self, record: Record) -> None:
        graded = self.parts.options.evaluate is not False
        correct = judge_answer(record, self.parts.votes[0], self.grader, strict=self._strict) if graded else None
        outcome = record.error or {True: "right", False: "wrong", None: "no gold answer"}[correct]
        logger.debug("problem {}: {}, {:.1f} s", record.index, outcome, record.seconds)
        self.progress.add(record, correct)


@contextmanager
def claim(
    parts: Parts, survey: Survey, files: RunFiles, grader: GraderPool, *, command: Sequence[str] = ()
) -> Iterator[Run]:
    """Make a folder this run's own: the same settings as before, or a fresh start.

    Args:
        parts: What runs.
        survey: The problems that are wanted.
        files: Where results go.
        grader: Compares answers.
        command: What asked for the run, to be kept in config.json.

    Raises:
        UserError: where another process has the folder, or a run of other settings stands there.
    """
    make_folder(files.folder)
    with FolderLock(files.folder):
        run_id = _write_claim(parts, survey, files, command)
        claimed = Run(parts, survey, files, grader, PartialFile(files.partial), CallLog(files.call_log, run_id))
        try:
            yield claimed
        finally:
            claimed.stored.close()
            claimed.call_log.close()


def _write_claim(parts: Parts, survey: Survey, files: RunFiles, command: Sequence[str]) -> str:
    """Write the entry of a run that may go on, or begins anew; return the run's id."""
    method, fresh = parts.method_name, parts.options.overwrite
    if fresh:
        for path in (files.partial, *(files.final(vote) for vote in (None, *VOTES))):
            path.unlink(missing_ok=True)
    elif not parts.options.resume and files.partial.exists():
        fix = f"Add {named('overwrite')}, or choose another {named('exp_name')}."
        raise UserError("this run is there already", where=str(files.partial), fix=fix)
    else:
        former = {"model": parts.engine.former_identity}
        check_same_run(files.folder, method, list_dependencies(parts), former)
    entry: Mapping[str, Any] = make_entry(parts) | {"command": list(command), "problems": len(survey.indices)}
    return write_entry(files.folder, method, entry, fresh=fresh)


@asynccontextmanager
async def _limit_time(budget: RunBudget, seconds: float | None) -> AsyncIterator[None]:
    """Let nothing more be asked for after so many seconds, and soon after that cancel what was not answered."""
    if seconds is None:
        yield
        return
    reason = f"{named('max_seconds')} {seconds:g} is over"
    end = asyncio.get_running_loop().call_later(seconds, budget.stop, reason)
    try:
        async with asyncio.timeout(seconds + LAST_SECONDS):
            yield
    except TimeoutError as error:
        raise RunStopped(reason) from error
    finally:
        end.cancel()


def _count_budget(parts: Parts, stored: PartialFile, call_log: CallLog, n_problems: int) -> RunBudget:
    """Return what the run may cost, less what it has cost so far: what is logged, of unfinished problems too.

    Where a prompt is read once for several completions, each names it, and what is stored tells how often it was read.
    """
    options = parts.options
    most = MaxFailures.read(options.max_failures).count_of(n_problems) if options.max_failures else None
    failures = Failures(most, watches=most is None)
    budget = RunBudget(options.max_tokens_total, options.max_cost, parts.engine.prices, failures=failures)
    budget.check_prices(parts.model_name)
    if budget.counts:
        logged = [Completion.from_json(each) for each in call_log.read_own(parts.engine.identity)]
        usages = [record.usage for record in stored.read_records()]
        read, written = sum(each.prompt_tokens for each in logged), sum(each.tokens for each in logged)
        read_for_stored = sum(each.prompt_tokens for each in usages)
        if parts.engine.capabilities.shares_prompt:
            read = read_for_stored
        # A call log that was pruned holds less than what is stored.
        written_for_stored = sum(each.generated_tokens for each in usages)
        budget.count(Usage(max(read, read_for_stored), max(written, written_for_stored)))
    return budget
