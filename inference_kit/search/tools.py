"""What search methods share: the rounds of a beam, and the prompts with which a method asks the model.

Why: five methods are a beam that ranks or keeps in another way; the rounds are written once.
"""

from collections.abc import Awaitable, Callable, Sequence
from math import floor
from typing import Annotated

from inference_kit.context import Context
from inference_kit.errors import named
from inference_kit.records import Node
from inference_kit.templates import load_prompt

OrZero = Annotated[int, 0]
"""The type of a setting that may be 0; other integers are at least 1."""

Rank = Callable[[list[Node]], Awaitable[list[Node]]]
"""Scores nodes and returns them, best first."""

Keep = Callable[[list[Node], int], list[Node]]
"""Chooses, among ranked open nodes, those that survive the round; at most so many."""


def keep_best(ranked: list[Node], beam_width: int) -> list[Node]:
    """Keep the first `beam_width` nodes."""
    return ranked[:beam_width]


async def search_beam(
    context: Context, rank: Rank, keep: Keep = keep_best, *, beam_width: int, n: int, max_steps: int
) -> list[Node]:
    """Grow the best partial solutions step by step; a whole one becomes a candidate and takes no place in the beam.

    Args:
        context: Of the problem.
        rank: Orders the children of a round.
        keep: Chooses those that survive it.
        beam_width: Nodes that survive a round at the most.
        n: Children of each; the root gets `beam_width` times as many.
        max_steps: Rounds after which those still open are written to their end.

    Returns:
        The candidates, in the order in which they were finished.
    """
    solutions: list[Node] = []
    beam, width = [context.root], beam_width * n
    for _ in range(max_steps):
        ranked = await rank(await context.expand(beam, width))
        solutions += [node for node in ranked if node.finished]
        beam, width = keep([node for node in ranked if not node.finished], beam_width), n
        if not beam:
            return solutions
    return solutions + await write_to_end(context, beam)


async def write_to_end(context: Context, nodes: Sequence[Node]) -> list[Node]:
    """Complete each node once and score the whole solutions."""
    rest = await context.complete(nodes, 1)
    await context.score(rest)
    return rest


def resolve_template(template: str, setting: str) -> str:
    """Return the text of a prompt template that is given as a text, a name or a path.

    Args:
        template: A text where it holds a `{name}` or a line break, else a name or a path.
        setting: Its name, for the error.

    Raises:
        UserError: where there is no such template.
    """
    return template if {"{", "\n"} & set(template) else load_prompt(template, where=named(setting))


def round_half_up(number: float) -> int:
    """Round to the nearest integer; halves go up, where Python's `round` goes to the even one."""
    return floor(number + 0.5)
