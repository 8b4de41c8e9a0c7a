"""CoT-decoding: branch on the first token, go on greedily, and take the answer that the model was surest of.

Why: a model often writes a chain of thought unasked behind the second or third likeliest first token.
Source: Wang, Zhou 2024, "Chain-of-thought reasoning without prompting", arXiv:2402.10200.
"""

from inference_kit.context import Context
from inference_kit.records import Node


async def cot_decoding(context: Context, *, n: int = 10) -> list[Node]:
    """Write one greedy solution behind each of the `n` likeliest first tokens; `margin_vote` weighs their answers.

    Args:
        n: First tokens.
    """
    solutions = await context.branch(context.root, n)
    await context.score_if_possible(solutions)
    return solutions
