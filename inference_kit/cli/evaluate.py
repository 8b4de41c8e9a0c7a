"""`evaluate`: vote and grade stored results again, and merge the shards of a split run; no model is loaded."""

import argparse
import json
import sys
from pathlib import Path
from typing import Any

from inference_kit.errors import UserError
from inference_kit.experiment.rejudge import judge_again
from inference_kit.experiment.shards import merge_runs
from inference_kit.grader import GraderPool
from inference_kit.registry import lookup
from inference_kit.report.tables import format_accuracies
from inference_kit.setup.registries import Registries
from inference_kit.setup.values import read_list
from inference_kit.store.atomic import write_atomically
from inference_kit.voting import ALL, VOTES


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
    grading = parser.add_mutually_exclusive_group()
    grading.add_argument("--grading", choices=("lenient", "strict"), default="lenient", help="which verdict counts")
    grading.add_argument(
        "--strict", dest="grading", action="store_const", const="strict", help="only the last box counts"
    )
    grading.add_argument(
        "--lenient", dest="grading", action="store_const", const="lenient", help="any box counts (default)"
    )
    parser.add_argument("--output", type=Path, metavar="F.json", help="also write the metrics as JSON")
    parser.add_argument("--json", action="store_true", help="print the metrics as JSON")
    parser.add_argument("--no-write", action="store_true", help="only print: the final files stay as they are")
    parser.set_defaults(execute=execute)


def execute(arguments: argparse.Namespace, registries: Registries) -> int:
    """Judge every run that the paths name, write its final files, and print one table of them all.

    A run that cannot be read, or allows none of the votes, ends nothing but itself: it is said, and the exit code is 1,
    as it is where one of several votes that were named cannot be taken.
    """
    found: list[dict[str, Any]] = []
    unreadable: list[UserError] = []
    votes, write = _read_votes(arguments.vote), not arguments.no_write
    missed = False
    with GraderPool() as grader:
        for run in merge_runs(arguments.paths, unreadable, write=write):
            strict = arguments.grading == "strict"
            try:
                judged = judge_again(run, grader, registries.datasets, votes=votes, strict=strict, write=write)
            except UserError as impossible:
                unreadable.append(impossible)
                continue
            found += judged
            taken = {each["vote"] for each in judged}
            missed = missed or (None not in taken and not taken.issuperset(set(votes) - {ALL}))
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
    return 1 if unreadable or missed or any(each["metrics"]["failed"] for each in found) else 0


def _read_votes(text: str) -> tuple[str, ...]:
    """Read the votes that are asked for; none asks for those stored."""
    votes = read_list(text)
    for name in votes:
        if name != ALL:
            lookup(VOTES, name, "vote", where="--vote")
    return votes
