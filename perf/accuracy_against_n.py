"""Accuracy against n: what majority vote and reward model make of 1, 2, 4, ... of the stored candidates of a run.

    python perf/accuracy_against_n.py results/abacus/abacus+abacus_prm+default [--readme README.md]

Why: one pool of n candidates a problem holds every smaller n, so that the whole curve costs one run.
Promises: prints a table and draws the plot of the README from stored files alone; the same files give the same bytes.
"""

import argparse
import math
import re
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean
from typing import TYPE_CHECKING, Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from inference_kit.errors import UserError
from inference_kit.estimates import best_at_k, pass_at_k, vote_at_k, wilson_interval
from inference_kit.records import Candidate
from inference_kit.store.atomic import write_atomically
from inference_kit.store.results import read_final
from inference_kit.voting import VOTES

if TYPE_CHECKING:
    from matplotlib.axes import Axes

METHOD = "best_of_n"
SUBSETS = 200
"""Of the subsets of a size, so many are drawn for each problem where there are more."""

MARKED = re.compile(r"(?<=<!-- results -->\n).*?(?=<!-- /results -->)", flags=re.DOTALL)
COLOURS = {
    "majority": "#1f77b4",
    "last_vote": "#2ca02c",
    "best_last": "#d62728",
    "best_prod": "#9467bd",
    "pass": "#7f7f7f",
}


@dataclass(frozen=True, slots=True)
class Pool:
    """The candidates of one problem, and which of them are right; both empty where the problem failed."""

    candidates: tuple[Candidate, ...]
    correct: tuple[bool, ...]


@dataclass(frozen=True, slots=True)
class Point:
    """An accuracy over all problems, with its 95 % interval."""

    accuracy: float
    low: float
    high: float

    @classmethod
    def of(cls, shares: Sequence[float]) -> "Point":
        """Average the accuracies of problems; the interval is Wilson's for the nearest number of right ones."""
        return cls(fmean(shares), *wilson_interval(round(sum(shares)), len(shares)))

    def __str__(self) -> str:
        return f"{100 * self.accuracy:.1f} [{100 * self.low:.0f}, {100 * self.high:.0f}]"


@dataclass(frozen=True, slots=True)
class Curves:
    """Figures of a run: a point for each vote and k, greedy where it is stored, mean tokens of a candidate."""

    about: Mapping[str, Any]
    problems: int
    ks: tuple[int, ...]
    points: Mapping[str, tuple[Point, ...]]
    greedy: Point | None
    greedy_tokens: float
    candidate_tokens: float


def main() -> None:
    """Read the files, print the table, draw the plot, and rewrite the README where asked."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, help="the folder of a run of best_of_n")
    parser.add_argument("--plot", type=Path, default=Path("docs/accuracy-against-n.svg"), metavar="FILE.svg")
    parser.add_argument("--readme", type=Path, metavar="FILE.md", help="rewrite what stands between its markers")
    arguments = parser.parse_args()
    try:
        curves = read_curves(arguments.folder)
        text = f"{format_table(curves)}\n\n{write_caption(curves, arguments.folder)}\n"
        draw(curves, arguments.plot)
        if arguments.readme:
            rewrite(arguments.readme, f"{text}\n![Accuracy against the number of candidates]({arguments.plot})\n")
    except UserError as error:
        raise SystemExit(f"error: {error}") from error
    print(text, end="")


def read_curves(folder: Path) -> Curves:
    """Read the final files of a folder.

    Raises:
        UserError: where there is no run of best_of_n with a reward model.
    """
    files = sorted(folder.glob(f"*-{METHOD}-*.json"))
    if not files:
        raise UserError(f"no final file of {METHOD}", where=str(folder), fix="Name the folder of a run.")
    about, entries = read_final(files[0])
    pools = [read_pool(entry) for entry in entries if entry["gold"] is not None]
    n = min((len(pool.candidates) for pool in pools if pool.candidates), default=0)
    if not n or not all(candidate.step_scores for pool in pools for candidate in pool.candidates):
        raise UserError("no scored candidates", where=str(files[0]), fix="Run with --reward-model.")
    ks = tuple(1 << exponent for exponent in range(n.bit_length()))
    points = {
        name: tuple(Point.of([at_k(pool, k) if pool.candidates else 0.0 for pool in pools]) for k in ks)
        for name, at_k in AT_K.items()
    }
    greedy = folder / f"{about['dataset']}-greedy.json"
    shares, greedy_tokens = _read_greedy(greedy) if greedy.exists() else ([], 0.0)
    return Curves(
        about=about,
        problems=len(pools),
        ks=ks,
        points=points,
        greedy=Point.of(shares) if len(shares) == len(pools) else None,
        greedy_tokens=greedy_tokens,
        candidate_tokens=fmean(candidate.tokens for pool in pools for candidate in pool.candidates),
    )


def format_table(curves: Curves) -> str:
    """Format a row for each k and a column for each way to an answer, in percent; greedy stands above."""
    rows = [["candidates", *HEADERS.values(), "tokens a problem"], ["---:"] * (len(HEADERS) + 2)]
    if curves.greedy:
        rows.append(["greedy", str(curves.greedy), *[""] * (len(HEADERS) - 1), f"{curves.greedy_tokens:,.0f}"])
    for place, k in enumerate(curves.ks):
        shown = [str(curves.points[name][place]) for name in HEADERS]
        rows.append([str(k), *shown, f"{k * curves.candidate_tokens:,.0f}"])
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)


def write_caption(curves: Curves, folder: Path) -> str:
    """Write what was measured, and the commands that measure it again."""
    about = curves.about
    settings = about["config"]["depends_on"]
    return (
        f"{about['model']} with {about['reward_model']} on {curves.problems} problems of {about['dataset']}, "
        f"temperature {settings['temperature']:g}, seed {settings['seed']}; accuracy in percent with its 95 % "
        f"interval.\nAll rows below greedy are read off one pool of {curves.ks[-1]} candidates. Made by\n\n"
        "```bash no-run\n"
        f"LIMIT={curves.problems} bash scripts/run.sh\n"
        f"python perf/accuracy_against_n.py {Path('results', *folder.resolve().parts[-2:])} --readme README.md\n"
        "```"
    )


def draw(curves: Curves, path: Path) -> None:
    """Draw the curves with their intervals as bands; pass@k is the ceiling, greedy a line."""
    import matplotlib

    matplotlib.use("svg")
    matplotlib.rcParams["svg.hashsalt"] = "inference_kit"
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(figsize=(7, 4.2), layout="constrained")
    for name, colour in COLOURS.items():
        _draw_curve(axes, curves, name, colour)
    if curves.greedy:
        axes.axhline(100 * curves.greedy.accuracy, color="black", linestyle=":", label="greedy")
    axes.set_xscale("log", base=2)
    axes.set_xticks(curves.ks, [str(k) for k in curves.ks])
    axes.set_xlabel("candidates of each problem")
    axes.set_ylabel("accuracy, %")
    axes.grid(alpha=0.3)
    axes.legend(frameon=False)
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, metadata={"Date": None})
    pyplot.close(figure)


def rewrite(readme: Path, text: str) -> None:
    """Replace what stands between the markers of a README by `text`.

    Raises:
        UserError: where it has no markers.
    """
    page = readme.read_text(encoding="utf-8")
    if not MARKED.search(page):
        raise UserError("no line <!-- results --> with a <!-- /results --> below it", where=str(readme))
    with write_atomically(readme) as file:
        file.write(MARKED.sub(lambda _: text, page))


def _draw_curve(axes: "Axes", curves: Curves, name: str, colour: str) -> None:
    points = curves.points[name]
    accuracies = [100 * point.accuracy for point in points]
    if name == "pass":
        axes.plot(curves.ks, accuracies, color=colour, linestyle="--", label=HEADERS[name])
        return
    axes.plot(curves.ks, accuracies, color=colour, marker="o", label=HEADERS[name])
    bounds = [100 * point.low for point in points], [100 * point.high for point in points]
    axes.fill_between(curves.ks, *bounds, color=colour, alpha=0.12, linewidth=0)


def _read_greedy(path: Path) -> tuple[list[float], float]:
    """Read which problems greedy solves, and how many tokens one costs it."""
    about, entries = read_final(path)
    metrics = about["metrics"]
    tokens = (metrics["generated_tokens"] + metrics["cached_tokens"]) / metrics["total"]
    return [float(entry["correct"]) for entry in entries if entry["gold"] is not None], tokens


def read_pool(entry: Mapping[str, Any]) -> Pool:
    """Read the candidates of one problem from its entry in a final file."""
    candidates = entry["candidates"]
    return Pool(tuple(map(Candidate.from_json, candidates)), tuple(each["correct"] for each in candidates))


def _best_candidate_at_k(aggregate: Callable[[Sequence[float]], float]) -> Callable[[Pool, int], float]:
    """Build best@k by aggregated step scores; candidates without an answer are last, as in the vote."""

    def at_k(pool: Pool, k: int) -> float:
        scores = [aggregate(each.step_scores) if each.group >= 0 else -math.inf for each in pool.candidates]
        return best_at_k(scores, pool.correct, k)

    return at_k


def _log_product(scores: Sequence[float]) -> float:
    return sum(math.log(score) if score > 0 else -math.inf for score in scores)


def _pass_at_k(pool: Pool, k: int) -> float:
    return pass_at_k(len(pool.candidates), sum(pool.correct), k)


def _vote_at_k(vote: str) -> Callable[[Pool, int], float]:
    choose = VOTES[vote].choose
    return lambda pool, k: vote_at_k(choose, pool.candidates, pool.correct, k, max_subsets=SUBSETS)


AT_K: Mapping[str, Callable[[Pool, int], float]] = {
    "majority": _vote_at_k("majority_vote"),
    "last_vote": _vote_at_k("last_vote"),
    "best_last": _best_candidate_at_k(lambda scores: scores[-1]),
    "best_prod": _best_candidate_at_k(_log_product),
    "pass": _pass_at_k,
}
HEADERS = {
    "majority": "majority@k",
    "last_vote": "last_vote@k",
    "best_last": "best_last@k",
    "best_prod": "best_prod@k",
    "pass": "pass@k",
}

if __name__ == "__main__":
    main()
