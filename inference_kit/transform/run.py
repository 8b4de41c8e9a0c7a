"""Run: a job from its first record to its last, over all its files.

Why: files are done several at a time, because many are small, and what a service may be asked at once is one number.
Promises: one process works on an output; a file that cannot be read to its end ends itself and no other; whoever opens
the engine closes it.
"""

import asyncio
import secrets
from contextlib import ExitStack
from pathlib import Path
from typing import Protocol

from loguru import logger

from inference_kit.dataset.json_spans import read_members
from inference_kit.flow import for_each
from inference_kit.models.http.replies import estimate_tokens
from inference_kit.records import Usage
from inference_kit.store.atomic import make_folder
from inference_kit.store.call_log import Cache
from inference_kit.store.lock import FolderLock
from inference_kit.transform.failures import Failures
from inference_kit.transform.job import Job
from inference_kit.transform.plan import FilePlan
from inference_kit.transform.records import Fate, Left, Outcome, Transformer, find_target
from inference_kit.transform.rewrite import Rewriter
from inference_kit.transform.rows import BadRecord, Row, RowReader

FILES_AT_ONCE = 8


class Watch(Protocol):
    """Whoever is shown how a job goes."""

    broken: list[str]

    def see(self, outcome: Outcome) -> None:
        """Take one record."""

    def show(self, share: float, usage: Usage) -> None:
        """Take the share of the input that is done, and what it cost so far."""


async def transform(job: Job, watch: Watch) -> None:
    """Transform all files of a job.

    Raises:
        UserError: what concerns the whole job, such as other settings than before or a full disk.
        RunStopped: where a limit of the job is reached.
    """
    log = _open_log(job)
    transformer = _make_transformer(job, log)
    size = sum(plan.source.stat().st_size for plan in job.files) or 1
    done = 0
    rewriters: dict[Path, Rewriter] = {}
    places = asyncio.Semaphore(job.in_flight)
    settings = job.list_dependencies()

    def see(row: Row, outcome: Outcome) -> None:
        nonlocal done
        done += len(row.before) + len(row.text)
        watch.see(outcome)
        watch.show(min(1.0, done / size), transformer.usage)

    async def work(plan: FilePlan) -> None:
        try:
            await rewriters[plan.state_folder].rewrite(plan)
        except BadRecord as error:
            logger.error("{}", error)
            watch.broken.append(str(error))

    with ExitStack() as locks:
        for folder in dict.fromkeys(plan.state_folder for plan in job.files):
            make_folder(folder)
            locks.enter_context(FolderLock(folder))
            rewriters[folder] = Rewriter(
                transformer,
                settings,
                Failures(folder),
                places,
                job.in_flight,
                see,
                resume=job.options.resume,
                skip_bad=job.options.skip_bad_lines,
                limit=job.options.limit,
            )
        try:
            for plan in job.files:
                rewriters[plan.state_folder].open_state(plan)  # what was begun otherwise is said before any work
            await for_each(job.files, work, FILES_AT_ONCE)
            watch.show(1.0, transformer.usage)
        finally:
            log.close()
            await job.engine.close()


def _open_log(job: Job) -> Cache:
    return Cache(Path(job.options.cache_dir).expanduser(), secrets.token_hex(8))


def describe(job: Job) -> str:
    """Describe what a job would do: records by fate and file, the first prompt, and how many tokens it would read."""
    lines, tokens, first = [], 0, ""
    for plan in job.files:
        fates = {Fate.TRANSFORMED: 0, Fate.DONE: 0, Fate.SKIPPED: 0}
        broken = ""
        try:
            for row in RowReader(plan.source):
                members, _ = read_members(row.text)
                member = find_target(members, job.options.field, job.backup, again=job.options.again)
                if isinstance(member, Left):
                    fates[member.fate] += 1
                    continue
                fates[Fate.TRANSFORMED] += 1
                record = {each.key: each.value for each in members}
                messages = job.template.fill(record, member.value)
                tokens += sum(estimate_tokens(message.content) for message in messages)
                first = first or job.engine.render(messages)
        except ValueError as error:
            broken = f"; not read to its end: {error}"
        counts = f"{fates[Fate.TRANSFORMED]} to do, {fates[Fate.DONE]} done before, {fates[Fate.SKIPPED]} skipped"
        lines.append(f"{plan.source}: {counts}{broken}")
    why = "dry run" if job.options.dry_run else "dry run, because echo was given no --output"
    lines.append(f"{why}: about {tokens} tokens to read, at most {job.generation.max_new_tokens} a record to write")
    return "\n".join([*lines, "", "first prompt:", first or "none: there is nothing to do"])


def _make_transformer(job: Job, log: Cache) -> Transformer:
    options = job.options
    return Transformer(
        engine=job.engine,
        config=job.generation,
        template=job.template,
        backup=job.backup,
        log=log,
        fences=options.strip_fences and not job.provider.bare,
        retry=options.retry,
        seed=options.seed,
        dedup=options.dedup,
        bare=job.provider.bare,
        again=options.again,
        budget=job.build_budget(),
    )
