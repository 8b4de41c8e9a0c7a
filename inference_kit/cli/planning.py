"""Planning: arguments, config files and registries in, a `Plan` out.

Why: what is wrong with a request should be said in its first second, and every value should know where it came from.
Promises: no weights are loaded, no data is read, no file is written.
"""

import inspect
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from loguru import logger

from inference_kit.cli.method_choice import (
    check_method,
    method_settings_of,
    needs_details,
    resolved_votes,
    turned_on,
    votes_of,
)
from inference_kit.cli.options import Option, parse, parse_known, read_integer, read_value, setting_options
from inference_kit.cli.plan import Plan, safe_name
from inference_kit.cli.registries import Entry, Registries
from inference_kit.cli.run_options import DEFAULTS, RUN_OPTIONS
from inference_kit.config import (
    GENERATION_SETTINGS,
    SYNONYMS,
    ConfigFile,
    Level,
    Resolved,
    canonical,
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
from inference_kit.models.devices import choose_device
from inference_kit.models.replicas import replicated
from inference_kit.records import GenerationConfig
from inference_kit.registry import lookup, settings_of, unknown
from inference_kit.reward_models import REWARD_MODELS
from inference_kit.search import ALIASES, METHODS
from inference_kit.voting import AGGREGATES

SECTIONS = ("generation", "model_args", "reward_model_args", "dataset_args", "method_args")
REWARD_PREFIX = "reward_"
MODEL_MAY_SET = frozenset({*GENERATION_SETTINGS, "do_sample", "n", "system"})
"""What a model may come with besides the settings of its engine, in the registry or in a file of its own."""


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
class _Model:
    """A model's name, how its engine is made, and why this engine."""

    name: str
    entry: Entry
    reason: str

    @property
    def engine(self) -> str:
        """The engine's own name, or that of its class."""
        target = _target(self.entry)
        return next((name for name, engine in ENGINES.items() if engine is target), target.__name__)


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
class _Planner:
    registries: Registries
    prog: str
    defaults: Mapping[str, Any]

    def choose(self, arguments: Sequence[str]) -> _Choice:
        given, _ = parse_known(RUN_OPTIONS, arguments, prog=self.prog)
        config = read_config(Path(given["config"]).expanduser(), SECTIONS) if given.get("config") else None
        wanted = {**self.defaults, **(config.values if config else {}), **given}
        model = self._model(str(wanted["model"]), wanted.get("model_path"))
        reward_model = self._reward_model(wanted.get("reward_model"), model.name)
        dataset = self._dataset(wanted, explicit="dataset" in given or bool(config and "dataset" in config.values))
        method = ALIASES.get(str(wanted["method"]), str(wanted["method"]))
        options = [
            *RUN_OPTIONS,
            *setting_options(lookup(METHODS, method, "method", where="--method"), f"method {method}"),
            *setting_options(_target(model.entry), f"model {model.name}"),
            *setting_options(_target(dataset[1]), f"data set {dataset[0]}"),
        ]
        if reward_model:
            title = f"reward model {reward_model[0]}"
            options += setting_options(_target(reward_model[1]), title, prefix=REWARD_PREFIX)
        return _Choice(model, reward_model, dataset, method, config, options)

    def plan(self, arguments: Sequence[str]) -> Plan:
        choice = self.choose(arguments)
        given = parse(choice.options, arguments, prog=self.prog, elsewhere=_flags_of_methods())
        readers = {option.name: option for option in choice.options}
        from_file = _read_values(choice.config, readers) if choice.config else {}
        run_names = [option.name for option in RUN_OPTIONS if option.name not in GENERATION_SETTINGS]
        model_name, model_entry = choice.model.name, choice.model.entry
        levels = command_line, config_file = Level("command line", given), Level("config file", from_file)
        by_model = Level("model arguments", _wishes(model_entry))
        of_model = self._model_config(model_name, [*settings_of(_target(model_entry))], readers)
        all_levels = [command_line, by_model, config_file, *of_model]
        settings = resolve(run_names, [*all_levels, Level("default", self.defaults)])
        _check_run(settings)

        make_engine, engine_settings = _maker(model_entry, "model", settings, [*levels, *of_model])
        engine = replicated(make_engine, settings["replicas"].value, settings["distributed"].value)
        settings["engine"] = Resolved(choice.model.engine, choice.model.reason)
        generation = generation_levels(
            *all_levels,
            Level("model's generation_config", engine.generation_defaults()),
            *_short_context(engine.context_length),
        )
        reward_model, reward_settings = (
            _build(choice.reward_model[1], "reward_model", settings, levels, REWARD_PREFIX)
            if choice.reward_model
            else (None, {})
        )
        dataset, dataset_settings = _build(choice.dataset[1], "dataset", settings, levels)
        method_settings = method_settings_of(choice.method, all_levels)
        check_method(choice.method, engine, generation_config(generation), scored=reward_model is not None)
        votes = votes_of(choice.method, settings, generation, engine, scored=reward_model is not None)
        if needs_details(choice.method, votes):
            generation["token_details"] = turned_on(generation["token_details"])
        settings["vote"] = resolved_votes(votes, settings.get("vote"))
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

    def _model(self, name: str, path: str | None) -> _Model:
        """The model that a name, a folder, a hub id or an address means."""
        if name in self.registries.models:
            return _Model(name, self.registries.models[name], "registered")
        if name in ENGINES:
            return _Model(name, ENGINES[name], "asked for by its name")
        if name == "auto" and path is None:
            raise UserError("auto needs a path", where="--model", fix="Add --model-path: a folder, hub id or address.")
        if name != "auto" and not _is_path(name) and "/" not in name:
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

    def _model_config(self, model_name: str, own: Sequence[str], readers: Mapping[str, Option]) -> list[Level]:
        """The file that belongs to a model, where there is one; `own` are the settings of its engine."""
        path = self.registries.home / "configs" / "models" / f"{safe_name(model_name)}.yaml"
        if not path.is_file():
            return []
        known = {name: readers[name] for name in (*MODEL_MAY_SET, *own) if name in readers}
        known["n"] = Option("n", read_integer, "for the methods that have it")
        return [Level(f"config file {path.name}", _read_values(read_config(path, ("generation",)), known))]


def _short_context(context_length: int | None) -> list[Level]:
    """Half the context, for a model so short that the library's own default would leave no room for a prompt."""
    if context_length is None or context_length // 2 >= GenerationConfig().max_new_tokens:
        return []
    return [Level("half the model's context", {"max_new_tokens": context_length // 2})]


def _flags_of_methods() -> dict[str, str]:
    """Every flag that some method has, and the name of one that has it."""
    return {option.flag: name for name in reversed(METHODS) for option in setting_options(METHODS[name], "")}


def _target(entry: Entry) -> Entry:
    return entry.func if isinstance(entry, partial) else entry


def _wishes(entry: Entry) -> dict[str, Any]:
    """What a model's registry entry says that is no setting of its engine, each by its one name."""
    own = settings_of(_target(entry))
    others = {name: value for name, value in _keywords(entry).items() if name not in own}
    return {name: value for name, value in canonical(others, "model arguments").items() if name in MODEL_MAY_SET}


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
            if values.get(prefix + name, value) != value:
                raise UserError(f"{name} has two values in this file", where=config.places[name])
            values[prefix + name] = value
    return {
        name: read_value(readers[name], value, config.places.get(name.removeprefix(REWARD_PREFIX), str(config.path)))
        for name, value in values.items()
        if value is not None
    }


def _build(
    entry: Entry, option: str, settings: Mapping[str, Resolved], levels: Sequence[Level], prefix: str = ""
) -> tuple[Any, dict[str, Resolved]]:
    """Make a reward model or data set, like `_maker`."""
    make, resolved = _maker(entry, option, settings, levels, prefix)
    return make(), resolved


def _maker(
    entry: Entry, option: str, settings: Mapping[str, Resolved], levels: Sequence[Level], prefix: str = ""
) -> tuple["partial[Any]", dict[str, Resolved]]:
    """What makes an engine, reward model or data set of its registry entry.

    Args:
        entry: The class, or a `partial` of it.
        option: `model`, `reward_model` or `dataset`; `--<option>-path` replaces the entry's path.
        settings: The run's options.
        levels: Command line and config files; the registry's keywords stand behind the first.
        prefix: What the names of its settings begin with on the command line.

    Returns:
        A call without arguments that makes it, and its settings with their sources.
    """
    target, keywords = _target(entry), _keywords(entry)
    known = settings_of(target)
    command_line, *files = (
        Level(level.source, {name: level.values.get(prefix + name) for name in known}) for level in levels
    )
    defaults = Level("default", {name: setting.default for name, setting in known.items()})
    resolved = resolve(list(known), [command_line, Level("registry", keywords), *files, defaults])
    for name, each in resolved.items():
        replace(known[name], name=prefix + name).check(each.value)
    resolved |= _without_gpu(resolved)
    chosen = {name: each.value for name, each in resolved.items() if each.source != "default"}
    wishes = {name for name in keywords if SYNONYMS.get(name, name) in MODEL_MAY_SET}
    fixed = {name: value for name, value in keywords.items() if name not in {*known, *wishes}}
    positional = list(entry.args) if isinstance(entry, partial) else []
    path = settings.get(f"{option}_path")
    if path and f"{option}_path" in fixed:
        fixed[f"{option}_path"] = path.value
    elif path:
        positional[:1] = [path.value]
    flag = f"--{option.replace('_', '-')}"
    try:
        inspect.signature(target).bind(*positional, **fixed, **chosen)
    except TypeError as error:
        raise UserError(
            f"{target.__name__} cannot be made: {error}",
            where=flag,
            fix=f"Give {flag}-path, or mend the registry entry.",
        ) from error
    return partial(target, *positional, **fixed, **chosen), resolved


def _without_gpu(resolved: Mapping[str, Resolved]) -> dict[str, Resolved]:
    """The CPU and its numbers, for an engine that a file or the registry puts on a GPU that is not here."""
    device = resolved.get("device")
    if device is None or device.source == "command line" or not str(device.value).startswith("cuda"):
        return {}
    try:
        choose_device(device.value)
    except UserError as error:
        logger.warning("{}: {}; going on with the CPU", device.source, error.what)
    else:
        return {}
    cpu = {"device": "cpu", "dtype": "float32"}
    given = {name: resolved[name] for name in cpu if name in resolved and resolved[name].source != "command line"}
    return {
        name: Resolved(cpu[name], "no such GPU is here", ((each.source, each.value), *each.beaten))
        for name, each in given.items()
    }


def _check_run(settings: Mapping[str, Resolved]) -> None:
    for name in ("limit", "concurrency", "max_tokens_per_problem", "max_calls_per_problem", "max_tokens_total"):
        if name in settings and settings[name].value < 1:
            flag = f"--{name.replace('_', '-')}"
            raise UserError(f"{name} must be at least 1, got {settings[name].value}", where=flag)
    if "shard" in settings:
        Shard.read(settings["shard"].value)
    if settings["step_tokens"].value < 0:
        raise UserError(f"step_tokens must be at least 0, got {settings['step_tokens'].value}", where="--step-tokens")
    lookup(AGGREGATES, settings["aggregate"].value, "aggregate", where="--aggregate")
    if settings["grading"].value not in ("lenient", "strict"):
        raise unknown(str(settings["grading"].value), ("lenient", "strict"), "grading", where="--grading")
