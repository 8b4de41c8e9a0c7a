"""Settings: what a decoder is told in its dict of hyperparameters, checked, and sorted by who needs it.

Why: one flat dict is convenient to write; a misspelt name in it must not pass for a default.
Promises: nothing is loaded and nobody is asked; an unknown name gets a did-you-mean; a known one that belongs to
another method is said to have no effect. None is the same as not given.
"""

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any, Literal, get_args, get_origin, get_type_hints

from loguru import logger

from inference_kit.config import GENERATION_SETTINGS, Level, canonical, generation_levels
from inference_kit.context import Rules
from inference_kit.errors import UserError
from inference_kit.models import ENGINES
from inference_kit.records import AnswerKind
from inference_kit.registry import Setting, lookup, settings_of, unknown
from inference_kit.reward_models.base import RewardModel
from inference_kit.search import METHODS
from inference_kit.templates import load_prompt, read_prompt_templates
from inference_kit.voting import AGGREGATES, VOTES

WHERE = "hyperparameters"


class BadArgument(UserError, ValueError):
    """A hyperparameter or an argument that cannot be what it is."""


@dataclass(frozen=True, slots=True)
class Options:
    """What concerns the decoder itself.

    `model` is the name on a server, `api_base` its address; `vote` chooses among candidates instead of their scores;
    `answer_kind` says how answers are told equal; `cache_dir` keeps what was generated. The last five are as in
    `main.py run`.
    """

    backend: str = "auto"
    model: str | None = None
    api_base: str | None = None
    api_key: str | None = field(default=None, repr=False)
    use_chat_template: bool = True
    reward_model: str | RewardModel | None = None
    reward_model_path: str | None = None
    vote: str | None = None
    answer_kind: AnswerKind = "text"
    cache_dir: str | Path | None = None
    seed: int = 0
    aggregate: str = "last"
    step_tokens: int = 0
    max_tokens_per_problem: int | None = None
    max_calls_per_problem: int | None = None

    def __post_init__(self) -> None:
        for name, setting in _options().items():
            _check(setting, getattr(self, name))
        lookup({"auto": None, **ENGINES}, self.backend, "backend", where=WHERE)
        lookup(AGGREGATES, self.aggregate, "aggregate", where=WHERE)
        if self.vote is not None:
            lookup(VOTES, self.vote, "vote", where=WHERE)

    @property
    def rules(self) -> Rules:
        """What holds for every input, whatever the method."""
        return Rules(
            self.seed, self.aggregate, self.step_tokens, self.max_tokens_per_problem, self.max_calls_per_problem
        )


@dataclass(frozen=True, slots=True)
class Told:
    """A decoder's dict, sorted: its own options, generation settings, and the settings of method and engine."""

    options: Options
    generation: Mapping[str, Any]
    method: Mapping[str, Any]
    engine: Mapping[str, Any]


def read_hyperparameters(given: Mapping[str, Any] | None, method: str, defaults: Mapping[str, Any]) -> Told:
    """Check and sort a decoder's dict; `defaults` are those of the decoder.

    Raises:
        BadArgument: naming the hyperparameter.
    """
    if given is not None and not (isinstance(given, Mapping) and all(isinstance(name, str) for name in given)):
        raise BadArgument("must be a dict of names and values", where=WHERE)
    try:
        return _sorted({**defaults, **_given(canonical(dict(given or {}), WHERE))}, method)
    except BadArgument:
        raise
    except UserError as error:
        raise BadArgument(error.what, where=WHERE, fix=error.fix) from error


def _given(values: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in values.items() if value is not None}


def _sorted(values: dict[str, Any], method: str) -> Told:
    of_method, of_engines = settings_of(METHODS[method].function), _settings_of_all(ENGINES.values())
    generation_names = {*GENERATION_SETTINGS, "do_sample"}
    elsewhere = _settings_of_all([each.function for each in METHODS.values()])
    known = {*_options(), *generation_names, "max_tokens", *of_method, *of_engines, *elsewhere}
    for name in values:
        if name not in known:
            raise unknown(name, known, "hyperparameter", where=WHERE)
    told = Told(
        Options(**_taken(values, _options())),
        _for_method(_taken(values, generation_names), method),
        {name: _own_text(name, value) for name, value in _taken(values, of_method).items()},
        _taken(values, of_engines),
    )
    for settings, chosen in ((of_method, told.method), (of_engines, told.engine)):
        for name, value in chosen.items():
            _check(settings[name], value)
    for name in values:
        logger.warning("{} has no effect on {}", name, method)
    return told


def _for_method(generation: dict[str, Any], method: str) -> dict[str, Any]:
    """The generation settings, checked; greedy is at temperature 0 whatever is asked."""
    generation_levels(Level(WHERE, generation))
    if method != "greedy":
        return generation
    if generation.get("temperature") or generation.get("do_sample"):
        logger.warning("greedy decoding is at temperature 0, whatever temperature is given")
    return {name: value for name, value in generation.items() if name != "do_sample"} | {"temperature": 0.0}


def _taken(values: dict[str, Any], names: Collection[str]) -> dict[str, Any]:
    """Those of `values` that are named, which leave it."""
    return {name: values.pop(name) for name in list(values) if name in names}


def _settings_of_all(entries: Collection[Callable[..., Any]]) -> dict[str, Setting]:
    return {name: setting for entry in entries for name, setting in settings_of(entry).items()}


def _own_text(name: str, value: Any) -> Any:
    """A template's text, with a line break, which tells it from a template's name, where it has no placeholder."""
    if not name.endswith("_template") or not isinstance(value, str) or "{" in value:
        return value
    is_file = len(value) < 256 and Path(value).expanduser().is_file()
    return f"{load_prompt(value) if is_file or value in read_prompt_templates() else value}\n"


def _options() -> dict[str, Setting]:
    """The decoder's own options, described like the settings of a method."""
    hints = get_type_hints(Options)
    return {
        each.name: Setting(
            each.name, hints[each.name], each.default, help="", least=0 if each.name in ("seed", "step_tokens") else 1
        )
        for each in fields(Options)
    }


def _check(setting: Setting, value: Any) -> None:
    """Refuse a value of another type or outside its range."""
    optional = get_args(setting.type) if type(None) in get_args(setting.type) else (setting.type,)
    kinds = tuple(get_origin(kind) or kind for kind in optional)
    if Literal not in kinds and not any(_is_of(value, kind) for kind in kinds):
        wanted = " or ".join(kind.__name__ for kind in kinds if kind is not type(None))
        raise BadArgument(f"{setting.name} must be {wanted}, got {value!r}", where=WHERE)
    setting.check(value)


def _is_of(value: Any, kind: type) -> bool:
    if isinstance(value, bool):
        return kind is bool
    accepted: dict[type, tuple[type, ...]] = {float: (int, float), tuple: (tuple, list)}
    return isinstance(value, accepted.get(kind, (kind,)))
