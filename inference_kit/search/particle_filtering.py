"""Particle filtering: partial solutions survive by lottery, in proportion to the odds that they are right.

Why: a reward model errs, so the best-scored path is not always the right one; a lottery keeps the others in play.
Source: Puri et al. 2025, "A probabilistic inference approach to inference-time scaling of LLMs using particle-based
Monte Carlo methods", arXiv:2502.01618.
"""

from bisect import bisect_right
from itertools import accumulate
from typing import Literal

from inference_kit.context import Context
from inference_kit.records import Node
from inference_kit.search.tools import write_to_end

SMALLEST = 1e-7


async def particle_filtering(
    context: Context,
    *,
    n: int = 16,
    resampling: Literal["multinomial", "systematic"] = "multinomial",
    max_steps: int = 40,
) -> list[Node]:
    """Extend every particle by a step, then draw the next generation by the odds r / (1 - r) of the newest score.

    Args:
        n: Particles.
        resampling: multinomial draws each one anew; systematic draws once and walks in equal strides.
        max_steps: Rounds after which those still open are written to their end.
    """
    particles = [context.root] * n
    for round_ in range(max_steps):
        if round_:
            particles = _drawn(context, particles, resampling)
        open_places = [place for place, node in enumerate(particles) if not node.finished]
        for place, [child] in zip(
            open_places, await context.expand_each([particles[each] for each in open_places], 1), strict=True
        ):
            particles[place] = child
        await context.score(particles)
        if all(node.finished for node in particles):
            return particles
    whole = [node for node in particles if node.finished]
    return whole + await write_to_end(context, [node for node in particles if not node.finished])


def _drawn(context: Context, particles: list[Node], resampling: str) -> list[Node]:
    """As many particles, drawn with replacement; finished ones stay in the lottery."""
    rewards = [min(max(context.newest_score(node), SMALLEST), 1 - SMALLEST) for node in particles]
    sums = list(accumulate(reward / (1 - reward) for reward in rewards))
    if resampling == "systematic":
        start = context.rng.random()
        tickets = [(start + place) / len(particles) for place in range(len(particles))]
    else:
        tickets = [context.rng.random() for _ in particles]
    return [particles[min(bisect_right(sums, ticket * sums[-1]), len(sums) - 1)] for ticket in tickets]
