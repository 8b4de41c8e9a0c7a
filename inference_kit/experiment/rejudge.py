"""Rejudge: a stored run voted and graded again; no model is loaded.

Why: a new vote, a stricter reading or a better grader costs no new token, so it is asked of what is there.
"""

from collections.abc import Mapping
from typing import Any

from inference_kit.errors import UserError
from inference_kit.evaluation import OwnMetrics, write_finals
from inference_kit.experiment.stored import StoredRun
from inference_kit.grader import GraderPool
from inference_kit.registry import Entry
from inference_kit.search import METHODS
from inference_kit.voting import ALL, FALLBACK, VOTES


def judge_again(
    run: StoredRun,
    grader: GraderPool,
    datasets: Mapping[str, Entry],
    *,
    votes: tuple[str, ...] = (),
    strict: bool = False,
    write: bool = True,
) -> list[dict[str, Any]]:
    """Judge one stored run and write its final files; return the name, file and metrics of each vote.

    Args:
        run: As it is stored.
        grader: Compares answers.
        datasets: Registered data sets, for metrics of their own.
        votes: Those to take, or `all`; by default those stored. What the candidates have nothing for is left out.
        strict: Whether only the last box counts.
        write: Whether final files are written.

    Raises:
        UserError: where no vote is left.
    """
    paths = {vote: run.file(vote) for vote in _choose_votes(run, votes)}
    own = _find_own_metrics(run, datasets)
    metrics = write_finals(run.records, paths, run.header, grader, strict=strict, own_metrics=own, write=write)
    if not metrics:
        raise UserError(
            f"the candidates have nothing that {', '.join(map(str, paths))} would weigh",
            where=str(run.stem),
            fix=f"Take {FALLBACK}.",
        )
    return [
        {
            "name": _name_row(run, vote, each["total"]),
            "vote": vote,
            "file": str(paths[vote]),
            "problems": run.wanted,
            "metrics": each,
        }
        for vote, each in metrics.items()
    ]


def _choose_votes(run: StoredRun, asked: tuple[str, ...]) -> tuple[str | None, ...]:
    method = METHODS.get(str(run.header["method"]))
    if not asked or (method is not None and method.one_solution):
        return run.votes
    if ALL in asked:
        return tuple(VOTES)
    return tuple(dict.fromkeys(asked))


def _find_own_metrics(run: StoredRun, datasets: Mapping[str, Entry]) -> OwnMetrics | None:
    """Find the metrics of the run's data set class, where it has some of its own."""
    entry = datasets.get(str(run.header["dataset"]))
    own: OwnMetrics | None = entry().own_metrics if entry else None
    return own


def _name_row(run: StoredRun, vote: str | None, total: int) -> str:
    """Name a row by what tells it from others: data set, folder (model, reward model, experiment), method and vote.

    A run that is not finished says how many of its problems are `total`.
    """
    unfinished = run.wanted is not None and total < run.wanted
    parts = [run.header["dataset"], run.stem.parent.name, run.header["method"], vote]
    parts += [f"({total} of {run.wanted} problems)"] if unfinished else []
    return " ".join(str(part) for part in parts if part)
