"""Choose: a request and registries in, checked parts out.

Why: what is wrong with a request should be said in its first second, and every value should know where it came from;
every face chooses here.
Promises: no weights are loaded, no data is read, no file is written.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial

from inference_kit.config import Level, Resolved, generation_config, make_safe, read_config, resolve_generation
from inference_kit.dataset.base import Dataset
from inference_kit.dataset.selection import Shard
from inference_kit.errors import UserError, named
from inference_kit.failures import MaxFailures
from inference_kit.models import ENGINES
from inference_kit.models.base import Engine
from inference_kit.models.replicas.engine import replicate_engine
from inference_kit.needs import needs_details
from inference_kit.records import GenerationConfig
from inference_kit.registry import lookup, open_entry, read_settings
from inference_kit.reward_models.base import RewardModel
from inference_kit.search import METHODS
from inference_kit.setup.build import MODEL_MAY_SET, build_part, plan_part, read_model_arguments
from inference_kit.setup.method import check_method, choose_votes, resolve_method, show_votes, turn_on
from inference_kit.setup.names import Named, Selection, check_names, name_by_path, select
from inference_kit.setup.opener import Opener
from inference_kit.setup.options import REWARD_PREFIX, Option
from inference_kit.setup.parts import Parts
from inference_kit.setup.registries import Registries
from inference_kit.setup.request import Request, insert_below_told, read_file_level
from inference_kit.setup.run_options import RunOptions, read_options
from inference_kit.setup.values import read_integer
from inference_kit.voting import AGGREGATES


def choose(request: Request, registries: Registries, opener: Opener) -> Parts:
    """Choose the parts that a request names, with every setting from the level that counts.

    Args:
        request: What is asked, by level.
        registries: What names stand for.
        opener: Opens engine and reward model; whoever brings it closes it.

    Raises:
        UserError: an unknown name, a value out of range, a method or vote without what it needs.
    """
    selection = select(request, registries)
    check_names(request.levels, selection)
    return choose_parts(selection, request, registries, opener)


def choose_parts(selection: Selection, request: Request, registries: Registries, opener: Opener) -> Parts:
    """Choose the parts of a selection, as `choose` does."""
    levels = [*request.levels, *_read_model_file(selection, registries)]
    ranked = insert_below_told(levels, read_model_arguments(selection.model.entry))
    settings = _name_open_parts(request.resolve_options(ranked), selection)
    _check_options(settings, request)
    options = read_options(request.options, settings)

    engine, engine_settings = _open_engine(selection.model, options, levels, opener)
    settings["engine"] = Resolved(selection.model.engine, selection.model.reason)
    known = engine if request.ask else engine.as_known_here()
    generation = _resolve_generation(ranked, known, request.default_level)
    able = known or Engine()  # one of which nothing is known may be able to do everything
    reward_model, reward_settings = _open_reward_model(selection.reward_model, options, levels, opener)
    dataset, data_settings = _build_dataset(selection.dataset, options, levels)
    method = resolve_method(selection.method, ranked)

    scored = reward_model is not None
    check_method(selection.method, able, generation_config(generation), scored=scored, request=request)
    votes = choose_votes(selection.method, options, able, scored=scored, detailed=generation["token_details"].value)
    if needs_details(selection.method, votes):
        generation["token_details"] = turn_on(generation["token_details"])
    settings["vote"] = show_votes(votes, settings.get("vote"))
    return Parts(
        model_name=_name_model(selection.model, registries, able, options, engine_settings),
        reward_model_name=selection.reward_model.name if selection.reward_model else "none",
        dataset_name=selection.dataset.name if selection.dataset else "",
        method_name=selection.method,
        votes=votes,
        engine=engine,
        reward_model=reward_model,
        dataset=dataset,
        method=partial(METHODS[selection.method].function, **{name: each.value for name, each in method.items()}),
        generation=generation_config(generation),
        options=options,
        settings={
            **settings,
            **generation,
            **_name_settings("method", method),
            **_name_settings("model", engine_settings),
            **_name_settings("reward_model", reward_settings),
            **_name_settings("dataset", data_settings),
        },
    )


def _name_model(
    model: Named, registries: Registries, engine: Engine, options: RunOptions, settings: Mapping[str, Resolved]
) -> str:
    """Name the model: as the user does, or the registry, or the server that serves it, or by its path.

    An engine's own name says how a model runs and not which, so it is the name only of what has no path.
    """
    told = settings["model_name"].value if "model_name" in settings else None
    if model.open or (model.name in registries.models and not told):
        return model.name
    served = name_by_path(engine.served_name) if engine.served_name.startswith("/") else engine.served_name
    path = options.model_path if model.name in ENGINES else None
    return str(served or told or (name_by_path(path) if path else model.name))


def _read_model_file(selection: Selection, registries: Registries) -> list[Level]:
    """Read the config file that belongs to the model, where there is one."""
    name = f"{make_safe(selection.model.name)}.yaml"
    path = registries.home / "configs" / "models" / name if registries.home else None
    if path is None or selection.model.open or not path.is_file():
        return []
    allowed = {*MODEL_MAY_SET, *read_settings(open_entry(selection.model.entry)[0])}
    known = {option.name: option for option in selection.options if option.name in allowed}
    known["n"] = Option("n", read_integer, "for the methods that have it")
    return [read_file_level(read_config(path, ("generation",)), known, f"config file {name}")]


def _check_options(settings: Mapping[str, Resolved], request: Request) -> None:
    """Refuse an option of the run that is out of range."""
    for name, setting in read_settings(request.options).items():
        if name in settings:
            setting.check(settings[name].value, where=settings[name].place)
    if "shard" in settings:
        Shard.read(settings["shard"].value)
    if "max_failures" in settings:
        MaxFailures.read(settings["max_failures"].value)
    lookup(
        AGGREGATES, settings["aggregate"].value, "aggregate", where=settings["aggregate"].place or named("aggregate")
    )


def _resolve_generation(levels: Sequence[Level], engine: Engine | None, default: Level) -> dict[str, Resolved]:
    """Resolve the generation settings; below all levels stand the model's own, and those of the face."""
    if engine is None:
        open_to_change = "library default, unless the model says otherwise"
        resolved = resolve_generation(*levels, default)
        return {
            name: replace(each, source=open_to_change) if each.source == "library default" else each
            for name, each in resolved.items()
        }
    own = Level("model's generation_config", engine.generation_defaults())
    longest = default.values.get("max_new_tokens", GenerationConfig().max_new_tokens)
    return resolve_generation(*levels, own, *_fit_context(engine.context_length, longest), default)


def _fit_context(context_length: int | None, max_new_tokens: int) -> list[Level]:
    """Take half the context, for a model so short that the default would leave no room for a prompt."""
    if context_length is None or context_length // 2 >= max_new_tokens:
        return []
    return [Level("half the model's context", {"max_new_tokens": context_length // 2})]


def _name_open_parts(settings: dict[str, Resolved], selection: Selection) -> dict[str, Resolved]:
    """Put the names of parts that are open already in the place of the objects."""
    found = {"model": selection.model, "reward_model": selection.reward_model}
    names = {part: replace(settings[part], value=each.name) for part, each in found.items() if each and each.open}
    return settings | names


def _open_engine(
    model: Named, options: RunOptions, levels: Sequence[Level], opener: Opener
) -> tuple[Engine, Mapping[str, Resolved]]:
    """Open the engine, with copies where these are asked for; or take the one that is open already."""
    if model.open:
        _check_open(model, options)
        return model.open, {}
    plan = plan_part(model.entry, "model", options.model_path, levels)
    copies = options.replicas, options.distributed

    def build() -> Engine:
        return build_part(lambda: replicate_engine(plan.build, *copies), "model")

    return opener.open((plan.recipe, copies), build), plan.settings


def _check_open(model: Named, options: RunOptions) -> None:
    """Refuse what only the opening of an engine could honour."""
    for name, given in (("model_path", options.model_path), ("replicas", options.replicas != 1)):
        if given:
            raise UserError(f"{model.name} is open already", where=named(name), fix="Set it where the engine is made.")


def _open_reward_model(
    reward_model: Named | None, options: RunOptions, levels: Sequence[Level], opener: Opener
) -> tuple[RewardModel | None, Mapping[str, Resolved]]:
    if reward_model is None or reward_model.open:
        return (reward_model.open if reward_model else None), {}
    path = options.reward_model_path
    plan = plan_part(reward_model.entry, "reward_model", path, levels, prefix=REWARD_PREFIX)
    return opener.open(plan.recipe, lambda: build_part(plan.build, "reward_model")), plan.settings


def _build_dataset(
    dataset: Named | None, options: RunOptions, levels: Sequence[Level]
) -> tuple[Dataset | None, Mapping[str, Resolved]]:
    if dataset is None:
        return None, {}
    plan = plan_part(dataset.entry, "dataset", options.dataset_path, levels)
    return build_part(plan.build, "dataset"), plan.settings


def _name_settings(part: str, settings: Mapping[str, Resolved]) -> dict[str, Resolved]:
    """Put the name of their part before the names of settings."""
    return {f"{part}.{name}": each for name, each in settings.items()}
