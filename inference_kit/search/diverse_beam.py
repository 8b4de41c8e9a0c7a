"""Diverse beam search: a beam in groups, where a later group loses score for what earlier ones chose.

Why: a beam's survivors are often the same step in other words; the penalty spends their places on other ideas.
Source: Vijayakumar et al. 2016, "Diverse beam search", arXiv:1610.02424; here with steps for tokens and a verifier for
likelihood.
"""

from typing import Annotated

from inference_kit.context import Context
from inference_kit.records import Node
from inference_kit.search.tools import search_beam


async def diverse_beam(
    context: Context,
    *,
    beam_width: int = 4,
    n: int = 4,
    groups: int = 4,
    diversity: Annotated[float, 0] = 0.5,
    max_steps: int = 40,
) -> list[Node]:
    """Keep good partial solutions whose newest steps differ; with one group, or diversity 0, this is beam_search.

    Args:
        beam_width: Live paths kept in each round, over all groups.
        n: Next steps tried for each of them; the root gets `beam_width` times as many.
        groups: Groups that choose one after the other, each a share of the beam.
        diversity: What a step loses for being the same as one that an earlier group chose; half for half the words.
        max_steps: Rounds after which those still open are written to their end.
    """

    def keep(ranked: list[Node], width: int) -> list[Node]:
        chosen: list[Node] = []
        for group in range(groups):
            earlier, share = list(chosen), len(range(group, width, groups))
            taken = {node.path for node in earlier}
            left = [node for node in ranked if node.path not in taken]  # in order of rank, by which ties go
            chosen += sorted(left, key=lambda node: _worth(context, node, earlier, diversity), reverse=True)[:share]
        return chosen

    return await search_beam(context, context.best_first, keep, beam_width=beam_width, n=n, max_steps=max_steps)


def _worth(context: Context, node: Node, earlier: list[Node], diversity: float) -> float:
    return context.score_of(node) - diversity * max((_likeness(node, other) for other in earlier), default=0.0)


def _likeness(a: Node, b: Node) -> float:
    """The share of words that two steps have in common, of all their words."""
    ours, theirs = set(a.text.split()), set(b.text.split())
    return len(ours & theirs) / len(ours | theirs) if ours | theirs else 1.0
