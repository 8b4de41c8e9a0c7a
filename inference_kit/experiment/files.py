"""Files: where a run's results stand, by name.

Why: a run, its resume, its shards and whoever reads results later must agree on names.
Promises: what is unsafe in a file name becomes `_`.
"""

from dataclasses import dataclass
from pathlib import Path

from inference_kit.config import make_safe
from inference_kit.dataset.selection import Shard
from inference_kit.setup.parts import Parts
from inference_kit.store.call_files import CALLS


@dataclass(frozen=True, slots=True)
class RunFiles:
    """The files of one method on one data set in the folder of a run."""

    folder: Path
    call_log: Path
    dataset: str
    method: str

    @property
    def partial(self) -> Path:
        """The partial file, which grows by a line per finished problem."""
        return self._stem(self.method).with_name(f"{self._stem(self.method).name}.jsonl")

    def final(self, vote: str | None = None, *, method: str = "") -> Path:
        """Return the final file of a vote, or of another method in the same folder."""
        return name_final_file(self._stem(method or self.method), vote)

    def _stem(self, method: str) -> Path:
        return self.folder / make_safe(f"{self.dataset}-{method}")


def name_run_files(parts: Parts) -> RunFiles:
    """Return where the results of a run go that is told a work folder and an experiment's name."""
    whole = make_safe(f"{parts.model_name}+{parts.reward_model_name}+{parts.options.exp_name}")
    work_dir, shard = Path(parts.options.work_dir).expanduser(), read_shard(parts)
    name = name_shard_folder(whole, shard) if shard else whole
    return RunFiles(
        work_dir / make_safe(parts.dataset_name) / name, work_dir / CALLS, parts.dataset_name, parts.method_name
    )


def read_shard(parts: Parts) -> Shard | None:
    """Return which part of the problems is this run's; None for all."""
    return Shard.read(parts.options.shard) if parts.options.shard else None


def name_shard_folder(whole: str, shard: Shard) -> str:
    """Return the name of the folder of one shard, where that of the whole run is called `whole`."""
    return f"{whole}+shard-{shard.number}-of-{shard.of}"


def name_final_file(stem: Path, vote: str | None) -> Path:
    """Return the final file of a vote, where the files of a method begin with `stem`."""
    return stem.with_name(f"{stem.name}-{vote}.json" if vote else f"{stem.name}.json")
