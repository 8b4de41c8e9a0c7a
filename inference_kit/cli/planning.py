"""Planning: arguments, config files and registries in, a `Plan` out.

Why: what is wrong with a request should be said in its first second, and every value should know where it came from.
Promises: no weights are loaded, no data is read, no file is written.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from inference_kit.cli.options import (
    Option,
    Parser,
    add_to,
    parse,
    parse_known,
    read_integer,
    read_value,
    setting_options,
)
from inference_kit.cli.plan import Plan, safe_name
from inference_kit.cli.run_options import RUN_OPTIONS
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
from inference_kit.dataset.selection import Shard
from inference_kit.dataset.simpledataset import SimpleDataset
from inference_kit.errors import UserError
from inference_kit.models import ENGINES
from inference_kit.models.auto import choose_engine
from inference_kit.models.local.hub import is_local
from inference_kit.models.replicas.engine import replicated
from inference_kit.needs import needs_details
from inference_kit.records import GenerationConfig
from inference_kit.registry import Entry, flag_of, lookup, name_of, opened, settings_of, unknown
from inference_kit.reward_models import REWARD_MODELS
from inference_kit.search import ALIASES, METHODS
from inference_kit.setup.build import MODEL_MAY_SET, made, maker, wishes_of
from inference_kit.setup.method import (
    check_method,
    method_settings_of,
    resolved_votes,
    turned_on,
    votes_of,
)
from inference_kit.setup.registries import Registries
from inference_kit.voting import AGGREGATES

SECTIONS = ("generation", "model_args", "reward_model_args", "dataset_args", "method_args")
REWARD_PREFIX = "reward_"


@dataclass(frozen=True, slots=True)
class Command:
    """What plans: its name for messages, its defaults, and the flags of `run` that it does not know."""

    prog: str
    defaults: Mapping[str, Any]
    without: frozenset[str] = frozenset()

    def known(self, options: Sequence[Option]) -> list[Option]:
        """Those of `options` that it knows."""
        return [option for option in options if option.name not in self.without]


def make_plan(arguments: Sequence[str], registries: Registries, command: Command) -> Plan:
    """Read the arguments of a run and choose its parts.

    Raises:
        UserError: an unknown name, flag or key, a value out of range, a path that does not exist.
    """
    return _Planner(registries, command).plan(arguments)


def print_help(about: str, arguments: Sequence[str], registries: Registries, command: Command) -> None:
    """Print every flag of what `arguments` choose: those of its method, model, reward model and data set too."""
    parser = Parser(prog=command.prog, description=about, allow_abbrev=False)
    add_to(parser, command.known(_Planner(registries, command).choose(arguments).options))
    parser.print_help()


@dataclass(frozen=True, slots=True)
class _Model:
    """A model's name, how its engine is made, and why this engine."""

    name: str
    entry: Entry
    reason: str

    @property
    def engine(self) -> str:
        """The engine's own name, or that of its class."""
        return name_of(self.entry, ENGINES)


@dataclass(frozen=True, slots=True)
class _Choice:
    """The four parts that are chosen by name, and the flags that follow from them."""

    model: _Model
    reward_model: tuple[str, Entry] | None
    dataset: tuple[str, Entry]
    method: str
    config: ConfigFile | None
    options: list[Option]


@dataclass(frozen=True, slots=True)
class _Levels:
    """Where a run's settings are given; `of_model` is the file that belongs to the model, where there is one."""

    command_line: Level
    model_arguments: Level
    config_file: Level
    of_model: tuple[Level, ...]

    @property
    def told(self) -> list[Level]:
        """What was said for this run, strongest first."""
        return [self.command_line, self.config_file]

    @property
    def all(self) -> list[Level]:
        """All of them, strongest first."""
        return [self.command_line, self.model_arguments, self.config_file, *self.of_model]


@dataclass(frozen=True, slots=True)
class _Planner:
    registries: Registries
    command: Command

    def choose(self, arguments: Sequence[str]) -> _Choice:
        given, _ = parse_known(RUN_OPTIONS, arguments, prog=self.command.prog)
        config = read_config(Path(given["config"]).expanduser(), SECTIONS) if given.get("config") else None
        wanted = {**self.command.defaults, **(config.values if config else {}), **given}
        model = self._model(str(wanted["model"]), wanted.get("model_path"))
        reward_model = self._reward_model(wanted.get("reward_model"), model.name)
        dataset = self._dataset(wanted, explicit="dataset" in given or bool(config and "dataset" in config.values))
        method = ALIASES.get(str(wanted["method"]), str(wanted["method"]))
        options = [
            *RUN_OPTIONS,
            *setting_options(lookup(METHODS, method, "method", where="--method").function, f"method {method}"),
            *setting_options(opened(model.entry)[0], f"model {model.name}"),
            *setting_options(opened(dataset[1])[0], f"data set {dataset[0]}"),
        ]
        if reward_model:
            title = f"reward model {reward_model[0]}"
            options += setting_options(opened(reward_model[1])[0], title, prefix=REWARD_PREFIX)
        return _Choice(model, reward_model, dataset, method, config, options)

    def plan(self, arguments: Sequence[str]) -> Plan:
        choice = self.choose(arguments)
        levels = self._levels(choice, arguments)
        run_names = [option.name for option in RUN_OPTIONS if option.name not in GENERATION_SETTINGS]
        settings = resolve(run_names, [*levels.all, Level("default", self.command.defaults)])
        _check_run(settings)

        make_engine, engine_settings = maker(choice.model.entry, "model", settings, [*levels.told, *levels.of_model])
        engine = replicated(make_engine, settings["replicas"].value, settings["distributed"].value)
        settings["engine"] = Resolved(choice.model.engine, choice.model.reason)
        generation = generation_levels(
            *levels.all,
            Level("model's generation_config", engine.generation_defaults()),
            *_short_context(engine.context_length),
        )
        reward_name, reward_entry = choice.reward_model or ("none", None)
        reward_model, reward_settings = (
            made(reward_entry, "reward_model", settings, levels.told, REWARD_PREFIX) if reward_entry else (None, {})
        )
        dataset_name, dataset_entry = choice.dataset
        dataset, dataset_settings = made(dataset_entry, "dataset", settings, levels.told)
        method_settings = method_settings_of(choice.method, levels.all)
        check_method(choice.method, engine, generation_config(generation), scored=reward_model is not None)
        votes = votes_of(choice.method, settings, generation, engine, scored=reward_model is not None)
        if needs_details(choice.method, votes):
            generation["token_details"] = turned_on(generation["token_details"])
        settings["vote"] = resolved_votes(votes, settings.get("vote"))
        return Plan(
            model_name=choice.model.name,
            reward_model_name=reward_name,
            dataset_name=dataset_name,
            method_name=choice.method,
            votes=votes,
            engine=engine,
            reward_model=reward_model,
            dataset=dataset,
            method=partial(
                METHODS[choice.method].function, **{name: each.value for name, each in method_settings.items()}
            ),
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

    def _levels(self, choice: _Choice, arguments: Sequence[str]) -> _Levels:
        known = self.command.known(choice.options)
        given = parse(known, arguments, prog=self.command.prog, elsewhere=_flags_of_methods())
        readers = {option.name: option for option in choice.options}
        return _Levels(
            Level("command line", given),
            Level("model arguments", wishes_of(choice.model.entry)),
            Level("config file", _read_values(choice.config, readers) if choice.config else {}),
            self._model_config(choice.model, readers),
        )

    def _model(self, name: str, path: str | None) -> _Model:
        """The model that a name, a folder, a hub id or an address means."""
        if name in self.registries.models:
            return _Model(name, self.registries.models[name], "registered")
        if name in ENGINES:
            return _Model(name, ENGINES[name], "asked for by its name")
        if name == "auto" and path is None:
            raise UserError("auto needs a path", where="--model", fix="Add --model-path: a folder, hub id or address.")
        if name != "auto" and not is_local(name) and "/" not in name:
            raise unknown(name, [*self.registries.models, *ENGINES, "auto"], "model", where="--model")
        place = str(path) if name == "auto" else name
        choice = choose_engine(place)
        shown = urlsplit(place).netloc if "://" in place else Path(place).expanduser().resolve().name
        return _Model(shown, partial(ENGINES[choice.engine], place), choice.reason)

    def _reward_model(self, name: Any, model_name: str) -> tuple[str, Entry] | None:
        table = self.registries.reward_models
        if name is None:
            beside = f"{model_name}_prm"
            return (beside, table[beside]) if beside in table else None
        if name == "none":
            return None
        entries: dict[str, Entry] = {**REWARD_MODELS, **table}
        return str(name), lookup(entries, str(name), "reward model", where="--reward-model")

    def _dataset(self, wanted: Mapping[str, Any], *, explicit: bool) -> tuple[str, Entry]:
        path = wanted.get("dataset_path")
        if path and not explicit:
            name = Path(str(path)).stem
            return name, partial(SimpleDataset, dataset_name=name, dataset_path=str(path))
        name = str(wanted["dataset"])
        return name, lookup(self.registries.datasets, name, "data set", where="--dataset")

    def _model_config(self, model: _Model, readers: Mapping[str, Option]) -> tuple[Level, ...]:
        """The file that belongs to a model, where there is one."""
        path = self.registries.home / "configs" / "models" / f"{safe_name(model.name)}.yaml"
        if not path.is_file():
            return ()
        own = settings_of(opened(model.entry)[0])
        known = {name: readers[name] for name in (*MODEL_MAY_SET, *own) if name in readers}
        known["n"] = Option("n", read_integer, "for the methods that have it")
        return (Level(f"config file {path.name}", _read_values(read_config(path, ("generation",)), known)),)


def _short_context(context_length: int | None) -> list[Level]:
    """Half the context, for a model so short that the library's own default would leave no room for a prompt."""
    if context_length is None or context_length // 2 >= GenerationConfig().max_new_tokens:
        return []
    return [Level("half the model's context", {"max_new_tokens": context_length // 2})]


def _flags_of_methods() -> dict[str, str]:
    """Every flag that some method has, and the name of one that has it."""
    return {option.flag: name for name in reversed(METHODS) for option in setting_options(METHODS[name].function, "")}


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
                known = [reader.removeprefix(prefix) for reader in readers if reader.startswith(prefix)]
                raise unknown(name, known, f"key of {section}", where=config.places[name])
            if values.get(prefix + name, value) != value:
                raise UserError(f"{name} has two values in this file", where=config.places[name])
            values[prefix + name] = value
    return {
        name: read_value(readers[name], value, config.places.get(name.removeprefix(REWARD_PREFIX), str(config.path)))
        for name, value in values.items()
        if value is not None
    }


def _check_run(settings: Mapping[str, Resolved]) -> None:
    for name in ("limit", "concurrency", "max_tokens_per_problem", "max_calls_per_problem", "max_tokens_total"):
        if name in settings and settings[name].value < 1:
            raise UserError(f"{name} must be at least 1, got {settings[name].value}", where=flag_of(name))
    for name in ("max_seconds", "max_cost"):
        if name in settings and not settings[name].value > 0:  # NaN is not, either
            raise UserError(f"{name} must be above 0, got {settings[name].value}", where=flag_of(name))
    if "shard" in settings:
        Shard.read(settings["shard"].value)
    if settings["step_tokens"].value < 0:
        raise UserError(f"step_tokens must be at least 0, got {settings['step_tokens'].value}", where="--step-tokens")
    lookup(AGGREGATES, settings["aggregate"].value, "aggregate", where="--aggregate")
    if settings["grading"].value not in ("lenient", "strict"):
        raise unknown(str(settings["grading"].value), ("lenient", "strict"), "grading", where="--grading")
