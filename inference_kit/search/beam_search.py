"""Beam search over steps: the reward model keeps the best partial solutions of each round.

Why: a wrong first step wastes the rest of a solution; here it costs one step.
Source: Snell et al. 2024, "Scaling LLM test-time compute optimally", arXiv:2408.03314; Yu et al. 2023, "OVM",
arXiv:2311.09724.
"""

from inference_kit.context import Context
from inference_kit.records import Node
from inference_kit.search.tools import search_beam


async def beam_search(context: Context, *, beam_width: int = 4, n: int = 4, max_steps: int = 40) -> list[Node]:
    """Keep the best partial solutions of each round; a whole one becomes a candidate.

    Args:
        beam_width: Live paths kept in each round.
        n: Next steps tried for each of them; the root gets `beam_width` times as many.
        max_steps: Rounds after which those still open are written to their end in one go.
    """
    return await search_beam(context, context.best_first, beam_width=beam_width, n=n, max_steps=max_steps)
