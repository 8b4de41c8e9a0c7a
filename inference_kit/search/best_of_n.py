"""Best-of-N: write N whole solutions independently; the vote picks the answer.

Why: it is the yardstick of every other method, and all votes and smaller N are read off its candidates.
Source: Cobbe et al. 2021, "Training verifiers to solve math word problems", arXiv:2110.14168.
"""

from inference_kit.context import Context
from inference_kit.records import Node


async def best_of_n(context: Context, *, n: int = 16) -> list[Node]:
    """Write `n` independent solutions; they are scored where there is a reward model.

    Args:
        n: Candidates for each problem.
    """
    solutions = await context.complete([context.root], n)
    await context.score_if_possible(solutions)
    return solutions
