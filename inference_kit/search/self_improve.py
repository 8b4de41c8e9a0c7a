"""Self-improvement: a draft, then rounds in which the model criticises its solution and writes it anew.

Why: what a model can see in its own work; without outside feedback it often harms, so look at both columns.
Source: Madaan et al. 2023, "Self-Refine", arXiv:2303.17651; Huang et al. 2023, arXiv:2310.01798, on when it harms.
"""

import re

from inference_kit.context import Context
from inference_kit.records import Node
from inference_kit.search.tools import OrZero, prompt_of

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

    Args:
        max_iterations: Rounds of critique and improvement at the most; 0 is the draft alone.
        improvement_threshold: A gain below this ends it; scores are the reward model's, else the critique's rating.
        critique_template: Asks for the critique: a text with {input} and {response}, or a template's name or path.
        improve_template: Asks for the next version: may also hold {critique}.
    """
    versions = await context.complete([context.root], 1)
    scores: list[float | None] = [await _scored(context, versions[0])]
    for iteration in range(max_iterations):
        response = versions[-1].whole_text
        values = {"input": context.problem.question, "response": response}
        [critique] = await context.complete(
            [context.follow_up(versions[-1], prompt_of(critique_template, **values))], 1
        )
        if context.reward_model is None:
            scores[-1] = _rating(critique.whole_text)
        if iteration and _gain(scores) < improvement_threshold:
            break
        values["critique"] = critique.whole_text
        versions += await context.complete([context.follow_up(critique, prompt_of(improve_template, **values))], 1)
        context.keep(versions[-1:])
        scores.append(await _scored(context, versions[-1]))
    for version, score in zip(versions, scores, strict=True):
        context.note(version, score=score or 0.0)
    order = sorted(range(len(versions)), key=lambda place: -(scores[place] or 0.0))
    return [versions[place] for place in order]


async def _scored(context: Context, version: Node) -> float | None:
    return (await context.score([version]))[0] if context.reward_model is not None else None


def _rating(critique: str) -> float | None:
    """The last rating out of 10 that the critique gives, in [0, 1]; None where it gives none."""
    found = RATING.findall(critique)
    return min(1.0, float(found[-1]) / 10) if found else None


def _gain(scores: list[float | None]) -> float:
    """What the newest version gained; without two scores nothing speaks against going on."""
    before, now = scores[-2:]
    return float("inf") if before is None or now is None else now - before
