"""Self-improvement: a draft, then rounds in which the model criticises its solution and writes it anew.

Why: what a model can see in its own work; without outside feedback it often harms, so look at both columns.
Source: Madaan et al. 2023, "Self-Refine", arXiv:2303.17651; Huang et al. 2023, arXiv:2310.01798, on when it harms.
"""

import re
from contextlib import suppress
from math import inf

from inference_kit.context import Context
from inference_kit.errors import BudgetSpent
from inference_kit.records import Node
from inference_kit.search.tools import OrZero, prompt_text
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

    Scores are the reward model's, else the critique's rating; a last version that nobody rated counts as the best.

    Args:
        max_iterations: Rounds of critique and improvement at the most; 0 is the draft alone.
        improvement_threshold: A gain below this ends it.
        critique_template: Asks for the critique: a text with {input} and {response}, or a template's name or path.
        improve_template: Asks for the next version: may also hold {critique}.
    """
    ask_critique = prompt_text(critique_template, "--critique-template")
    ask_better = prompt_text(improve_template, "--improve-template")
    versions = await context.complete([context.root], 1)
    scores: list[float | None] = [await _scored(context, versions[0])]
    with suppress(BudgetSpent):  # the versions of before stay
        while len(versions) <= max_iterations and _gain(scores) >= improvement_threshold:
            values = {"input": context.problem.question, "response": versions[-1].whole_text}
            [critique] = await context.complete([context.follow_up(versions[-1], fill(ask_critique, values))], 1)
            if scores[-1] is None:
                scores[-1] = _rating(critique.whole_text)
            if _gain(scores) < improvement_threshold:
                break
            values["critique"] = critique.whole_text
            versions += await context.complete([context.follow_up(critique, fill(ask_better, values))], 1)
            context.keep(versions[-1:])
            scores.append(await _scored(context, versions[-1]))
    for version, score in zip(versions, scores, strict=True):
        context.note(version, **({} if score is None else {"score": score}))
    worth = [score or 0.0 for score in scores[:-1]] + [inf if scores[-1] is None else scores[-1]]
    return [versions[place] for place in sorted(range(len(versions)), key=lambda place: -worth[place])]


async def _scored(context: Context, version: Node) -> float | None:
    return (await context.score([version]))[0] if context.reward_model is not None else None


def _rating(critique: str) -> float | None:
    """The last rating out of 10 that the critique gives, in [0, 1]; None where it gives none."""
    found = RATING.findall(critique)
    return min(1.0, float(found[-1]) / 10) if found else None


def _gain(scores: list[float | None]) -> float:
    """What the newest version gained; without two scores nothing speaks against going on."""
    before, now = [None, *scores][-2:]
    return inf if before is None or now is None else now - before
