"""`cache`: what the call log of a work folder holds, and its cleaning.

Why: what was paid for is kept for ever, and only its owner knows what is of no more use.
Promises: `info` changes nothing; `prune` wants to be told which calls, says what it deletes, and leaves what a run is
writing.
"""

import argparse
import re
import time
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from itertools import groupby
from pathlib import Path
from typing import Any

from inference_kit.errors import UserError
from inference_kit.report.tables import format_table
from inference_kit.setup.registries import Registries
from inference_kit.store.call_files import CallFile, delete_call_files, find_call_log, read_call_files

HEADERS = ("model", "run", "last written", "files", "calls", "MiB")
_UNITS = {"m": 60, "h": 3600, "d": 86_400, "w": 7 * 86_400}


def add_parser(subparsers: Any) -> None:
    """Register `cache`."""
    parser = subparsers.add_parser("cache", help="what the call log of a work folder holds, and its cleaning")
    actions = parser.add_subparsers(metavar="info|prune", required=True)
    info = actions.add_parser("info", help="a line for each model and run")
    info.set_defaults(execute=show)
    prune = actions.add_parser("prune", help="delete the calls of a run, of a model, or old ones")
    prune.add_argument("--run", metavar="ID", help="of this run, as `cache info` and config.json name it")
    prune.add_argument("--model", metavar="NAME", help="of models whose identity holds this text")
    prune.add_argument("--older", type=_read_age, metavar="AGE", help="last written longer ago: 30d, 12h, 2w")
    prune.add_argument("--dry-run", action="store_true", help="only say what would be deleted")
    prune.set_defaults(execute=prune_files)
    for action in (info, prune):
        action.add_argument("path", nargs="?", type=Path, default=Path("results"), metavar="PATH", help="a work folder")


def show(arguments: argparse.Namespace, registries: Registries) -> int:
    """Print what the call log holds."""
    folder = find_call_log(arguments.path)
    print(_format_files(read_call_files(folder)))
    return 0


def prune_files(arguments: argparse.Namespace, registries: Registries) -> int:
    """Delete the files that fit all that was asked for; 1 where a run was writing one of them."""
    if not (arguments.run or arguments.model or arguments.older):
        raise UserError("no calls are named", where="cache prune", fix="Give --run ID, --model NAME or --older AGE.")
    files = [
        file
        for file in read_call_files(find_call_log(arguments.path), count=False)
        if (not arguments.run or file.run == arguments.run)
        and (not arguments.model or arguments.model.lower() in file.model.lower())
        and (not arguments.older or time.time() - file.written > arguments.older)
    ]
    if not files:
        print("nothing fits, nothing deleted")
        return 0
    kept = [] if arguments.dry_run else delete_call_files(files)
    said = "would be deleted" if arguments.dry_run else "deleted"
    if deleted := [file for file in files if file not in kept]:
        print(f"{_format_size(deleted)} MiB {said}, {len(deleted)} {_name_files(deleted)}:")
        print(_format_files(deleted, counted=False))
    for file in kept:
        print(f"kept, because a run is writing it: {file.path}")
    return 1 if kept else 0


def _format_files(files: Iterable[CallFile], *, counted: bool = True) -> str:
    """Format a row for each model and run, and one for all."""
    by_owner = groupby(sorted(files, key=_name_owner), key=_name_owner)
    groups = [(owner, list(group)) for owner, group in by_owner]
    rows = [[*owner, *_format_row(group)] for owner, group in groups]
    if len(rows) > 1:
        rows.append(["all", "", *_format_row([file for _, group in groups for file in group])])
    headers: Sequence[str] = HEADERS
    if not counted:
        place = HEADERS.index("calls")
        headers = [name for name in HEADERS if name != "calls"]
        rows = [row[:place] + row[place + 1 :] for row in rows]
    return format_table(headers, rows, left=3)


def _format_row(files: Sequence[CallFile]) -> list[str]:
    last = datetime.fromtimestamp(max(file.written for file in files), UTC)
    return [f"{last:%Y-%m-%d %H:%M}", str(len(files)), str(sum(file.calls for file in files)), _format_size(files)]


def _format_size(files: Sequence[CallFile]) -> str:
    return f"{sum(file.size for file in files) / 2**20:.1f}"


def _name_files(files: Sequence[CallFile]) -> str:
    return "file" if len(files) == 1 else "files"


def _name_owner(file: CallFile) -> tuple[str, str]:
    return file.model, file.run


def _read_age(text: str) -> float:
    """Read a number and a unit as seconds; without a unit it is days."""
    if not (found := re.fullmatch(r"(\d+(?:\.\d+)?)([mhdw]?)", text.strip().lower())):
        raise argparse.ArgumentTypeError(f"expected an age such as 30d, 12h or 2w, got {text!r}")
    return float(found[1]) * _UNITS[found[2] or "d"]
