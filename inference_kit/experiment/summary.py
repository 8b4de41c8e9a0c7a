"""Summary: the figures of a run that is done, as plain JSON values."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from inference_kit.experiment.files import shard_of
from inference_kit.experiment.run import Run
from inference_kit.records import Usage
from inference_kit.store.results import read_final


def summarize(run: Run, metrics: Mapping[str | None, Mapping[str, Any]], command: Sequence[str] = ()) -> dict[str, Any]:
    """Return what there is to say of a run after `conclude`; greedy's metrics where they are stored beside."""
    parts, files = run.parts, run.files
    first, prices = metrics[parts.votes[0]], parts.engine.prices
    paid = Usage(prompt_tokens=first["prompt_tokens"], generated_tokens=first["generated_tokens"])
    greedy, shard = files.final(method="greedy"), shard_of(parts)
    return {
        "dataset": parts.dataset_name,
        "model": parts.model_name,
        "reward_model": parts.reward_model_name,
        "method": parts.method_name,
        "command": list(command),
        "separator": parts.engine.separator,
        "shard": str(shard) if shard else None,
        "folder": str(files.folder),
        "files": {vote or parts.method_name: str(files.final(vote)) for vote in parts.votes},
        "votes": {vote or parts.method_name: dict(each) for vote, each in metrics.items()},
        "metrics": dict(first),
        "dollars": prices.cost(paid) if prices else None,
        "greedy": _read_metrics(greedy) if parts.method_name != "greedy" else None,
        "greedy_file": str(greedy),
        "this_time": _figures_of_this_time(run),
    }


def _figures_of_this_time(run: Run) -> dict[str, Any]:
    usage = run.progress.usage
    return {
        "problems": run.progress.new,
        "generated_tokens": usage.generated_tokens,
        "engine_calls": usage.calls - usage.cached_calls,
        "cached_calls": usage.cached_calls,
        "seconds": round(run.progress.seconds, 3),
    }


def _read_metrics(path: Path) -> Mapping[str, Any] | None:
    metrics: Mapping[str, Any] | None = read_final(path)[0]["metrics"] if path.exists() else None
    return metrics
