"""Second wind: best-of-N in which a solution that was cut off at `max_new_tokens` goes on from there."""

from inference_kit.context import Context
from inference_kit.records import Node


async def second_wind(context: Context, *, n: int = 8, winds: int = 1) -> list[Node]:
    """Write `n` solutions, and those that were cut off to their end.

    Args:
        n: Candidates for each problem.
        winds: How often a solution may go on.
    """
    solutions = await context.complete([context.root], n)
    for _ in range(winds):
        cut = [node for node in solutions if node.finish_reason == "length"]
        solutions = [node for node in solutions if node not in cut] + await context.complete(cut, 1)
    await context.score_if_possible(solutions)
    return solutions
