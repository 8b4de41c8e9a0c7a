"""What search methods share: the rounds of a beam, and the prompts that a method asks the model with."""

from collections.abc import Awaitable, Callable, Sequence
from math import floor
from typing import Annotated

from inference_kit.context import Context
from inference_kit.records import Node
from inference_kit.templates import load_prompt

OrZero = Annotated[int, 0]
"""The type of a setting that may be 0; other integers are at least 1."""

Rank = Callable[[list[Node]], Awaitable[list[Node]]]
"""Scores nodes and returns them best first."""

Keep = Callable[[list[Node], int], list[Node]]
"""From ranked live nodes to those that survive the round, at most so many."""


def keep_best(ranked: list[Node], beam_width: int) -> list[Node]:
    """Let the first ones survive."""
    return ranked[:beam_width]


async def search_beam(
    context: Context, rank: Rank, keep: Keep = keep_best, *, beam_width: int, n: int, max_steps: int
) -> list[Node]:
    """Grow the best partial solutions step by step; a whole one leaves to the pool and takes no place."""
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
    """Complete each of `nodes` once, and score what it became."""
    rest = await context.complete(nodes, 1)
    await context.score(rest)
    return rest


def prompt_text(template: str, flag: str) -> str:
    """A prompt template as it is, where it has a `{name}` or a line break in it; else what its name or path means.

    Raises:
        UserError: where there is none, naming `flag`.
    """
    return template if {"{", "\n"} & set(template) else load_prompt(template, where=flag)


def rounded(number: float) -> int:
    """The nearest integer; halves go up."""
    return floor(number + 0.5)
