"""Tournament: the model compares solutions in pairs, and the winners are compared again, until one is left.

Why: which of two is better is easier to say than how good one is, and no reward model is needed.
Source: knockout Chen et al. 2024, arXiv:2411.19477; both orders of a pair Zheng et al. 2023, arXiv:2306.05685.
"""

import re

from inference_kit.context import Context
from inference_kit.errors import BudgetSpent
from inference_kit.records import Node
from inference_kit.search.tools import resolve_template
from inference_kit.templates import fill

VERDICT = re.compile(r"\b([AB])\b")


async def tournament(
    context: Context, *, n: int = 8, comparisons: int = 1, judge_template: str = "compare_pair"
) -> list[Node]:
    """Write `n` solutions and let the model judge them in a knockout; the winner is first, then who lost last.

    Args:
        n: Solutions, paired by the seed.
        comparisons: Verdicts on each order of a pair; one is greedy, more are sampled.
        judge_template: Asks for a verdict: a text with {question}, {a} and {b}, or a template's name or path.
    """
    template = resolve_template(judge_template, "judge_template")
    solutions = await context.complete([context.root], n)
    await context.score_if_possible(solutions)
    standing, beaten = list(solutions), list[Node]()
    context.rng.shuffle(standing)
    while len(standing) > 1:
        pairs = list(zip(standing[::2], standing[1::2], strict=False))
        try:
            first_wins = await _judge_pairs(context, pairs, comparisons, template)
        except BudgetSpent:
            break
        bye = standing[2 * len(pairs) :]  # it is first in the next round, so that nobody is left out twice
        standing = bye + [pair[0] if first else pair[1] for pair, first in zip(pairs, first_wins, strict=True)]
        beaten = [pair[1] if first else pair[0] for pair, first in zip(pairs, first_wins, strict=True)] + beaten
    return standing + beaten


async def _judge_pairs(context: Context, pairs: list[tuple[Node, Node]], comparisons: int, template: str) -> list[bool]:
    """Return whether the first of each pair wins.

    Each pair is shown in both orders, `comparisons` times each, because models prefer a position. The solution with
    more verdicts wins; a tie goes to the first.
    """
    asked = [
        context.ask(fill(template, {"question": context.problem.question, "a": a.text, "b": b.text}))
        for first, second in pairs
        for a, b in ((first, second), (second, first))
    ]
    replies = await context.complete(asked, comparisons, temperature=0.0 if comparisons == 1 else None)
    verdicts = [(VERDICT.findall(reply.text) or [""])[-1] for reply in replies]
    first_wins = []
    for start in range(0, len(verdicts), 2 * comparisons):
        middle, end = start + comparisons, start + 2 * comparisons
        forward, backward = verdicts[start:middle], verdicts[middle:end]  # in the second order, the first is B
        first_wins.append(forward.count("A") + backward.count("B") >= forward.count("B") + backward.count("A"))
    return first_wins
