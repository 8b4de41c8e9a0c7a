"""Accuracy against tokens of every search method, on the bundled model: the table and plot of docs/methods.md.

    python perf/methods.py [--limit 300] [--work-dir results] [--page docs/methods.md]

Why: methods are compared at equal generated tokens, never at equal n.
Promises: each row is a run of `main.py run`, so it resumes, and a second time costs seconds; the vote of a row is fixed
before any is looked at: `best_prod` where the reward model chooses, else the method's own.
"""

import argparse
import json
import re
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from inference_kit.store.atomic import write_atomically  # noqa: E402 - the package lies beside this folder

REWARDED, MAJORITY, OWN = "best_prod", "majority_vote", ""
MARKED = re.compile(r"(?<=<!-- table -->\n).*?(?=<!-- /table -->)", flags=re.DOTALL)


@dataclass(frozen=True, slots=True)
class Cell:
    """One run: its method, the settings that differ from the method's own, and the vote that is reported."""

    method: str
    settings: str = ""
    vote: str = OWN

    @property
    def arguments(self) -> list[str]:
        """What `main.py run` gets."""
        words = self.settings.split()
        return [
            "--method",
            self.method,
            *words,
            "--exp-name",
            self.experiment,
            *(["--vote", self.vote] * bool(self.vote)),
        ]

    @property
    def experiment(self) -> str:
        """A name for the folder that tells its settings."""
        return "-".join(["methods", *re.findall(r"[\w.]+", self.settings)])

    @property
    def curve(self) -> str:
        """Cells of one name are joined to a curve: those that differ in their numbers alone."""
        words = re.sub(r"--(?!value|stopping|temperature|step-tokens)[\w-]+ \S+", "", self.settings).split()
        return " ".join(
            [self.method, *(word.removeprefix("--") for word in words), self.vote * (self.vote == MAJORITY)]
        )


def build_beam_cells(method: str, *widths: int) -> list[Cell]:
    """Build the cells of a method that keeps a beam, at several widths."""
    return [Cell(method, f"--beam-width {width} --n 4", REWARDED) for width in widths]


CELLS = [
    Cell("greedy"),
    *(Cell("best_of_n", f"--n {n}", vote) for vote in (MAJORITY, REWARDED) for n in (4, 8, 16, 32)),
    *(Cell("self_consistency", f"--n {n} --stopping never") for n in (8, 16, 32)),
    *(Cell("self_consistency", f"--n {n} --stopping beta") for n in (8, 16, 32)),
    *(Cell("self_consistency", f"--n 32 --stopping {rule}") for rule in ("dirichlet", "esc")),
    *(
        Cell("self_consistency", f"--n 40 --temperature {temperature} --stopping {rule}")
        for temperature in (0.5, 0.3)
        for rule in ("never", "beta")
    ),
    *build_beam_cells("beam_search", 1, 2, 4, 8),
    *build_beam_cells("dvts", 1, 2, 4),
    *build_beam_cells("diverse_beam", 2, 4),
    *build_beam_cells("lookahead", 1, 2),
    *(Cell("rebase", f"--n {n}", REWARDED) for n in (4, 8, 16)),
    *(Cell("particle_filtering", f"--n {n}", REWARDED) for n in (4, 8, 16)),
    *(Cell("mcts", f"--iterations {n} --first-play score --c-puct 0.02 --backup max", REWARDED) for n in (8, 32)),
    *(
        Cell("mcts", f"--iterations {n} --first-play score --c-puct 0.02 --backup max --value rollout", REWARDED)
        for n in (4, 16)
    ),
    Cell("beam_search", "--beam-width 2 --n 4 --step-tokens 4", REWARDED),
    Cell("cot_decoding"),
    Cell("budget_forcing", "--n 4", REWARDED),
    Cell("self_improve", "--critique-template {input} --improve-template {input}"),
    Cell("tournament", "--n 4"),
]
"""universal_self_consistency is left out: what it asks is longer than the bundled model's context of 512 tokens."""


def main() -> None:
    """Run what is missing, print the table, and rewrite page and plot."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--limit", type=int, default=300, help="problems")
    parser.add_argument("--work-dir", type=Path, default=Path("results"))
    parser.add_argument("--page", type=Path, help="rewrite what stands between the markers of this page")
    parser.add_argument("--plot", type=Path, default=Path("docs/methods.svg"))
    arguments = parser.parse_args()
    found = [(cell, _run_cell(cell, arguments.limit, arguments.work_dir)) for cell in CELLS]
    text = f"{format_table(found)}\n"
    print(text)
    draw(found, arguments.plot)
    if arguments.page:
        page = arguments.page.read_text(encoding="utf-8")
        with write_atomically(arguments.page) as file:
            file.write(MARKED.sub(lambda _: text, page))


def _run_cell(cell: Cell, limit: int, work_dir: Path) -> Mapping[str, Any]:
    """Run a cell, or resume it, and return the metrics of its final file."""
    words = ["run", "--limit", str(limit), "--work-dir", str(work_dir), "--json", *cell.arguments]
    print(f"python main.py {' '.join(words)}", file=sys.stderr)
    done = subprocess.run([sys.executable, ROOT / "main.py", *words], stdout=subprocess.PIPE, check=False)
    if done.returncode not in (0, 1) or not done.stdout:
        raise SystemExit(f"this run failed: python main.py {' '.join(words)}")
    metrics: Mapping[str, Any] = json.loads(done.stdout)["metrics"]
    return metrics


def count_tokens_per_problem(metrics: Mapping[str, Any]) -> float:
    """Count the tokens that the model wrote for a problem, in this run or in an earlier one that it took from."""
    return float((metrics["generated_tokens"] + metrics["cached_tokens"]) / metrics["total"])


def format_table(found: Sequence[tuple[Cell, Mapping[str, Any]]]) -> str:
    """Format one row for each run, in the order of the cells."""
    rows = [["method", "settings", "answer by", "accuracy, % [95 %]", "tokens written", "tokens scored"]]
    rows.append(["---", "---", "---", "---:", "---:", "---:"])
    for cell, metrics in found:
        low, high = metrics["ci95"]
        accuracy = f"{100 * metrics['accuracy']:.1f} [{100 * low:.0f}, {100 * high:.0f}]"
        scored = metrics["reward_tokens"] / metrics["total"]
        settings = f"`{cell.settings}`" if cell.settings else ""
        written = f"{count_tokens_per_problem(metrics):,.0f}"
        rows.append([cell.method, settings, cell.vote or "its own", accuracy, written, f"{scored:,.0f}"])
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)


def draw(found: Sequence[tuple[Cell, Mapping[str, Any]]], path: Path) -> None:
    """Draw accuracy with its interval against tokens, one curve for each method."""
    import matplotlib

    matplotlib.use("svg")
    matplotlib.rcParams["svg.hashsalt"] = "inference_kit"
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(figsize=(10, 5.4), layout="constrained")
    curves: dict[str, list[Mapping[str, Any]]] = {}
    for cell, metrics in found:
        curves.setdefault(cell.curve, []).append(metrics)
    colours = pyplot.get_cmap("tab20").colors
    for place, (name, points) in enumerate(curves.items()):
        points.sort(key=count_tokens_per_problem)
        accuracies = [100 * point["accuracy"] for point in points]
        errors = [
            [max(0.0, 100 * (point["accuracy"] - point["ci95"][0])) for point in points],
            [max(0.0, 100 * (point["ci95"][1] - point["accuracy"])) for point in points],
        ]
        axes.errorbar(
            [count_tokens_per_problem(point) for point in points],
            accuracies,
            yerr=errors,
            marker="o",
            markersize=4,
            linewidth=1,
            elinewidth=0.5,
            capsize=2,
            color=colours[place % len(colours)],
            label=name,
        )
    axes.set_xscale("log", base=2)
    ticks = [1 << exponent for exponent in range(6, 12)]
    axes.set_xticks(ticks, [f"{tick:,}" for tick in ticks])
    axes.set_xlabel("tokens written for a problem")
    axes.set_ylabel("accuracy, %")
    axes.grid(alpha=0.3)
    axes.legend(frameon=False, fontsize=8, loc="center left", bbox_to_anchor=(1, 0.5))
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)
    figure.savefig(path, metadata={"Date": None})
    pyplot.close(figure)


if __name__ == "__main__":
    main()
