"""The method of a run: its settings, whether what it needs is there, and the votes that follow it.

Why: a search that cannot work is refused in one line, before a token is paid for.
"""

from collections.abc import Sequence

from loguru import logger

from inference_kit.config import Level, Resolved, resolve
from inference_kit.errors import UserError, named
from inference_kit.models.base import Engine
from inference_kit.needs import check_needs, details_of, known_before
from inference_kit.records import GenerationConfig
from inference_kit.registry import read_settings
from inference_kit.search import BEST, METHODS
from inference_kit.setup.request import Request
from inference_kit.setup.run_options import RunOptions
from inference_kit.voting import ALL, FALLBACK, VOTES, check_votes, explain_lacks, find_lack


def resolve_method(method: str, levels: Sequence[Level]) -> dict[str, Resolved]:
    """Resolve the settings of a method and check each."""
    known = read_settings(METHODS[method].function)
    defaults = Level("default", {name: setting.default for name, setting in known.items()})
    resolved = resolve(list(known), [*levels, defaults])
    for name, each in resolved.items():
        known[name].check(each.value, where=each.place)
    return resolved


def check_method(method: str, engine: Engine, generation: GenerationConfig, *, scored: bool, request: Request) -> None:
    """Refuse a method whose needs are not met, before anything is generated."""
    remedy = request.without_reward_model
    check_needs(method, engine, generation, scored=scored, where=named("method"), remedy=remedy)


def choose_votes(
    method: str, options: RunOptions, engine: Engine, *, scored: bool, detailed: bool
) -> tuple[str | None, ...]:
    """Choose the votes to take: those asked for, or the one that belongs to the method.

    Args:
        method: Its name.
        options: `vote` are those asked for, `aggregate` belongs to the best vote.
        engine: Tells what votes can weigh.
        scored: Whether there is a reward model.
        detailed: Whether token details are asked for.
    """
    record = METHODS[method]
    if record.one_solution:
        return (None,)
    if options.vote is None:
        best = f"best_{options.aggregate}" if scored else "majority_vote"
        return (best if record.vote == BEST else record.vote,)
    details, known = details_of(engine), known_before(engine, scored=scored)
    if ALL in options.vote:
        known |= details if detailed else frozenset()
        lacks = {name: lack for name in VOTES if (lack := find_lack(name, known))}
        if lacks:
            logger.info("votes that are not taken: {}", explain_lacks(lacks))
        return tuple(name for name in VOTES if name not in lacks)
    if not options.vote:
        raise UserError("no vote is named", where=named("vote"), fix=f"Name one, such as {FALLBACK}, or {ALL}.")
    check_votes(options.vote, known | details)
    return tuple(dict.fromkeys(options.vote))


def turn_on(setting: Resolved) -> Resolved:
    """Return the setting at true, with what it was before."""
    if setting.value:
        return setting
    return Resolved(True, "needed by method or vote", ((setting.source, False), *setting.beaten))


def show_votes(votes: Sequence[str | None], asked: Resolved | None) -> Resolved:
    """Return the votes to take with their source; a method that writes one solution beats what was asked."""
    if asked is None:
        return Resolved(list(votes), "default")
    if list(votes) == [None]:
        return Resolved([], "the method writes one solution", ((asked.source, list(asked.value)), *asked.beaten))
    return Resolved(list(votes), asked.source, asked.beaten)
