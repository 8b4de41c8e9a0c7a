"""Survey: a first pass over the data, which says what a run has before it.

Why: an empty selection, or a missing gold answer where accuracy is asked for, should be said before a token is paid.
"""

import difflib
from collections.abc import Iterator
from dataclasses import dataclass, replace

from loguru import logger

from inference_kit.dataset.selection import Selection
from inference_kit.errors import UserError, named
from inference_kit.experiment.files import read_shard
from inference_kit.records import Index, Message, Problem
from inference_kit.setup.parts import Parts


@dataclass(frozen=True, slots=True)
class Survey:
    """Which problems are wanted, in order, the first of them, and whether any has a gold answer."""

    indices: tuple[Index, ...]
    first: Problem
    graded: bool


def survey_problems(parts: Parts) -> Survey:
    """Read all problems of a run once.

    Raises:
        UserError: where there are none, or accuracy is asked for and no problem has a gold answer.
    """
    assert parts.dataset, "a run has a data set"
    indices: list[Index] = []
    first: Problem | None = None
    without_gold: Index | None = None
    with_gold = 0
    for problem in select_problems(parts):
        first = first or problem
        indices.append(problem.index)
        with_gold += problem.answer is not None
        if problem.answer is None and without_gold is None:
            without_gold = problem.index
    if first is None:
        raise _explain_empty(parts)
    if without_gold is not None and parts.options.evaluate is not False:
        if not with_gold:
            _check_answer_field(parts, first)
        _say_what_is_not_graded(parts, len(indices) - with_gold, len(indices), without_gold)
    return Survey(tuple(indices), first, graded=with_gold > 0)


def select_problems(parts: Parts) -> Iterator[Problem]:
    """Yield the problems of a run in the order of the data, each behind the system message where there is one."""
    assert parts.dataset, "a run has a data set"
    options = parts.options
    selection = Selection(options.limit, options.index, options.shuffle_seed, read_shard(parts))
    for problem in selection.select(parts.dataset.problems()):
        system = (Message("system", options.system),) if options.system else ()
        yield replace(problem, messages=(*system, *problem.messages)) if system else problem


def _check_answer_field(parts: Parts, first: Problem) -> None:
    """Refuse the name of a field of answers that no problem has."""
    setting = parts.settings.get("dataset.answer_field")
    if setting is not None and setting.value:
        there = ", ".join(first.metadata) or "none"
        near = difflib.get_close_matches(setting.value, first.metadata, n=1)
        hint = f"Did you mean {near[0]!r}? " if near else ""
        assert parts.dataset, "a run has a data set"
        raise UserError(
            f"no problem has a field {setting.value!r} with an answer",
            where=parts.dataset.location,
            fix=f"{hint}Besides the input, yours has {there}; name one ({named('answer_field')}).",
        )


def _say_what_is_not_graded(parts: Parts, missing: int, total: int, first: Index) -> None:
    """Say how many problems have no gold answer, or refuse where accuracy is asked for and none has one."""
    assert parts.dataset, "a run has a data set"
    if missing < total:
        logger.warning(
            "{} of {} problems have no gold answer, the first is {!r}: they are generated and not graded",
            missing,
            total,
            first,
        )
    elif parts.options.evaluate:
        raise UserError(
            f"problem {first!r} has no gold answer, nor has any other, so there is no accuracy",
            where=parts.dataset.location,
            fix=f"Add answers, name their field ({named('answer_field')}), or use --no-evaluate to generate only.",
        )
    else:
        logger.warning("{} has no gold answers: there will be no accuracy", parts.dataset_name)


def _explain_empty(parts: Parts) -> UserError:
    if shard := read_shard(parts):
        return UserError(f"shard {shard} has no problem", where=named("shard"), fix="Choose fewer shards.")
    fix = f"Check {named('dataset_path')} and {named('split')}."
    return UserError("the data set holds no problem", where=parts.dataset_name, fix=fix)
