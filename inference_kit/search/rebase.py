"""REBASE, reward balanced search: the expansions of each depth are shared among its nodes by their rewards.

Why: it explores like a tree search, costs what sampling costs, and needs no rollouts.
Source: Wu et al. 2024, "Inference scaling laws", arXiv:2408.00724.
"""

from math import exp

from inference_kit.context import Context
from inference_kit.errors import UserError, named
from inference_kit.records import Node
from inference_kit.search.tools import round_half_up, write_to_end


async def rebase(context: Context, *, n: int = 16, balance_temperature: float = 0.1, max_steps: int = 40) -> list[Node]:
    """Give each open node its share of the depth's expansions; a whole solution lowers the budget by one.

    Args:
        n: Expansions of the first depth.
        balance_temperature: Near 0 the best node gets everything; large values share evenly.
        max_steps: Depths after which those still open are written to their end.
    """
    if balance_temperature <= 0:
        raise UserError(
            f"balance_temperature must be above 0, got {balance_temperature}", where=named("balance_temperature")
        )
    solutions: list[Node] = []
    nodes, shares = [context.root], [n]
    for _ in range(max_steps):
        families = await context.expand_each(nodes, shares)
        ranked = await context.best_first([child for family in families for child in family])
        solutions += [node for node in ranked if node.finished]
        nodes = [node for node in ranked if not node.finished]
        budget = n - len(solutions)
        if budget <= 0 or not nodes:
            return solutions
        nodes, shares = _share_budget(nodes, [context.score_of(node) for node in nodes], budget, balance_temperature)
        for node, share in zip(nodes, shares, strict=True):
            context.note(node, share=share)
    return solutions + await write_to_end(context, nodes)


def _share_budget(
    nodes: list[Node], rewards: list[float], budget: int, balance_temperature: float
) -> tuple[list[Node], list[int]]:
    """Share the budget by a softmax of the rewards, rounded; return the nodes that get children, and how many.

    The first of `nodes`, which are ranked, gets at least one.
    """
    highest = max(rewards)
    weights = [exp((reward - highest) / balance_temperature) for reward in rewards]
    shares = [round_half_up(budget * weight / sum(weights)) for weight in weights]
    shares[0] = max(1, shares[0])
    given = [(node, share) for node, share in zip(nodes, shares, strict=True) if share]
    return [node for node, _ in given], [share for _, share in given]
