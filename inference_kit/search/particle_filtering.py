"""Particle filtering: partial solutions are resampled in proportion to the odds that they are right.

Why: a reward model errs, so the path with the best score is not always the right one; resampling keeps others alive.
Source: Puri et al. 2025, "A probabilistic inference approach to inference-time scaling of LLMs using particle-based
Monte Carlo methods", arXiv:2502.01618.
"""

from bisect import bisect_right
from itertools import accumulate
from typing import Literal

from inference_kit.context import Context
from inference_kit.records import Node
from inference_kit.search.tools import write_to_end

SCORE_MARGIN = 1e-7
"""How near to 0 and 1 a score may come, so that its odds are finite and not 0."""


async def particle_filtering(
    context: Context,
    *,
    n: int = 16,
    resampling: Literal["multinomial", "systematic"] = "multinomial",
    max_steps: int = 40,
) -> list[Node]:
    """Extend each particle by a step, then resample all by the odds r / (1 - r) of their newest scores r.

    Args:
        n: Particles.
        resampling: multinomial draws each particle independently; systematic draws once and goes on in equal strides.
        max_steps: Rounds after which those still open are written to their end.
    """
    particles = [context.root] * n
    for round_ in range(max_steps):
        if round_:
            particles = _resample(context, particles, resampling)
        open_positions = [position for position, node in enumerate(particles) if not node.finished]
        families = await context.expand_each([particles[position] for position in open_positions], 1)
        for position, [child] in zip(open_positions, families, strict=True):
            particles[position] = child
        await context.score(particles)
        if all(node.finished for node in particles):
            return particles
    whole = [node for node in particles if node.finished]
    return whole + await write_to_end(context, [node for node in particles if not node.finished])


def _resample(context: Context, particles: list[Node], resampling: str) -> list[Node]:
    """Draw as many particles with replacement, by their odds; finished ones are drawn too."""
    rewards = [min(max(context.newest_score(node), SCORE_MARGIN), 1 - SCORE_MARGIN) for node in particles]
    sums = list(accumulate(reward / (1 - reward) for reward in rewards))
    if resampling == "systematic":
        start = context.rng.random()
        quantiles = [(start + number) / len(particles) for number in range(len(particles))]
    else:
        quantiles = [context.rng.random() for _ in particles]
    # The particle whose interval of the summed odds holds the quantile.
    return [particles[min(bisect_right(sums, quantile * sums[-1]), len(sums) - 1)] for quantile in quantiles]
