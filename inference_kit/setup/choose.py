"""Choose: a request and registries in, checked parts out.

Why: what is wrong with a request should be said in its first second, and every value should know where it came from;
every face chooses here.
Promises: no weights are loaded, no data is read, no file is written.
"""

from collections.abc import Mapping, Sequence
from functools import partial

from inference_kit.config import Level, Resolved, generation_config, generation_levels, read_config, safe_name
from inference_kit.dataset.selection import Shard
from inference_kit.errors import named
from inference_kit.models.base import Engine
from inference_kit.models.replicas.engine import replicate_engine
from inference_kit.needs import needs_details
from inference_kit.records import GenerationConfig
from inference_kit.registry import Entry, lookup, opened, settings_of
from inference_kit.search import METHODS
from inference_kit.setup.build import MODEL_MAY_SET, Plan, build_part, plan_part, read_model_arguments
from inference_kit.setup.method import check_method, choose_votes, resolve_method, show_votes, turn_on
from inference_kit.setup.names import Selection, select
from inference_kit.setup.options import REWARD_PREFIX, Option
from inference_kit.setup.parts import Parts
from inference_kit.setup.registries import Registries
from inference_kit.setup.request import Request, insert_below_told, read_file_level
from inference_kit.setup.run_options import read_options
from inference_kit.setup.values import read_integer
from inference_kit.voting import AGGREGATES


def choose(request: Request, registries: Registries) -> Parts:
    """Choose the parts that a request names, with every setting from the level that counts.

    Raises:
        UserError: an unknown name, a value out of range, a method or vote without what it needs.
    """
    return choose_parts(select(request, registries), request, registries)


def choose_parts(selection: Selection, request: Request, registries: Registries) -> Parts:
    """Choose the parts of a selection, as `choose` does."""
    levels = [*request.levels, *_read_model_file(selection, registries)]
    ranked = insert_below_told(levels, read_model_arguments(selection.model.entry))
    settings = request.resolve_options(ranked)
    _check_options(settings, request)
    options = read_options(request.options, settings)

    model = plan_part(selection.model.entry, "model", options.model_path, levels)
    engine = build_part(lambda: replicate_engine(model.build, options.replicas, options.distributed), "model")
    settings["engine"] = Resolved(selection.model.engine, selection.model.reason)
    generation = _resolve_generation(ranked, engine)
    reward = _plan(selection.reward_model, "reward_model", options.reward_model_path, levels, REWARD_PREFIX)
    reward_model = build_part(reward.build, "reward_model") if reward else None
    data = _plan(selection.dataset, "dataset", options.dataset_path, levels)
    method = resolve_method(selection.method, ranked)

    scored = reward_model is not None
    check_method(selection.method, engine, generation_config(generation), scored=scored, request=request)
    votes = choose_votes(selection.method, options, engine, scored=scored, detailed=generation["token_details"].value)
    if needs_details(selection.method, votes):
        generation["token_details"] = turn_on(generation["token_details"])
    settings["vote"] = show_votes(votes, settings.get("vote"))
    of_parts = {"method": method, "model": model.settings}
    of_parts |= {name: plan.settings for name, plan in (("reward_model", reward), ("dataset", data)) if plan}
    return Parts(
        model_name=selection.model.name,
        reward_model_name=selection.reward_model[0] if selection.reward_model else "none",
        dataset_name=selection.dataset[0] if selection.dataset else "",
        method_name=selection.method,
        votes=votes,
        engine=engine,
        reward_model=reward_model,
        dataset=build_part(data.build, "dataset") if data else None,
        method=partial(METHODS[selection.method].function, **{name: each.value for name, each in method.items()}),
        generation=generation_config(generation),
        options=options,
        settings=settings | generation | _name_settings(of_parts),
    )


def _read_model_file(selection: Selection, registries: Registries) -> list[Level]:
    """Read the config file that belongs to the model, where there is one."""
    name = f"{safe_name(selection.model.name)}.yaml"
    path = registries.home / "configs" / "models" / name if registries.home else None
    if path is None or not path.is_file():
        return []
    allowed = {*MODEL_MAY_SET, *settings_of(opened(selection.model.entry)[0])}
    known = {option.name: option for option in selection.options if option.name in allowed}
    known["n"] = Option("n", read_integer, "for the methods that have it")
    return [read_file_level(read_config(path, ("generation",)), known, f"config file {name}")]


def _check_options(settings: Mapping[str, Resolved], request: Request) -> None:
    """Refuse an option of the run that is out of range."""
    for name, setting in settings_of(request.options).items():
        if name in settings:
            setting.check(settings[name].value, where=settings[name].place)
    if "shard" in settings:
        Shard.read(settings["shard"].value)
    lookup(
        AGGREGATES, settings["aggregate"].value, "aggregate", where=settings["aggregate"].place or named("aggregate")
    )


def _resolve_generation(levels: Sequence[Level], engine: Engine) -> dict[str, Resolved]:
    """Resolve the generation settings; below all levels stand the model's own."""
    return generation_levels(
        *levels, Level("model's generation_config", engine.generation_defaults()), *_fit_context(engine.context_length)
    )


def _fit_context(context_length: int | None) -> list[Level]:
    """Take half the context, for a model so short that the library's default would leave no room for a prompt."""
    if context_length is None or context_length // 2 >= GenerationConfig().max_new_tokens:
        return []
    return [Level("half the model's context", {"max_new_tokens": context_length // 2})]


def _plan(
    chosen: tuple[str, Entry] | None, part: str, path: str | None, levels: Sequence[Level], prefix: str = ""
) -> Plan | None:
    return plan_part(chosen[1], part, path, levels, prefix=prefix) if chosen else None


def _name_settings(of_parts: Mapping[str, Mapping[str, Resolved]]) -> dict[str, Resolved]:
    """Put the settings of all parts side by side, each behind the name of its part."""
    return {f"{part}.{name}": each for part, settings in of_parts.items() for name, each in settings.items()}
