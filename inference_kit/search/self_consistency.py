"""Self-consistency: sample solutions until their majority answer is settled.

Why: on easy problems a few samples agree, and more of them change nothing.
Source: Wang et al. 2022, arXiv:2203.11171; adaptive Aggarwal et al. 2023, arXiv:2305.11860; early-stopping windows Li
et al. 2024, "ESC", arXiv:2401.10480.
"""

from collections import Counter
from typing import Annotated, Literal

from inference_kit.context import Context
from inference_kit.estimates import beta_majority, dirichlet_majority
from inference_kit.records import Node

FIRST_CHECK = 2
"""Solutions before the first look at their majority."""


async def self_consistency(
    context: Context,
    *,
    n: int = 40,
    stopping: Literal["beta", "dirichlet", "esc", "never"] = "beta",
    certainty: Annotated[float, 0, 1] = 0.95,
    window: int = 4,
) -> list[Node]:
    """Sample until the first answer is surely the majority, a whole window agrees, or there are `n` solutions.

    Args:
        n: Solutions at the most.
        stopping: beta (first answer against the second) and dirichlet (against all) look after each solution, esc after
            each window, never draws all at once.
        certainty: Stop where the first answer is the majority with more than this probability; not for esc.
        window: Solutions drawn at once under esc, which stops where they all have one answer.
    """
    solutions: list[Node] = []
    batches = {"never": n, "esc": window}
    while len(solutions) < n:
        batch = batches.get(stopping, max(1, FIRST_CHECK - len(solutions)))
        solutions += await context.complete([context.root], min(batch, n - len(solutions)))
        if _is_settled(await context.groups(solutions), stopping, certainty, window):
            break
    await context.score_if_possible(solutions)
    return solutions


def _is_settled(groups: list[int], stopping: str, certainty: float, window: int) -> bool:
    """Return whether sampling can stop, from the number of each solution's answer; -1 is no answer."""
    if stopping == "esc":
        last = groups[-window:]
        return len(last) == window and last[0] >= 0 and len(set(last)) == 1
    counts = sorted(Counter(group for group in groups if group >= 0).values(), reverse=True)
    if stopping == "never" or not counts:
        return False
    majority = beta_majority(counts) if stopping == "beta" else dirichlet_majority(counts)
    return majority > certainty
