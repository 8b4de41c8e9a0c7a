"""`compare`: two result files of the same data set side by side."""

import argparse
import json
from pathlib import Path
from typing import Any

from inference_kit.experiment.stored import read_entries_at
from inference_kit.grader import GraderPool
from inference_kit.report.comparison import compare_results, format_comparison
from inference_kit.setup.registries import Registries
from inference_kit.store.atomic import write_atomically


def add_parser(subparsers: Any) -> None:
    """Register `compare`."""
    parser = subparsers.add_parser("compare", help="two result files of the same data set side by side")
    parser.add_argument("a", type=Path, metavar="A", help="a final .json or a partial .jsonl")
    parser.add_argument("b", type=Path, metavar="B", help="another one")
    parser.add_argument("--show", type=int, default=10, metavar="N", help="problems listed of each kind (default: 10)")
    parser.add_argument("--output", type=Path, metavar="F.json", help="also write all of it as JSON")
    parser.set_defaults(execute=execute)


def execute(arguments: argparse.Namespace, registries: Registries) -> int:
    """Print the four cells and the three lists."""
    with GraderPool() as grader:
        found = compare_results(read_entries_at(arguments.a, grader), read_entries_at(arguments.b, grader))
    print(format_comparison(found, (str(arguments.a), str(arguments.b)), shown=max(0, arguments.show)))
    if arguments.output:
        with write_atomically(arguments.output) as file:
            json.dump(found.to_json(), file, ensure_ascii=False, indent=1)
    return 0
