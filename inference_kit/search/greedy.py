"""Greedy chain of thought: one solution, always the likeliest next token.

Why: it is the baseline of every curve, and the only method that needs no seed.
Source: Wei et al. 2022, "Chain-of-thought prompting elicits reasoning in large language models", arXiv:2201.11903.
"""

from inference_kit.context import Context
from inference_kit.records import Node


async def greedy(context: Context) -> list[Node]:
    """Write one solution at temperature 0."""
    return await context.complete([context.root], 1, temperature=0.0)
