"""Needs: whether engine and reward model can do what a method or a vote asks of them.

Why: a search that cannot work, or a vote that would find nothing to weigh, is refused in one line before a token is
paid for, in a run and in the library alike.
"""

from collections.abc import Iterable

from inference_kit.errors import UserError
from inference_kit.models.base import Engine
from inference_kit.records import GenerationConfig
from inference_kit.search import METHODS
from inference_kit.voting import VOTES, Need

DETAILS: frozenset[Need] = frozenset({"self_certainty", "tail_confidence", "answer_margin"})
"""What votes weigh that is only there where token details were asked for."""


def check_needs(
    method: str, engine: Engine, config: GenerationConfig, *, scored: bool, where: str, remedy: str
) -> None:
    """Refuse a method where something it needs is not there.

    Args:
        method: Its name.
        engine: What is to write.
        config: How it is to write.
        scored: Whether there is a reward model.
        where: What the method was chosen by.
        remedy: How a reward model is named there.

    Raises:
        UserError: naming what is missing.
    """
    needs = METHODS[method].needs
    if needs.reward_model and not scored:
        raise UserError(f"{method} follows step scores, and there is no reward model", where=where, fix=remedy)
    name, other = type(engine).__name__, "Use best_of_n or self_consistency, or another engine."
    if needs.prefix and not engine.capabilities.prefix:
        raise UserError(
            f"{method} writes step by step, and engine {name} cannot go on with a partial answer",
            where=where,
            fix=other,
        )
    if needs.branching and engine.capabilities.refused_settings & {"branch_first", "token_details"}:
        raise UserError(
            f"{method} begins with each of the likeliest tokens, which engine {name} does not tell",
            where=where,
            fix=other,
        )
    if needs.goes_on:
        engine.check_continuation(config, method)


def known_before(engine: Engine, *, scored: bool) -> frozenset[Need]:
    """What votes can weigh of any run on an engine, with a reward model or without."""
    there: dict[Need, bool] = {"step_scores": scored, "logprob": engine.capabilities.logprobs}
    return frozenset(need for need, known in there.items() if known)


def details_of(engine: Engine) -> frozenset[Need]:
    """What votes can weigh once token details are asked of an engine."""
    if "token_details" in engine.capabilities.refused_settings:
        return frozenset()
    return DETAILS if engine.capabilities.certainty else DETAILS - {"self_certainty"}


def needs_details(method: str, votes: Iterable[str | None]) -> bool:
    """Whether the method or one of the votes weighs how sure the model was of each token."""
    return METHODS[method].needs.branching or any(DETAILS.intersection(VOTES[vote].needs) for vote in votes if vote)
