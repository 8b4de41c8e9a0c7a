"""`evaluate`: vote and grade stored results again, and merge the shards of a split run; no model is loaded."""

import argparse
import json
import sys
from pathlib import Path
from typing import Any

from inference_kit.errors import UserError
from inference_kit.evaluation import OwnMetrics, check_votes, write_finals
from inference_kit.experiment.shards import whole_runs
from inference_kit.experiment.stored import StoredRun
from inference_kit.grader import GraderPool
from inference_kit.report.tables import format_accuracies
from inference_kit.search import METHODS
from inference_kit.setup.registries import Registries
from inference_kit.store.atomic import write_atomically
from inference_kit.voting import VOTES, find_known_fields


def add_parser(subparsers: Any) -> None:
    """Register `evaluate`."""
    parser = subparsers.add_parser("evaluate", help="grade and vote stored results again; no model is loaded")
    parser.add_argument(
        "paths",
        nargs="+",
        type=Path,
        metavar="PATH",
        help="final .json, partial .jsonl, or a folder (shards: all of theirs)",
    )
    parser.add_argument(
        "--vote", "--voting-method", default="", help="votes with commas, or all (default: those stored)"
    )
    parser.add_argument("--grading", choices=("lenient", "strict"), default="lenient", help="which verdict counts")
    parser.add_argument(
        "--strict", dest="grading", action="store_const", const="strict", help="only the last box counts"
    )
    parser.add_argument(
        "--lenient", dest="grading", action="store_const", const="lenient", help="any box counts (default)"
    )
    parser.add_argument("--output", type=Path, metavar="F.json", help="also write the metrics as JSON")
    parser.add_argument("--json", action="store_true", help="print the metrics as JSON")
    parser.add_argument("--no-write", action="store_true", help="only print: the final files stay as they are")
    parser.set_defaults(execute=execute)


def execute(arguments: argparse.Namespace, registries: Registries) -> int:
    """Judge every run that the paths name, write its final files, and print one table of them all.

    A file that cannot be read ends nothing but itself: it is said, and the exit code is 1.
    """
    found: list[dict[str, Any]] = []
    unreadable: list[UserError] = []
    with GraderPool() as grader:
        for run in whole_runs(arguments.paths, unreadable, write=not arguments.no_write):
            found += _judge_run(run, arguments, registries, grader)
    if unreadable and not found:
        raise unreadable[0]
    for error in unreadable:
        print(f"error: {error}", file=sys.stderr)
    shown = json.dumps(found, ensure_ascii=False, indent=1)
    if arguments.output:
        with write_atomically(arguments.output) as file:
            file.write(shown + "\n")
    rows = [(each["name"], each["metrics"]) for each in found]
    folders = sorted({str(Path(each["file"]).parent) for each in found})
    written = "nothing was written" if arguments.no_write else "written to " + "\n           ".join(folders)
    print(shown if arguments.json else f"{format_accuracies(rows)}\n\n{written}")
    return 1 if unreadable or any(each["metrics"]["failed"] for each in found) else 0


def _judge_run(
    run: StoredRun, arguments: argparse.Namespace, registries: Registries, grader: GraderPool
) -> list[dict[str, Any]]:
    """Judge one run under each vote; return each row's name, file and metrics."""
    paths = {vote: run.file(vote) for vote in _votes(run, arguments.vote)}
    metrics = write_finals(
        run.records,
        paths,
        run.header,
        grader,
        strict=arguments.grading == "strict",
        own_metrics=_own_metrics(run, registries),
        write=not arguments.no_write,
    )
    return [
        {"name": _name(run, vote, each["total"]), "file": str(paths[vote]), "problems": run.wanted, "metrics": each}
        for vote, each in metrics.items()
    ]


def _votes(run: StoredRun, asked: str) -> tuple[str | None, ...]:
    if not asked or _writes_one_solution(run):
        return run.votes
    known = find_known_fields(candidate for record in run.records() for candidate in record.candidates)
    if asked == "all":
        return tuple(name for name, vote in VOTES.items() if known.issuperset(vote.needs))
    names = tuple(dict.fromkeys(name.strip() for name in asked.split(",") if name.strip()))
    check_votes(names, known)
    return names


def _writes_one_solution(run: StoredRun) -> bool:
    method = METHODS.get(str(run.header["method"]))
    return method is not None and method.one_solution


def _own_metrics(run: StoredRun, registries: Registries) -> OwnMetrics | None:
    """The metrics of the run's data set class, where it has some of its own."""
    entry = registries.datasets.get(str(run.header["dataset"]))
    own: OwnMetrics | None = entry().own_metrics if entry else None
    return own


def _name(run: StoredRun, vote: str | None, total: int) -> str:
    """Name a row by what tells it from others: data set, folder (model, reward model, experiment), method and vote.

    A run that is not finished says how many of its problems are `total`.
    """
    unfinished = run.wanted is not None and total < run.wanted
    parts = [run.header["dataset"], run.stem.parent.name, run.header["method"], vote]
    parts += [f"({total} of {run.wanted} problems)"] if unfinished else []
    return " ".join(str(part) for part in parts if part)
