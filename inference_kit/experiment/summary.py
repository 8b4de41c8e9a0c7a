"""Summary: the figures of a run that is done, as plain JSON values."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from inference_kit.errors import UserError
from inference_kit.estimates import wilson_interval
from inference_kit.experiment.entry import list_dependencies
from inference_kit.experiment.files import read_shard
from inference_kit.experiment.run import Run
from inference_kit.records import Usage
from inference_kit.records.indices import canonical_index
from inference_kit.store.results import read_final


def summarize(run: Run, metrics: Mapping[str | None, Mapping[str, Any]], command: Sequence[str] = ()) -> dict[str, Any]:
    """Return what there is to say of a run after `conclude`; greedy's metrics where they are stored beside."""
    parts, files = run.parts, run.files
    first, prices = next(iter(metrics.values())), parts.engine.prices
    paid = Usage(prompt_tokens=first["prompt_tokens"], generated_tokens=first["generated_tokens"])
    greedy_file, shard = files.final(method="greedy"), read_shard(parts)
    greedy, note = _read_greedy(run, greedy_file) if parts.method_name != "greedy" else (None, "")
    return {
        "dataset": parts.dataset_name,
        "model": parts.model_name,
        "reward_model": parts.reward_model_name,
        "method": parts.method_name,
        "command": list(command),
        "separator": parts.engine.separator,
        "shard": str(shard) if shard else None,
        "folder": str(files.folder),
        "files": {vote or parts.method_name: str(files.final(vote)) for vote in metrics},
        "votes": {vote or parts.method_name: dict(each) for vote, each in metrics.items()},
        "not_taken": [vote for vote in parts.votes if vote not in metrics],
        "metrics": dict(first),
        "dollars": prices.cost(paid) if prices else None,
        "greedy": greedy,
        "greedy_note": note,
        "greedy_file": str(greedy_file),
        "this_time": _count_this_time(run),
    }


def _count_this_time(run: Run) -> dict[str, Any]:
    usage = run.progress.usage
    return {
        "problems": run.progress.new,
        "generated_tokens": usage.generated_tokens,
        "engine_calls": usage.calls - usage.cached_calls,
        "cached_calls": usage.cached_calls,
        "seconds": round(run.progress.seconds, 3),
    }


def _read_greedy(run: Run, path: Path) -> tuple[Mapping[str, Any] | None, str]:
    """Read the metrics of the stored greedy answers to the problems of this run.

    Returns:
        The metrics, None where there are none of the same problems; and what is to be said about them.
    """
    if not path.exists():
        return None, ""
    try:
        header, entries = read_final(path)
    except UserError as error:
        return None, f"the stored greedy answers cannot be read: {error}"
    if header["config"].get("depends_on", {}).get("dataset") != list_dependencies(run.parts)["dataset"]:
        return None, "the stored greedy answers are of other data, so they are not shown"
    wanted = set(map(canonical_index, run.survey.indices))
    same = [entry for entry in entries if canonical_index(entry["index"]) in wanted]
    if len(same) < len(wanted):
        there = f"only {len(same)} of these {len(wanted)} are among them"
        return None, f"the stored greedy answers are of other problems ({there}), so they are not shown"
    metrics: Mapping[str, Any] = header["metrics"]
    strict = run.parts.options.grading == "strict"
    return (metrics if len(same) == len(entries) else _count_correct(same, strict=strict)), ""


def _count_correct(entries: Sequence[Mapping[str, Any]], *, strict: bool) -> dict[str, Any]:
    """Count what an accuracy table shows of some entries of a final file."""
    graded = [entry for entry in entries if entry["gold"] is not None]
    rule = "strict" if strict else "lenient"
    correct = sum(bool(entry["grades"] and entry["grades"][rule]) for entry in graded)
    return {
        "accuracy": correct / len(graded) if graded else None,
        "correct": correct,
        "total": len(entries),
        "graded": len(graded),
        "failed": sum(entry["error"] is not None for entry in entries),
        "ci95": list(wilson_interval(correct, len(graded))) if graded else None,
        "generated_tokens": sum(entry["usage"]["generated_tokens"] for entry in entries),
        "cached_tokens": sum(entry["usage"]["cached_tokens"] for entry in entries),
    }
