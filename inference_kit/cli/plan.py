"""Plan: everything a run is made of, chosen and checked before anything is loaded.

Why: what is wrong with a request should be said in its first second, and every value should be able to say where it came from.
Promises: no weights are loaded and no file is written; two plans whose `depends_on` is equal make the same results.
"""

import contextlib
import inspect
import platform
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from inference_kit import __version__
from inference_kit.cli.options import (
    Option,
    parse,
    parse_known,
    read_boolean,
    read_integer,
    read_list,
    read_number,
    read_stops,
    read_value,
    setting_options,
)
from inference_kit.cli.registries import Entry, Registries
from inference_kit.config import (
    GENERATION_SETTINGS,
    ConfigFile,
    Level,
    Resolved,
    generation_config,
    generation_levels,
    read_config,
    resolve,
)
from inference_kit.context import Method
from inference_kit.dataset.base import Dataset
from inference_kit.dataset.simpledataset import SimpleDataset
from inference_kit.errors import UserError
from inference_kit.evaluation import check_votes
from inference_kit.models import ENGINES
from inference_kit.models.base import Engine
from inference_kit.records import GenerationConfig
from inference_kit.registry import lookup, settings_of, unknown
from inference_kit.reward_models import REWARD_MODELS
from inference_kit.reward_models.base import RewardModel
from inference_kit.search import ALIASES, METHODS, ONE_SOLUTION
from inference_kit.voting import VOTES

DEFAULTS: dict[str, Any] = {
    "model": "abacus",
    "dataset": "abacus",
    "method": "best_of_n",
    "seed": 0,
    "work_dir": "results",
    "exp_name": "default",
    "resume": True,
    "overwrite": False,
    "grading": "lenient",
    "explain": False,
    "dry_run": False,
    "json": False,
}

_GENERATION_HELP = {
    "max_new_tokens": "tokens of one completion at the most",
    "temperature": "0 is greedy",
    "top_p": "sample from the likeliest tokens that together have this probability",
    "top_k": "sample from the k likeliest tokens; 0 is off",
    "min_p": "drop tokens less likely than this share of the likeliest",
    "repetition_penalty": "above 1 makes tokens of prompt and reply less likely to come again",
    "frequency_penalty": "taken off for each time a token was written",
    "presence_penalty": "taken off once a token was written",
    "stop": "text that ends a completion and is cut from it; several as a JSON list",
}
_GENERATION_READERS: dict[str, Callable[[str], Any]] = {
    "max_new_tokens": read_integer,
    "top_k": read_integer,
    "stop": read_stops,
}

RUN_OPTIONS: tuple[Option, ...] = (
    Option("model", str, "a registered model, an engine's name, a folder or a hub id", "abacus"),
    Option("model_path", str, "weights folder or hub id", "the registry's"),
    Option("reward_model", str, "a registered reward model, or none", "none; NAME_prm where it is registered"),
    Option("reward_model_path", str, "weights folder or hub id", "the registry's"),
    Option("dataset", str, "a registered data set", "abacus"),
    Option("dataset_path", str, "a file (.jsonl .json .csv .parquet) or hub id", "the registry's"),
    Option("limit", read_integer, "the first problems only", "all"),
    Option("index", str, "these problems only, such as 3,7,10-20", "all"),
    Option("shuffle_seed", read_integer, "take the limited problems at random, by this seed", "in order"),
    Option("method", str, "the search method", "best_of_n"),
    Option("vote", read_list, "how candidates become one answer; several with commas, or all", "best_last or majority_vote"),
    Option("evaluate", read_boolean, "vote and grade at the end", "where there are gold answers"),
    Option("grading", str, "lenient (any correct box counts) or strict (the last box)", "lenient"),
    Option("seed", read_integer, "the run's seed", "0"),
    Option("system", str, "a system message before every problem or turn", "none"),
    *(
        Option(name, _GENERATION_READERS.get(name, read_number), text, "see docs/settings.md", "generation")
        for name, text in _GENERATION_HELP.items()
    ),
    Option("do_sample", read_boolean, "false is temperature 0", "from the temperature", "generation"),
    Option("config", str, "a YAML file with any of these settings", "none", "how to run"),
    Option("work_dir", str, "where results go", "results", "how to run"),
    Option("exp_name", str, "the experiment's name", "default", "how to run"),
    Option("resume", read_boolean, "go on from what is there", "true", "how to run"),
    Option("overwrite", read_boolean, "start anew", "false", "how to run"),
    Option("concurrency", read_integer, "problems in flight", "chosen by the engine", "how to run"),
    Option("explain", read_boolean, "print every setting with its source, and stop", "", "how to run"),
    Option("dry_run", read_boolean, "check everything, show the first prompt, and stop", "", "how to run"),
    Option("json", read_boolean, "print the summary as one JSON object", "", "how to run"),
    Option("debug", read_boolean, "tracebacks, and everything in the log", "", "how to run"),
    Option("log_level", str, "ERROR, WARNING, INFO or DEBUG", "INFO, or LOG_LEVEL", "how to run"),
)
SECTIONS = ("generation", "model_args", "reward_model_args", "dataset_args", "method_args")
REWARD_PREFIX = "reward_"

_OF_THE_PROCESS = frozenset(
    {"work_dir", "exp_name", "resume", "overwrite", "concurrency", "explain", "dry_run", "json", "debug", "log_level"}
    | {"config", "evaluate", "vote"}
)
"""Settings that say how or where a run is done, and change nothing in its results."""


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
    def strict(self) -> bool:
        """Whether only the last box counts."""
        return bool(self.value("grading") == "strict")

    @property
    def folder(self) -> Path:
        """Where the results of this run go."""
        name = f"{self.model_name}+{self.reward_model_name}+{self.value('exp_name')}"
        return Path(self.value("work_dir")) / safe_name(self.dataset_name) / safe_name(name)

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
            if name in GENERATION_SETTINGS or name.startswith("method.") or name.startswith("dataset.")
        }
        return {
            "model": self.engine.identity,
            "separator": self.engine.separator,
            "reward_model": self.reward_model.identity if self.reward_model else None,
            "reward_separator": self.reward_model.separator if self.reward_model else None,
            "dataset": self.dataset.digest(),
            "method": self.method_name,
            "seed": self.value("seed"),
            **{name: list(value) if isinstance(value, tuple) else value for name, value in chosen.items()},
        }

    def header(self) -> dict[str, Any]:
        """What final files say before their metrics: the same for every run that makes the same results."""
        shown = {name: each.to_json() for name, each in self.settings.items() if name not in _OF_THE_PROCESS}
        return {
            "dataset": self.dataset_name,
            "model": self.model_name,
            "reward_model": self.reward_model_name,
            "method": self.method_name,
            "config": {"depends_on": self.depends_on(), "settings": shown, "versions": versions()},
        }

    def to_json(self) -> dict[str, Any]:
        """The entry of this run in config.json."""
        process = {name: each.to_json() for name, each in self.settings.items() if name in _OF_THE_PROCESS}
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


def make_plan(
    arguments: Sequence[str], registries: Registries, *, prog: str, defaults: Mapping[str, Any] = DEFAULTS
) -> Plan:
    """Read the arguments of a run and choose its parts; `defaults` may differ from those of `run`.

    Raises:
        UserError: an unknown name, flag or key, a value out of range, a path that does not exist.
    """
    return _Planner(registries, prog, defaults).plan(arguments)


def all_options(
    arguments: Sequence[str], registries: Registries, *, prog: str, defaults: Mapping[str, Any] = DEFAULTS
) -> list[Option]:
    """Every flag of the run that `arguments` choose: those of its method, model, reward model and data set too."""
    return _Planner(registries, prog, defaults).choose(arguments).options


@dataclass(frozen=True, slots=True)
class _Choice:
    """The four parts that are chosen by name, and the flags that follow from them."""

    model: tuple[str, Entry]
    reward_model: tuple[str, Entry] | None
    dataset: tuple[str, Entry]
    method: str
    config: ConfigFile | None
    options: list[Option]


@dataclass(frozen=True, slots=True)
class _Planner:
    registries: Registries
    prog: str
    defaults: Mapping[str, Any]

    def choose(self, arguments: Sequence[str]) -> _Choice:
        given, _ = parse_known(RUN_OPTIONS, arguments, prog=self.prog)
        config = read_config(Path(given["config"]).expanduser(), SECTIONS) if given.get("config") else None
        wanted = {**self.defaults, **(config.values if config else {}), **given}
        model = self._model(str(wanted["model"]))
        reward_model = self._reward_model(wanted.get("reward_model"), model[0])
        dataset = self._dataset(wanted, explicit="dataset" in given or bool(config and "dataset" in config.values))
        method = ALIASES.get(str(wanted["method"]), str(wanted["method"]))
        options = [
            *RUN_OPTIONS,
            *setting_options(lookup(METHODS, method, "method", where="--method"), f"method {method}"),
            *setting_options(_target(model[1]), f"model {model[0]}"),
            *setting_options(_target(dataset[1]), f"data set {dataset[0]}"),
        ]
        if reward_model:
            title = f"reward model {reward_model[0]}"
            options += setting_options(_target(reward_model[1]), title, prefix=REWARD_PREFIX)
        return _Choice(model, reward_model, dataset, method, config, options)

    def plan(self, arguments: Sequence[str]) -> Plan:
        choice = self.choose(arguments)
        given = parse(choice.options, arguments, prog=self.prog)
        readers = {option.name: option for option in choice.options}
        from_file = _read_values(choice.config, readers) if choice.config else {}
        run_names = [option.name for option in RUN_OPTIONS if option.name not in GENERATION_SETTINGS]
        command_line, config_file = Level("command line", given), Level("config file", from_file)
        settings = resolve(run_names, [command_line, config_file, Level("default", self.defaults)])
        _check_run(settings)

        model_name, model_entry = choice.model
        engine, engine_settings = _build(model_entry, "model", settings, [command_line, config_file], "model")
        generation = generation_levels(
            command_line,
            Level("model arguments", _keywords(model_entry)),
            config_file,
            *self._model_config(model_name, readers),
            Level("model's generation_config", engine.generation_defaults()),
        )
        reward_model, reward_settings = None, {}
        if choice.reward_model:
            reward_model, reward_settings = _build(
                choice.reward_model[1], "reward_model", settings, [command_line, config_file], "reward", REWARD_PREFIX
            )
        dataset, dataset_settings = _build(
            choice.dataset[1], "dataset", settings, [command_line, config_file], "dataset"
        )
        method_settings = _method_settings(choice.method, [command_line, config_file])
        votes = _votes(choice.method, settings.get("vote"), scored=reward_model is not None)
        settings["vote"] = Resolved(list(votes), settings["vote"].source if "vote" in settings else "default")
        return Plan(
            model_name=model_name,
            reward_model_name=choice.reward_model[0] if choice.reward_model else "none",
            dataset_name=choice.dataset[0],
            method_name=choice.method,
            votes=votes,
            engine=engine,
            reward_model=reward_model,
            dataset=dataset,
            method=partial(METHODS[choice.method], **{name: each.value for name, each in method_settings.items()}),
            generation=generation_config(generation),
            settings={
                **settings,
                **generation,
                **_named("method", method_settings),
                **_named("model", engine_settings),
                **_named("reward_model", reward_settings),
                **_named("dataset", dataset_settings),
            },
        )

    def _model(self, name: str) -> tuple[str, Entry]:
        if name in self.registries.models:
            return name, self.registries.models[name]
        if name in ENGINES:
            return name, ENGINES[name]
        if _is_path(name) or "/" in name:
            return Path(name).name, partial(ENGINES["huggingface"], name)
        raise unknown(name, [*self.registries.models, *ENGINES], "model", where="--model")

    def _reward_model(self, name: Any, model_name: str) -> tuple[str, Entry] | None:
        table = self.registries.reward_models
        if name is None:
            beside = f"{model_name}_prm"
            return (beside, table[beside]) if beside in table else None
        if name == "none":
            return None
        return str(name), lookup({**REWARD_MODELS, **table}, str(name), "reward model", where="--reward-model")

    def _dataset(self, wanted: Mapping[str, Any], *, explicit: bool) -> tuple[str, Entry]:
        path = wanted.get("dataset_path")
        if path and not explicit:
            name = Path(str(path)).stem
            return name, partial(SimpleDataset, dataset_name=name, dataset_path=str(path))
        name = str(wanted["dataset"])
        return name, lookup(self.registries.datasets, name, "data set", where="--dataset")

    def _model_config(self, model_name: str, readers: Mapping[str, Option]) -> list[Level]:
        path = self.registries.home / "configs" / "models" / f"{safe_name(model_name)}.yaml"
        if not path.is_file():
            return []
        return [Level(f"config file {path.name}", _read_values(read_config(path, SECTIONS), readers))]


def _target(entry: Entry) -> Entry:
    return entry.func if isinstance(entry, partial) else entry


def _keywords(entry: Entry) -> dict[str, Any]:
    return dict(entry.keywords) if isinstance(entry, partial) else {}


def _is_path(name: str) -> bool:
    return name.startswith((".", "/", "~")) or Path(name).exists()


def _named(part: str, settings: Mapping[str, Resolved]) -> dict[str, Resolved]:
    return {f"{part}.{name}": each for name, each in settings.items()}


def _read_values(config: ConfigFile, readers: Mapping[str, Option]) -> dict[str, Any]:
    """The values of a config file, each checked like the text of its flag; sections are spelled like their flags."""
    config.check([*readers])
    values = dict(config.values)
    for section, inside in config.sections.items():
        prefix = REWARD_PREFIX if section == "reward_model_args" else ""
        for name, value in inside.items():
            if prefix + name not in readers:
                raise unknown(name, readers, f"key of {section}", where=config.places[name])
            values[prefix + name] = value
    return {
        name: read_value(readers[name], value, config.places.get(name.removeprefix(REWARD_PREFIX), str(config.path)))
        for name, value in values.items()
        if value is not None
    }


def _build(
    entry: Entry, option: str, settings: Mapping[str, Resolved], levels: Sequence[Level], part: str, prefix: str = ""
) -> tuple[Any, dict[str, Resolved]]:
    """Make an engine, reward model or data set of a registry entry; also return its settings with their sources."""
    target, keywords = _target(entry), _keywords(entry)
    known = settings_of(target)
    own = [
        Level(level.source, {name: level.values.get(prefix + name) for name in known}) for level in levels
    ]
    registry = Level("model arguments" if part == "model" else "registry", keywords)
    defaults = Level("default", {name: setting.default for name, setting in known.items()})
    command_line, config_file = own
    resolved = resolve(list(known), [command_line, registry, config_file, defaults])
    chosen = {name: each.value for name, each in resolved.items() if each.source != "default"}
    fixed = {name: value for name, value in keywords.items() if name not in known and name not in GENERATION_SETTINGS}
    path = settings[f"{option}_path"].value if f"{option}_path" in settings else None
    arguments = list(entry.args) if isinstance(entry, partial) else []
    if path is not None and f"{option}_path" in fixed:
        fixed[f"{option}_path"] = path
    elif path is not None:
        arguments[:1] = [path]
    try:
        inspect.signature(target).bind(*arguments, **fixed, **chosen)
    except TypeError as error:
        raise UserError(
            f"{option} {target.__name__} cannot be made: {error}",
            where=f"--{option.replace('_', '-')}",
            fix=f"Give --{option.replace('_', '-')}-path, or mend the registry entry.",
        ) from error
    return target(*arguments, **fixed, **chosen), resolved


def _method_settings(method: str, levels: Sequence[Level]) -> dict[str, Resolved]:
    known = settings_of(METHODS[method])
    defaults = Level("default", {name: setting.default for name, setting in known.items()})
    resolved = resolve(list(known), [*levels, defaults])
    for name, each in resolved.items():
        if known[name].type is int and each.value < 1:
            raise UserError(f"{name} must be at least 1, got {each.value}", where=f"--{name.replace('_', '-')}")
    return resolved


def _votes(method: str, asked: Resolved | None, *, scored: bool) -> tuple[str | None, ...]:
    if method in ONE_SOLUTION:
        return (None,)
    if asked is None:
        return ("best_last",) if scored else ("majority_vote",)
    if asked.value == ("all",):
        return tuple(name for name, vote in VOTES.items() if scored or not vote.needs_scores)
    check_votes(asked.value, scored=scored)
    return tuple(dict.fromkeys(asked.value))


def _check_run(settings: Mapping[str, Resolved]) -> None:
    for name in ("limit", "concurrency"):
        if name in settings and settings[name].value < 1:
            raise UserError(f"{name} must be at least 1, got {settings[name].value}", where=f"--{name}")
    if settings["grading"].value not in ("lenient", "strict"):
        raise unknown(str(settings["grading"].value), ("lenient", "strict"), "grading", where="--grading")
