"""Look-ahead search: a beam whose steps are judged by where they lead, a few greedy steps further on.

Why: a process reward model is surer of a step whose continuation it sees. At equal compute it rarely pays, so measure.
Source: Snell et al. 2024, "Scaling LLM test-time compute optimally", arXiv:2408.03314.
"""

from inference_kit.context import Context
from inference_kit.records import Node
from inference_kit.search.tools import OrZero, search_beam


async def lookahead(
    context: Context, *, beam_width: int = 4, n: int = 4, lookahead_steps: OrZero = 1, max_steps: int = 40
) -> list[Node]:
    """Keep the partial solutions that score best after more greedy steps, which are then thrown away.

    Args:
        beam_width: Live paths kept in each round.
        n: Next steps tried for each of them; the root gets `beam_width` times as many.
        lookahead_steps: Greedy steps written behind a step before it is scored.
        max_steps: Rounds after which those still open are written to their end.
    """

    async def rank(steps: list[Node]) -> list[Node]:
        """Rank steps by the scores of the ends to which greedy steps lead from them."""
        ends = list(steps)
        for _ in range(lookahead_steps):
            open_positions = [position for position, end in enumerate(ends) if not end.finished]
            further = await context.expand_each([ends[position] for position in open_positions], 1, temperature=0.0)
            for position, [end] in zip(open_positions, further, strict=True):
                ends[position] = end
        step_of = {end.path: step for step, end in zip(steps, ends, strict=True)}
        return [step_of[end.path] for end in await context.best_first(ends)]

    return await search_beam(context, rank, beam_width=beam_width, n=n, max_steps=max_steps)
