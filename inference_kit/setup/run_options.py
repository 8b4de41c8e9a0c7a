"""Run options: what a run may be told besides the settings of its parts, as one typed record.

Why: flags, defaults, ranges, groups, help and what results depend on follow from one declaration of each option.
Promises: a face with options of its own adds them in a subclass; each option says what it has to do with results.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Annotated, Any, Literal, TypeVar

from inference_kit.config import Resolved
from inference_kit.registry import Above

Role = Literal["results", "choice", "process"]
"""What an option is to the results: they depend on it; it chooses what they are of; or it changes nothing in them."""

Scope = Literal["solver", "run"]
"""What an option is about: every problem or turn, whoever asks; or a data set, a folder and the run as a whole."""

WHAT, HOW = "what to run", "how to run"
"""The groups in which options are shown."""

Options = TypeVar("Options", bound="RunOptions")


def option(default: Any, role: Role, scope: Scope, *, unset: str = "", group: str = HOW) -> Any:
    """Declare a field of an options record.

    Args:
        default: What holds where nobody says anything; None for nothing.
        role: What it is to the results.
        scope: What it is about.
        unset: What None means, in words.
        group: Where it is shown.
    """
    return field(default=default, metadata={"role": role, "scope": scope, "unset": unset, "group": group})


@dataclass(frozen=True, kw_only=True)
class RunOptions:
    """What is run, and how, whatever the parts are.

    Args:
        model: a registered model, an engine's name, a folder or a hub id
        model_path: weights folder, GGUF file, hub id or address
        reward_model: a registered reward model, or none
        reward_model_path: weights folder or hub id
        dataset: a registered data set
        dataset_path: a file (.jsonl .json .csv .tsv .parquet; .gz and .zst of them), a hub id or a snapshot folder
        limit: the first problems only
        index: these problems only, such as 3,7,10-20
        shuffle_seed: take the limited problems at random, by this seed
        method: the search method
        vote: how candidates become one answer; several with commas, or all
        aggregate: what one score is made of step scores by: last, min, mean or prod
        step_tokens: end a step after so many tokens, not at the separator; 1 is token level
        max_tokens_per_problem: tokens after which a search returns its best so far
        max_calls_per_problem: completions after which it does, cached ones counted
        evaluate: vote and grade at the end
        grading: lenient (any correct box counts) or strict (the last box)
        seed: the run's seed
        system: a system message before every problem or turn
        work_dir: where results go
        exp_name: the experiment's name
        resume: go on from what is there
        overwrite: start anew
        concurrency: problems in flight
        replicas: copies of the engine, which share the GPUs or else the cores
        distributed: where copies live: processes, on this machine, or ray
        shard: this part of the problems, such as 2/4; `evaluate` merges all parts
        max_tokens_total: stop the run after so many tokens, to go on later
        max_seconds: stop the run after so many seconds, to go on later
        max_cost: stop the run after so many dollars, to go on later
        max_failures: stop the run once more problems failed: a count (20) or a share (0.1, 10%)
        keep_trees: store every node of every search
    """

    model: str = option("abacus", "choice", "solver", group=WHAT)
    model_path: str | None = option(None, "choice", "solver", unset="the registry's", group=WHAT)
    reward_model: str | None = option(
        None, "choice", "solver", unset="none; NAME_prm where it is registered", group=WHAT
    )
    reward_model_path: str | None = option(None, "choice", "solver", unset="the registry's", group=WHAT)
    dataset: str = option("abacus", "choice", "run", group=WHAT)
    dataset_path: str | None = option(None, "choice", "run", unset="the registry's", group=WHAT)
    limit: int | None = option(None, "choice", "run", unset="all", group=WHAT)
    index: str | None = option(None, "choice", "run", unset="all", group=WHAT)
    shuffle_seed: Annotated[int | None, -math.inf, math.inf] = option(
        None, "choice", "run", unset="in order", group=WHAT
    )
    method: str = option("best_of_n", "choice", "solver", group=WHAT)
    vote: tuple[str, ...] | None = option(None, "process", "solver", unset="best_last or majority_vote", group=WHAT)
    aggregate: str = option("last", "results", "solver", group=WHAT)
    step_tokens: Annotated[int, 0] = option(0, "results", "solver", group=WHAT)
    max_tokens_per_problem: int | None = option(None, "results", "solver", unset="no limit", group=WHAT)
    max_calls_per_problem: int | None = option(None, "results", "solver", unset="no limit", group=WHAT)
    evaluate: bool | None = option(None, "process", "run", unset="where there are gold answers", group=WHAT)
    grading: Literal["lenient", "strict"] = option("lenient", "choice", "run", group=WHAT)
    seed: Annotated[int, -math.inf, math.inf] = option(0, "results", "solver", group=WHAT)
    system: str | None = option(None, "results", "solver", unset="none", group=WHAT)
    work_dir: str = option("results", "process", "run")
    exp_name: str = option("default", "process", "run")
    resume: bool = option(True, "process", "run")
    overwrite: bool = option(False, "process", "run")
    concurrency: int | None = option(None, "process", "run", unset="chosen by the engine")
    replicas: int = option(1, "process", "solver")
    distributed: str = option("processes", "process", "solver")
    shard: str | None = option(None, "process", "run", unset="all")
    max_tokens_total: int | None = option(None, "process", "run", unset="no limit")
    max_seconds: Annotated[float | None, Above(0)] = option(None, "process", "run", unset="no limit")
    max_cost: Annotated[float | None, Above(0)] = option(None, "process", "run", unset="no limit")
    max_failures: str | None = option(
        None, "process", "run", unset="dozens, for one reason, while nothing was answered"
    )
    keep_trees: bool = option(False, "results", "run")

    def named(self, role: Role) -> dict[str, Any]:
        """Return the options that have `role`, by name."""
        return {each.name: getattr(self, each.name) for each in fields(self) if each.metadata["role"] == role}


def list_names(record: type[RunOptions], scope: Scope) -> list[str]:
    """Return the names of the options of a record that have `scope`."""
    return [each.name for each in fields(record) if each.metadata["scope"] == scope]


def read_options(record: type[Options], settings: Mapping[str, Resolved]) -> Options:
    """Return the options among `settings` as a record."""
    names = [each.name for each in fields(record)]
    return record(**{name: settings[name].value for name in names if name in settings})
