"""Budget forcing: make a model think longer by replacing its end of thinking, or shorter by inserting it.

Why: it sets how many tokens are spent on thinking, without training.
Source: Muennighoff et al. 2025, "s1: Simple test-time scaling", arXiv:2501.19393.
"""

from math import inf

from inference_kit.context import Context
from inference_kit.context.steps import END_OF_THINKING
from inference_kit.records import Node
from inference_kit.search.tools import OrZero


async def budget_forcing(
    context: Context,
    *,
    n: int = 1,
    waits: OrZero = 1,
    min_thinking_tokens: int | None = None,
    max_thinking_tokens: int | None = None,
    end_of_thinking: str = END_OF_THINKING,
    wait_text: str = "\nWait",
    answer_text: str = "\nFinal Answer:",
) -> list[Node]:
    """Let each solution think between two bounds, then answer.

    Args:
        n: Solutions.
        waits: How often an end of thinking that comes too early is replaced at the most.
        min_thinking_tokens: Thinking that ends before this goes on; unset, every end is too early.
        max_thinking_tokens: Thinking is cut off here, and the model must answer; unset, there is no such bound.
        end_of_thinking: The model's mark; a model that ends its whole reply without one has also ended its thinking.
        wait_text: What replaces an end of thinking.
        answer_text: What follows the end of thinking that is inserted where the model was cut off.
    """

    async def think(nodes: list[Node]) -> list[Node]:
        """Write the thought of each node until it ends or is cut off."""
        families = await context.expand_each(nodes, 1, boundary=end_of_thinking, until_tokens=max_thinking_tokens)
        return [child for [child] in families]

    least, most = (inf if bound is None else bound for bound in (min_thinking_tokens, max_thinking_tokens))
    thoughts = await think([context.root] * n)
    for _ in range(waits):
        early = [
            position
            for position, thought in enumerate(thoughts)
            if _has_ended(thought, end_of_thinking) and thought.whole_tokens < min(least, most)
        ]
        reopened = [
            context.rewrite(thoughts[position], thoughts[position].text.partition(end_of_thinking)[0] + wait_text)
            for position in early
        ]
        for position, longer in zip(early, await think(reopened), strict=True):
            thoughts[position] = longer
    thoughts = [
        thought
        if thought.finished or _has_ended(thought, end_of_thinking)
        else context.rewrite(thought, thought.text + end_of_thinking + answer_text)
        for thought in thoughts
    ]
    answers = iter(await context.complete([thought for thought in thoughts if not thought.finished], 1))
    solutions = [thought if thought.finished else next(answers) for thought in thoughts]
    await context.score_if_possible(solutions)
    return solutions


def _has_ended(thought: Node, end_of_thinking: str) -> bool:
    """Return whether the model ended this thought itself: by its mark, or with its whole reply."""
    return thought.finish_reason == "stop" or end_of_thinking in thought.text
