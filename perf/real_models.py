"""What thinking longer gives a real model: the tables of docs/real-models.md, from the stored runs of its script.

    python perf/real_models.py WORK_DIR [--page docs/real-models.md]

Why: `scripts/real_models.sh` makes the runs, which takes hours on a CPU; the page is read off what they stored.
Promises: the same files give the same bytes; every accuracy has its interval and the number of its problems.
"""

import argparse
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from inference_kit.errors import UserError
from inference_kit.store.results import read_final
from perf.accuracy_against_n import AT_K, Point, Pool, read_pool, rewrite

ENGINES = {"huggingface": "`huggingface`", "vllm": "vLLM on the CPU", "serve": "`vllm serve`"}
"""Names of the experiments, and what the page calls them."""
DATASETS = {"svamp": "SVAMP", "gsm8k": "GSM8K"}
KS = (1, 2, 4, 8)
WHOLE_RUNS = {
    "confidence_vote, 8": ("none", "best_of_n-confidence_vote"),
    "best_confidence, 8": ("none", "best_of_n-best_confidence"),
    "self_consistency, at most 8": ("none", "self_consistency-majority_vote"),
    "SmolLM2 as its own judge, best_last, 8": ("judge", "best_of_n-best_last"),
}
"""Rows that are accuracies of final files: the reward model and the end of the file's name."""


def main() -> None:
    """Read the runs, print the tables, and rewrite the page where asked."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("work_dir", type=Path, help="the work folder of the runs")
    parser.add_argument("--page", type=Path, metavar="FILE.md", help="rewrite what stands between its markers")
    arguments = parser.parse_args()
    try:
        text = "\n\n".join(write_table(arguments.work_dir, dataset) for dataset in DATASETS) + "\n"
        if arguments.page:
            rewrite(arguments.page, text)
    except UserError as error:
        raise SystemExit(f"error: {error}") from error
    print(text, end="")


def write_table(work_dir: Path, dataset: str) -> str:
    """Write the table of one data set: a column for each engine that has runs, a row for each way to an answer.

    Raises:
        UserError: where there is no run.
    """
    columns = {name: column for name in ENGINES if (column := read_column(work_dir, dataset, name))}
    if not columns:
        raise UserError(f"no runs on {dataset}", where=str(work_dir), fix="bash scripts/real_models.sh makes them.")
    labels = list(dict.fromkeys(label for column in columns.values() for label in column))
    ordered = sorted(labels, key=lambda label: [*ROWS, *labels].index(label))
    rows = [[DATASETS[dataset], *(ENGINES[name] for name in columns)], ["---", *["---:"] * len(columns)]]
    rows += [[label, *(column.get(label, "") for column in columns.values())] for label in ordered]
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)


def read_column(work_dir: Path, dataset: str, engine: str) -> dict[str, str]:
    """Read what one engine's runs found on a data set, by row; empty without runs."""
    found: dict[str, str] = {}
    if greedy := _read(work_dir, dataset, engine, "none", "greedy"):
        metrics = greedy[0]["metrics"]
        found |= {"greedy": _show(metrics), "greedy: tokens a problem": _show_tokens(metrics)}
    if sampled := _read(work_dir, dataset, engine, "none", "best_of_n-majority_vote"):
        metrics, entries = sampled[0]["metrics"], sampled[1]
        pools = [read_pool(entry) for entry in entries]
        found |= {f"majority_vote, {k}": _show_at(pools, AT_K["majority"], k) for k in KS}
        found |= {"pass@8": _show_at(pools, AT_K["pass"], KS[-1]), "8: tokens a problem": _show_tokens(metrics)}
        found["problems"] = str(metrics["total"])
        if greedy and greedy[0]["metrics"]["total"] != metrics["total"]:
            found["problems"] += f" (greedy {greedy[0]['metrics']['total']})"
    for label, (reward_model, name) in WHOLE_RUNS.items():
        if run := _read(work_dir, dataset, engine, reward_model, name):
            found[label] = _show(run[0]["metrics"])
    return found


def _read(
    work_dir: Path, dataset: str, engine: str, reward_model: str, name: str
) -> tuple[dict[str, Any], list[dict[str, Any]]] | None:
    """Read the final file of a run; None where it is not there."""
    paths = sorted((work_dir / dataset).glob(f"*+{reward_model}+{engine}/{dataset}-{name}.json"))
    return read_final(paths[0]) if paths else None


def _show(metrics: dict[str, Any]) -> str:
    """Show the accuracy of a final file with its interval, in percent."""
    return str(Point(metrics["accuracy"], *metrics["ci95"]))


def _show_at(pools: Sequence[Pool], at_k: Callable[[Pool, int], float], k: int) -> str:
    """Show the mean over all subsets of k candidates of each problem."""
    return str(Point.of([at_k(pool, k) if pool.candidates else 0.0 for pool in pools]))


def _show_tokens(metrics: dict[str, Any]) -> str:
    return f"{(metrics['generated_tokens'] + metrics['cached_tokens']) / metrics['total']:,.0f}"


ROWS = (
    "problems",
    "greedy",
    *(f"majority_vote, {k}" for k in KS),
    *WHOLE_RUNS,
    "pass@8",
    "greedy: tokens a problem",
    "8: tokens a problem",
)
"""All rows, from top to bottom."""

if __name__ == "__main__":
    main()
