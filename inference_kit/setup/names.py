"""Names: what the names of a model, a reward model, a data set and a method stand for.

Why: which settings there are follows from what was chosen, so names are looked up before settings are read.
Promises: nothing is built; a model's name is, in this order, a registered name, an engine's own name, an address, a
folder or a hub id; what is unknown gets a did-you-mean.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from inference_kit.config import Level
from inference_kit.dataset.compression import name_data
from inference_kit.dataset.simpledataset import SimpleDataset
from inference_kit.errors import UserError, named
from inference_kit.models import ENGINES
from inference_kit.models.auto import choose_engine
from inference_kit.models.base import Engine
from inference_kit.models.local.hub import is_local
from inference_kit.models.local.weights import name_weights
from inference_kit.registry import Entry, find_name, lookup, open_entry, read_settings, unknown
from inference_kit.reward_models import REWARD_MODELS
from inference_kit.reward_models.base import RewardModel
from inference_kit.search import ALIASES, METHODS
from inference_kit.setup.options import REWARD_PREFIX, Option, list_run_options, list_settings
from inference_kit.setup.registries import Registries
from inference_kit.setup.request import Request

NO_REWARD_MODEL = ("none", "no", "off", "false", "null", "~")
"""What switches a reward model off, by flag and in YAML."""


@dataclass(frozen=True, slots=True)
class Named:
    """A part by its name: its registry entry, and why this one; or, in its place, an object that is `open` already."""

    name: str
    entry: Entry
    reason: str = "registered"
    open: Any = None

    @property
    def engine(self) -> str:
        """The name of an engine's class in the registry of engines, or else that of the class itself."""
        return find_name(self.entry, ENGINES)

    def list_options(self, group: str, part: str, *, prefix: str = "") -> list[Option]:
        """List the settings of the part; none where it is open already."""
        return (
            [] if self.open else list_settings(open_entry(self.entry)[0], f"{group} {self.name}", part, prefix=prefix)
        )


@dataclass(frozen=True, slots=True)
class Selection:
    """The parts that were named; the reward model and the data set may be none."""

    model: Named
    reward_model: Named | None
    dataset: Named | None
    method: str
    options: tuple[Option, ...]
    """Every setting there is, of the run and of the parts."""


def select(request: Request, registries: Registries) -> Selection:
    """Look up the names of a request; of its levels only the options of the run are read.

    Raises:
        UserError: for an unknown name.
    """
    wanted = request.resolve_options(request.levels)
    value = {name: each.value for name, each in wanted.items()}
    model = find_model(value["model"], value.get("model_path"), registries.models, ask=request.ask)
    reward_model = _find_reward_model(value.get("reward_model"), model.name, registries.reward_models)
    dataset = _find_dataset(value, explicit=wanted["dataset"].source != "default", table=registries.datasets)
    method = ALIASES.get(str(value["method"]), str(value["method"]))
    options = [
        *list_run_options(request.options),
        *list_settings(lookup(METHODS, method, "method", where=named("method")).function, f"method {method}", "method"),
        *model.list_options("model", "model"),
        *(dataset.list_options("data set", "dataset") if dataset else ()),
        *(reward_model.list_options("reward model", "reward_model", prefix=REWARD_PREFIX) if reward_model else ()),
    ]
    return Selection(model, reward_model, dataset, method, tuple(options))


def check_names(levels: Sequence[Level], selection: Selection) -> None:
    """Refuse a setting that nothing has of what was chosen.

    Raises:
        UserError: naming what has it, or else the nearest setting.
    """
    known = {option.name for option in selection.options}
    for level in levels:
        for name in level.values:
            if name not in known:
                raise _explain_unknown(name, known, level.source, selection)


def find_model(name: str | Engine, path: str | None, table: Mapping[str, Entry], *, ask: bool = True) -> Named:
    """Return what a model's name stands for.

    Args:
        name: A name of `table`, of an engine, an address, a folder or a hub id; `auto` is what `path` is. Or an engine
            that is open already.
        path: What replaces a registered path.
        table: Registered models.
        ask: Whether a server may be asked what it is.

    Raises:
        UserError: for an unknown name.
    """
    if isinstance(name, Engine):
        return Named(find_name(type(name), ENGINES), type(name), "open already", name)
    if name in table:
        return Named(name, table[name])
    if name in ENGINES:
        return Named(name, ENGINES[name], "asked for by its name")
    if name == "auto" and path is None:
        fix = f"Add {named('model_path')}: a folder, hub id or address."
        raise UserError("auto needs a path", where=named("model"), fix=fix)
    if name != "auto" and not is_local(name) and "/" not in name:
        raise unknown(name, [*table, *ENGINES, "auto"], "model", where=named("model"))
    place = str(path) if name == "auto" else name
    choice = choose_engine(place, ask=ask)
    return Named(name_by_path(place), partial(ENGINES[choice.engine], place), choice.reason)


def name_by_path(path: str) -> str:
    """Return what a model is called by its path: the host and port of an address, else the last part of the path."""
    return urlsplit(path).netloc if "://" in path else name_weights(str(Path(path).expanduser().resolve()))


def _explain_unknown(name: str, known: Collection[str], source: str, selection: Selection) -> UserError:
    methods = [method for method, each in METHODS.items() if name in read_settings(each.function)]
    engines = [engine for engine, entry in ENGINES.items() if name in read_settings(entry)]
    if not methods and not engines:
        return unknown(name, known, "setting", where=source)
    if methods:
        fix = f"Leave it out, or choose another method: {named('method')} {methods[0]}."
        return UserError(f"{selection.method} has no setting {name}", where=source, fix=fix)
    engine = selection.model.engine
    fix = f"{engine} has {', '.join(read_settings(open_entry(selection.model.entry)[0]))}; {engines[0]} has it."
    if selection.model.open:
        fix = "Set it where the engine is made."
    return UserError(f"{engine} has no setting {name}", where=source, fix=fix)


def _find_reward_model(name: Any, model_name: str, table: Mapping[str, Entry]) -> Named | None:
    """Return the reward model that was named, or else the one that is registered as that of the model."""
    if isinstance(name, RewardModel):
        return Named(find_name(type(name), REWARD_MODELS), type(name), "open already", name)
    if name is None:
        beside = f"{model_name}_prm"
        return Named(beside, table[beside]) if beside in table else None
    if str(name).lower() in NO_REWARD_MODEL:
        return None
    entries: dict[str, Entry] = {**REWARD_MODELS, **table}
    return Named(str(name), lookup(entries, str(name), "reward model", where=named("reward_model")))


def _find_dataset(value: Mapping[str, Any], table: Mapping[str, Entry], *, explicit: bool) -> Named | None:
    """Return the data set; a path alone is a file of simple problems, and without any data set there is none."""
    path = value.get("dataset_path")
    if path and not explicit:
        name = name_data(Path(str(path)))
        return Named(name, partial(SimpleDataset, dataset_name=name, dataset_path=str(path)))
    if not table:
        return None
    name = str(value["dataset"])
    return Named(name, lookup(table, name, "data set", where=named("dataset")))
