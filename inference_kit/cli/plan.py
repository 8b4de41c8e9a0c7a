"""Plan: everything a run is made of, chosen and checked before anything is loaded.

Why: the files of a run, its resume check and its summary all follow from the same choice.
Promises: two plans whose `depends_on` is equal make the same results.
"""

import contextlib
import platform
import re
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from inference_kit import __version__
from inference_kit.cli.run_options import OF_THE_PROCESS, OF_THE_SEARCH
from inference_kit.config import GENERATION_SETTINGS, Resolved
from inference_kit.context import Method, Rules
from inference_kit.dataset.base import Dataset
from inference_kit.dataset.selection import Shard
from inference_kit.experiment.shards import shard_folder
from inference_kit.models.base import Engine
from inference_kit.records import GenerationConfig
from inference_kit.reward_models.base import RewardModel


@dataclass(frozen=True, slots=True)
class Plan:
    """A run, chosen and checked; `settings` holds every value with its source."""

    model_name: str
    reward_model_name: str
    dataset_name: str
    method_name: str
    votes: tuple[str | None, ...]
    engine: Engine
    reward_model: RewardModel | None
    dataset: Dataset
    method: Method
    generation: GenerationConfig
    settings: Mapping[str, Resolved]

    def value(self, name: str) -> Any:
        """The value of a run option; None where it was not given and has no default."""
        return self.settings[name].value if name in self.settings else None

    @property
    def rules(self) -> Rules:
        """What holds for every problem, whatever the method."""
        return Rules(
            seed=self.value("seed"),
            aggregate=self.value("aggregate"),
            step_tokens=self.value("step_tokens"),
            max_tokens=self.value("max_tokens_per_problem"),
            max_calls=self.value("max_calls_per_problem"),
        )

    @property
    def strict(self) -> bool:
        """Whether only the last box counts."""
        return bool(self.value("grading") == "strict")

    @property
    def shard(self) -> Shard | None:
        """Which part of the problems is this run's; None for all."""
        return Shard.read(self.value("shard")) if self.value("shard") else None

    @property
    def folder(self) -> Path:
        """Where the results of this run go."""
        name = f"{self.model_name}+{self.reward_model_name}+{self.value('exp_name')}"
        whole = safe_name(name)
        folder = shard_folder(whole, self.shard) if self.shard else whole
        return Path(self.value("work_dir")) / safe_name(self.dataset_name) / folder

    @property
    def log_folder(self) -> Path:
        """The call log that all runs of one work folder share."""
        return Path(self.value("work_dir")) / ".calls"

    def file(self, vote: str | None = None, *, method: str = "", suffix: str = ".json") -> Path:
        """The partial file (`.jsonl`) or a final file of this run, or of another method in the same folder."""
        parts = [self.dataset_name, method or self.method_name, *([vote] if vote else [])]
        return self.folder / (safe_name("-".join(parts)) + suffix)

    def depends_on(self) -> dict[str, Any]:
        """What the results depend on, by name, as plain JSON values."""
        chosen = {
            name: each.value
            for name, each in self.settings.items()
            if name in GENERATION_SETTINGS or name.startswith(("method.", "dataset."))
        }
        return {
            "model": self.engine.identity,
            "separator": self.engine.separator,
            "reward_model": self.reward_model.identity if self.reward_model else None,
            "reward_separator": self.reward_model.separator if self.reward_model else None,
            "dataset": self.dataset.digest(),
            "prompt": self.dataset.template,
            "method": self.method_name,
            **{name: self.value(name) for name in OF_THE_SEARCH},
            "system": self.value("system"),
            **{name: list(value) if isinstance(value, tuple) else value for name, value in chosen.items()},
        }

    def header(self) -> dict[str, Any]:
        """What final files say before their metrics: the same for every run that makes the same results."""
        shown = {name: each.to_json() for name, each in self.settings.items() if name not in OF_THE_PROCESS}
        return {
            "dataset": self.dataset_name,
            "model": self.model_name,
            "reward_model": self.reward_model_name,
            "method": self.method_name,
            "config": {"depends_on": self.depends_on(), "settings": shown, "versions": versions()},
        }

    def to_json(self) -> dict[str, Any]:
        """The entry of this run in config.json."""
        process = {name: each.to_json() for name, each in self.settings.items() if name in OF_THE_PROCESS}
        return {**self.header(), "process": process}


def versions() -> dict[str, str]:
    """The versions of Python, this program and the libraries that a result may depend on."""
    found = {"python": platform.python_version(), "inference_kit": __version__}
    for name in ("torch", "transformers", "tokenizers", "sympy"):
        with contextlib.suppress(PackageNotFoundError):
            found[name] = version(name)
    return found


def safe_name(name: str) -> str:
    """`name` with what is unsafe in file names turned into `_`."""
    return re.sub(r"[^\w.+=-]", "_", name).lstrip(".") or "_"
