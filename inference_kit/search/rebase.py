"""REBASE, reward balanced search: each depth's budget is shared out among its nodes by their reward.

Why: it explores like a tree search without rollouts, at the price of sampling.
Source: Wu et al. 2024, "Inference scaling laws", arXiv:2408.00724.
"""

from math import exp

from inference_kit.context import Context
from inference_kit.errors import UserError
from inference_kit.records import Node
from inference_kit.search.tools import rounded, write_to_end


async def rebase(context: Context, *, n: int = 16, balance_temperature: float = 0.1, max_steps: int = 40) -> list[Node]:
    """Give each live node its share of the depth's budget as children; a whole solution takes its share out.

    Args:
        n: Expansions of the first depth.
        balance_temperature: Near 0 the best node gets everything; large values share evenly.
        max_steps: Depths after which those still open are written to their end.
    """
    if balance_temperature <= 0:
        raise UserError(
            f"balance_temperature must be above 0, got {balance_temperature}", where="--balance-temperature"
        )
    solutions: list[Node] = []
    live, shares = [context.root], [n]
    for _ in range(max_steps):
        families = await context.expand_each(live, shares)
        ranked = await context.best_first([child for family in families for child in family])
        solutions += [node for node in ranked if node.finished]
        live = [node for node in ranked if not node.finished]
        budget = n - len(solutions)
        if budget <= 0 or not live:
            return solutions
        live, shares = _balanced(live, [context.score_of(node) for node in live], budget, balance_temperature)
        for node, share in zip(live, shares, strict=True):
            context.note(node, share=share)
    return solutions + await write_to_end(context, live)


def _balanced(
    live: list[Node], rewards: list[float], budget: int, balance_temperature: float
) -> tuple[list[Node], list[int]]:
    """The nodes that get children, and how many; the best gets at least one. `live` is ranked."""
    highest = max(rewards)
    weights = [exp((reward - highest) / balance_temperature) for reward in rewards]
    shares = [rounded(budget * weight / sum(weights)) for weight in weights]
    shares[0] = max(1, shares[0])
    given = [(node, share) for node, share in zip(live, shares, strict=True) if share]
    return [node for node, _ in given], [share for _, share in given]
