"""Vanilla chain of thought: one solution, sampled at the run's temperature.

Why: it is what a model answers when it is simply asked, and its accuracy is that of a mean sample of best-of-N.
Source: Wei et al. 2022, "Chain-of-thought prompting elicits reasoning in large language models", arXiv:2201.11903.
"""

from inference_kit.context import Context
from inference_kit.records import Node


async def vanilla(context: Context) -> list[Node]:
    """Write one solution at the run's temperature."""
    return await context.complete([context.root], 1)
