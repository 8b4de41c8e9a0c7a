"""Self-improvement: a draft, then rounds in which the model criticises its solution and rewrites it.

Why: it measures what a model can see in its own work. Without outside feedback it often harms.
Source: Madaan et al. 2023, "Self-Refine", arXiv:2303.17651; Huang et al. 2023, arXiv:2310.01798, on when it harms.
"""

import re
from contextlib import suppress
from math import inf

from inference_kit.context import Context
from inference_kit.errors import BudgetSpent
from inference_kit.records import Node
from inference_kit.search.tools import OrZero, resolve_template
from inference_kit.templates import fill

RATING = re.compile(r"(\d{1,3}(?:\.\d{1,4})?)[ \t]{0,3}/[ \t]{0,3}10\b")


async def self_improve(
    context: Context,
    *,
    max_iterations: OrZero = 3,
    improvement_threshold: float = 0.05,
    critique_template: str = "critique",
    improve_template: str = "improve",
) -> list[Node]:
    """Improve a draft while its score gains enough; all versions are candidates, the best first.

    Scores are the reward model's, else the critique's rating. A last version that has no score counts as the best.

    Args:
        max_iterations: Rounds of critique and improvement at the most; 0 is the draft alone.
        improvement_threshold: A gain below this ends the rounds.
        critique_template: Asks for the critique: a text with {input} and {response}, or a template's name or path.
        improve_template: Asks for the next version: may also hold {critique}.
    """
    ask_critique = resolve_template(critique_template, "critique_template")
    ask_better = resolve_template(improve_template, "improve_template")
    versions = await context.complete([context.root], 1)
    scores: list[float | None] = [await _score(context, versions[0])]
    with suppress(BudgetSpent):  # the versions so far stay
        while len(versions) <= max_iterations and _newest_gain(scores) >= improvement_threshold:
            values = {"input": context.problem.question, "response": versions[-1].whole_text}
            [critique] = await context.complete([context.follow_up(versions[-1], fill(ask_critique, values))], 1)
            if scores[-1] is None:
                scores[-1] = _parse_rating(critique.whole_text)
            if _newest_gain(scores) < improvement_threshold:
                break
            values["critique"] = critique.whole_text
            versions += await context.complete([context.follow_up(critique, fill(ask_better, values))], 1)
            context.keep(versions[-1:])
            scores.append(await _score(context, versions[-1]))
    for version, score in zip(versions, scores, strict=True):
        context.note(version, **({} if score is None else {"score": score}))
    ranks = [score or 0.0 for score in scores[:-1]] + [inf if scores[-1] is None else scores[-1]]
    return [versions[position] for position in sorted(range(len(versions)), key=lambda position: -ranks[position])]


async def _score(context: Context, version: Node) -> float | None:
    """Score one version; None without a reward model."""
    return (await context.score([version]))[0] if context.has_scores else None


def _parse_rating(critique: str) -> float | None:
    """Return the last rating out of 10 in a critique, scaled to [0, 1]; None where it gives none."""
    found = RATING.findall(critique)
    return min(1.0, float(found[-1]) / 10) if found else None


def _newest_gain(scores: list[float | None]) -> float:
    """Return by how much the newest score exceeds the one before; infinity where either is unknown."""
    before, now = [None, *scores][-2:]
    return inf if before is None or now is None else now - before
