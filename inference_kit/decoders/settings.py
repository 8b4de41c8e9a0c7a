"""Settings: what a decoder is told in its dict of hyperparameters, checked before anything is opened.

Why: one flat dict is convenient to write; a misspelt name in it must not pass for a default.
Promises: nothing is loaded and nobody is asked; an unknown name gets a did-you-mean; a known one that belongs to
another method is said to have no effect. None is the same as not given.
"""

from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any, get_type_hints

from loguru import logger

from inference_kit.config import GENERATION_SETTINGS, Level, resolve_generation, spell_names
from inference_kit.errors import UserError
from inference_kit.models import ENGINES
from inference_kit.records import AnswerKind
from inference_kit.registry import Setting, lookup, read_settings, unknown
from inference_kit.reward_models.base import RewardModel
from inference_kit.search import METHODS
from inference_kit.setup.run_options import RunOptions
from inference_kit.setup.values import check_type
from inference_kit.templates import load_prompt, read_prompt_templates
from inference_kit.voting import AGGREGATES, VOTES

WHERE = "hyperparameters"
SPELLED = {"model": "backend", "model_path": "model_name_or_path", "api_model": "model"}
"""What a decoder calls a setting otherwise than a run does."""
OF_A_RUN = ("seed", "aggregate", "step_tokens", "max_tokens_per_problem", "max_calls_per_problem", "reward_model_path")
"""Options of a run that mean the same here."""


def spell_hyperparameter(name: str) -> str:
    """Spell a setting as a decoder is told it."""
    return SPELLED.get(name, name)


class BadArgument(UserError, ValueError):
    """A hyperparameter or an argument that cannot be what it is."""

    spell = staticmethod(spell_hyperparameter)


@contextmanager
def speak_of_hyperparameters() -> Iterator[None]:
    """Have errors that pass name settings as a decoder is told them."""
    try:
        yield
    except UserError as error:
        error.spell = spell_hyperparameter
        raise


@dataclass(frozen=True, slots=True)
class Options:
    """What concerns the decoder itself.

    `model` is the name on a server, `api_base` its address; `vote` chooses among candidates instead of their scores;
    `answer_kind` says how answers are told equal; `cache_dir` keeps what was generated.
    """

    backend: str = "auto"
    model: str | None = None
    api_base: str | None = None
    api_key: str | None = field(default=None, repr=False)
    use_chat_template: bool = True
    reward_model: str | RewardModel | None = None
    vote: str | None = None
    answer_kind: AnswerKind = "text"
    cache_dir: str | Path | None = None

    def __post_init__(self) -> None:
        for name, setting in _list_own_options().items():
            _check(setting, getattr(self, name))
        lookup({"auto": None, **ENGINES}, self.backend, "backend", where=WHERE)
        if self.vote is not None:
            lookup(VOTES, self.vote, "vote", where=WHERE)


@dataclass(frozen=True, slots=True)
class Told:
    """A decoder's dict: its own options, and settings by the names that a run has for them."""

    options: Options
    settings: Mapping[str, Any]


def read_hyperparameters(given: Mapping[str, Any] | None, method: str, defaults: Mapping[str, Any]) -> Told:
    """Check a decoder's dict; `defaults` are those of the decoder.

    Raises:
        BadArgument: naming the hyperparameter.
    """
    if given is not None and not (isinstance(given, Mapping) and all(isinstance(name, str) for name in given)):
        raise BadArgument("must be a dict of names and values", where=WHERE)
    try:
        told = {name: value for name, value in spell_names(dict(given or {}), WHERE).items() if value is not None}
        return _read({**defaults, **told}, method)
    except BadArgument:
        raise
    except UserError as error:
        raise BadArgument(error.what, where=WHERE, fix=error.fix) from error


def _read(values: Mapping[str, Any], method: str) -> Told:
    run = read_settings(RunOptions)
    of_method = read_settings(METHODS[method].function)
    typed = _read_all_settings(ENGINES.values()) | of_method | {name: run[name] for name in OF_A_RUN}
    generation = {name: value for name, value in values.items() if name in (*GENERATION_SETTINGS, "do_sample")}
    resolve_generation(Level(WHERE, generation))
    settings: dict[str, Any] = {}
    for name in (name for name in values if name not in _list_own_options()):
        if name in generation:
            settings[name] = values[name]
        elif name in typed:
            _check(typed[name], values[name])
            value = tuple(values[name]) if isinstance(values[name], list) else values[name]
            settings[name] = _resolve_template(name, value) if name in of_method else value
        else:
            _tell_no_effect(
                name, method, {*_list_own_options(), *GENERATION_SETTINGS, "do_sample", "max_tokens", *typed}
            )
    if "aggregate" in settings:
        lookup(AGGREGATES, settings["aggregate"], "aggregate", where=WHERE)
    options = Options(**{name: value for name, value in values.items() if name in _list_own_options()})
    return Told(options, _set_temperature_0(settings) if method == "greedy" else settings)


def _tell_no_effect(name: str, method: str, known: Collection[str]) -> None:
    """Say that the setting of another method changes nothing; refuse a name that is none of anything."""
    elsewhere = _read_all_settings([each.function for each in METHODS.values()])
    if name not in elsewhere:
        raise unknown(name, {*known, *elsewhere}, "hyperparameter", where=WHERE)
    logger.warning("{} has no effect on {}", name, method)


def _set_temperature_0(settings: dict[str, Any]) -> dict[str, Any]:
    """Return the settings of a greedy decoder, whatever temperature is asked."""
    if settings.get("temperature") or settings.get("do_sample"):
        logger.warning("greedy decoding is at temperature 0, whatever temperature is given")
    return {name: value for name, value in settings.items() if name != "do_sample"} | {"temperature": 0.0}


def _read_all_settings(owners: Collection[Any]) -> dict[str, Setting]:
    return {name: setting for owner in owners for name, setting in read_settings(owner).items()}


def _resolve_template(name: str, value: Any) -> Any:
    """Return a template's text; without placeholders it gets a line break, which tells it from a template's name."""
    if not name.endswith("_template") or not isinstance(value, str) or "{" in value:
        return value
    is_file = len(value) < 256 and Path(value).expanduser().is_file()
    return f"{load_prompt(value) if is_file or value in read_prompt_templates() else value}\n"


def _list_own_options() -> dict[str, Setting]:
    """List the decoder's own options, described like the settings of a method."""
    hints = get_type_hints(Options)
    return {each.name: Setting(each.name, hints[each.name], each.default, help="") for each in fields(Options)}


def _check(setting: Setting, value: Any) -> None:
    """Refuse a value of another type or outside its range."""
    check_type(setting, value)
    setting.check(value, where=WHERE)
