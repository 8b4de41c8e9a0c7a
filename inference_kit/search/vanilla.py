"""Vanilla chain of thought: one solution, sampled at the temperature set.

Why: what a model gives when it is simply asked; a mean sample of best-of-N.
Source: Wei et al. 2022, "Chain-of-thought prompting elicits reasoning in large language models", arXiv:2201.11903.
"""

from inference_kit.context import Context
from inference_kit.records import Node


async def vanilla(context: Context) -> list[Node]:
    """Write one solution at the temperature set."""
    return await context.complete([context.root], 1)
