"""The method of a run: its settings, whether what it needs is there, and the votes that follow it.

Why: a search that cannot work is refused in one line, before a token is paid for.
"""

from collections.abc import Mapping, Sequence

from inference_kit.config import Level, Resolved, resolve
from inference_kit.errors import UserError
from inference_kit.evaluation import check_votes
from inference_kit.models.base import Engine
from inference_kit.records import GenerationConfig
from inference_kit.registry import settings_of
from inference_kit.search import METHODS, NEEDS, ONE_SOLUTION, OWN_VOTE, Needs
from inference_kit.voting import VOTES, Need

DETAILS: frozenset[Need] = frozenset({"self_certainty", "tail_confidence", "answer_margin"})
"""What votes weigh that is only there where token details were asked for."""


def method_settings_of(method: str, levels: Sequence[Level]) -> dict[str, Resolved]:
    """The settings of a method with their sources, each checked."""
    known = settings_of(METHODS[method])
    defaults = Level("default", {name: setting.default for name, setting in known.items()})
    resolved = resolve(list(known), [*levels, defaults])
    for name, each in resolved.items():
        known[name].check(each.value)
    return resolved


def check_method(method: str, engine: Engine, generation: GenerationConfig, *, scored: bool) -> None:
    """Refuse a method whose needs are not met, before anything is generated."""
    needs = NEEDS.get(method, Needs())
    if needs.reward_model and not scored:
        raise UserError(
            f"{method} follows step scores, and there is no reward model",
            where="--method",
            fix="Add --reward-model NAME; `main.py list reward_models` shows those registered.",
        )
    if needs.prefix and not engine.capabilities.prefix:
        raise UserError(
            f"{method} writes step by step, and engine {type(engine).__name__} cannot go on with a partial answer",
            where="--method",
            fix="Use best_of_n or self_consistency, or another engine.",
        )
    if needs.branching and engine.capabilities.refused_settings & {"branch_first", "token_details"}:
        raise UserError(
            f"{method} begins with each of the likeliest tokens, which engine {type(engine).__name__} does not tell",
            where="--method",
            fix="Use best_of_n or self_consistency, or another engine.",
        )
    if needs.goes_on:
        engine.check_going_on(generation, method)


def votes_of(
    method: str,
    settings: Mapping[str, Resolved],
    generation: Mapping[str, Resolved],
    engine: Engine,
    *,
    scored: bool,
) -> tuple[str | None, ...]:
    """The votes to take: those asked for, or the one that belongs to the method."""
    if method in ONE_SOLUTION:
        return (None,)
    asked = settings.get("vote")
    if asked is None:
        best = f"best_{settings['aggregate'].value}"
        return (OWN_VOTE.get(method, best if scored else "majority_vote"),)
    can_detail = "token_details" not in engine.capabilities.refused_settings
    known: set[Need] = {"step_scores"} if scored else set()
    known |= {"logprob"} if engine.capabilities.logprobs else set()
    if asked.value == ("all",):
        known |= DETAILS if generation["token_details"].value else set()
        return tuple(name for name, vote in VOTES.items() if known.issuperset(vote.needs))
    check_votes(asked.value, known | (DETAILS if can_detail else set()))
    return tuple(dict.fromkeys(asked.value))


def needs_details(method: str, votes: Sequence[str | None]) -> bool:
    """Whether the method or one of the votes weighs how sure the model was of each token."""
    return NEEDS.get(method, Needs()).branching or any(
        DETAILS.intersection(VOTES[vote].needs) for vote in votes if vote
    )


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
