"""The method of a run: its settings, whether what it needs is there, and the votes that follow it.

Why: a search that cannot work is refused in one line, before a token is paid for.
"""

from collections.abc import Mapping, Sequence

from inference_kit.config import Level, Resolved, resolve
from inference_kit.evaluation import check_votes
from inference_kit.models.base import Engine
from inference_kit.needs import check_needs, details_of, known_before
from inference_kit.records import GenerationConfig
from inference_kit.registry import settings_of
from inference_kit.search import BEST, METHODS
from inference_kit.voting import VOTES


def method_settings_of(method: str, levels: Sequence[Level]) -> dict[str, Resolved]:
    """The settings of a method with their sources, each checked."""
    known = settings_of(METHODS[method].function)
    defaults = Level("default", {name: setting.default for name, setting in known.items()})
    resolved = resolve(list(known), [*levels, defaults])
    for name, each in resolved.items():
        known[name].check(each.value, where=each.place)
    return resolved


def check_method(method: str, engine: Engine, generation: GenerationConfig, *, scored: bool) -> None:
    """Refuse a method whose needs are not met, before anything is generated."""
    remedy = "Add --reward-model NAME; `main.py list reward_models` shows those registered."
    check_needs(method, engine, generation, scored=scored, where="--method", remedy=remedy)


def votes_of(
    method: str,
    settings: Mapping[str, Resolved],
    generation: Mapping[str, Resolved],
    engine: Engine,
    *,
    scored: bool,
) -> tuple[str | None, ...]:
    """The votes to take: those asked for, or the one that belongs to the method."""
    if METHODS[method].one_solution:
        return (None,)
    asked = settings.get("vote")
    if asked is None:
        best = f"best_{settings['aggregate'].value}" if scored else "majority_vote"
        return (best if METHODS[method].vote == BEST else METHODS[method].vote,)
    details = details_of(engine)
    known = known_before(engine, scored=scored)
    if asked.value == ("all",):
        known |= details if generation["token_details"].value else frozenset()
        return tuple(name for name, vote in VOTES.items() if known.issuperset(vote.needs))
    check_votes(asked.value, known | details)
    return tuple(dict.fromkeys(asked.value))


def turned_on(setting: Resolved) -> Resolved:
    """The setting at true, and what it was before."""
    if setting.value:
        return setting
    return Resolved(True, "needed by method or vote", ((setting.source, False), *setting.beaten))


def resolved_votes(votes: Sequence[str | None], asked: Resolved | None) -> Resolved:
    """The votes to take with their source; a method that writes one solution beats what was asked."""
    if asked is None:
        return Resolved(list(votes), "default")
    if list(votes) == [None]:
        return Resolved([], "the method writes one solution", ((asked.source, list(asked.value)), *asked.beaten))
    return Resolved(list(votes), asked.source, asked.beaten)
