"""Universal self-consistency: the model itself names the response that agrees best with the others.

Why: a majority vote needs answers that can be compared; this works for free text too.
Source: Chen et al. 2023, "Universal self-consistency for large language model generation", arXiv:2311.17311.
"""

import re

from inference_kit.context import Context
from inference_kit.records import Node
from inference_kit.search.tools import resolve_template
from inference_kit.templates import fill

CHOSEN = re.compile(r"response\s{1,3}#?(\d{1,4})", re.IGNORECASE)


async def universal_self_consistency(
    context: Context, *, n: int = 8, consistency_template: str = "most_consistent"
) -> list[Node]:
    """Write `n` solutions and ask the model once which is the most consistent; that one is first.

    Args:
        n: Solutions, shown in an order drawn by the seed.
        consistency_template: Asks which: a text with {n}, {question} and {responses}, or a template's name or path.
    """
    template = resolve_template(consistency_template, "consistency_template")
    solutions = await context.complete([context.root], n)
    shown = list(range(n))
    context.rng.shuffle(shown)
    responses = "\n\n".join(
        f"Response {number}: {solutions[position].text}" for number, position in enumerate(shown, 1)
    )
    values = {"n": str(n), "question": context.problem.question, "responses": responses}
    [reply] = await context.complete([context.ask(fill(template, values))], 1, temperature=0.0)
    await context.score_if_possible(solutions)
    first = _parse_choice(reply.text, shown)
    return [solutions[first], *solutions[:first], *solutions[first + 1 :]]


def _parse_choice(reply: str, shown: list[int]) -> int:
    """Return the position of the solution that the reply names last; 0 where it names none.

    Args:
        reply: Of the model, such as "the most consistent is Response 3".
        shown: Position of the solution that was shown as Response 1, 2, ...
    """
    numbers = [int(number) for number in CHOSEN.findall(reply)]
    positions = [shown[number - 1] for number in numbers if 1 <= number <= len(shown)]
    return positions[-1] if positions else 0
