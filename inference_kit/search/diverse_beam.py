"""Diverse beam search: the beam is split into groups, and a step loses score for being like one of an earlier group.

Why: a beam's survivors are often the same step in other words; the penalty gives their places to other ideas.
Source: Vijayakumar et al. 2016, "Diverse beam search", arXiv:1610.02424; here steps stand for tokens and a verifier for
the likelihood.
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
        diversity: What a step loses for having all words of one that an earlier group chose; half for half of them.
        max_steps: Rounds after which those still open are written to their end.
    """

    def keep(ranked: list[Node], width: int) -> list[Node]:
        """Let one group after another choose its share of `width` nodes."""
        chosen: list[Node] = []
        for group in range(groups):
            earlier, share = list(chosen), len(range(group, width, groups))
            taken = {node.path for node in earlier}
            left = [node for node in ranked if node.path not in taken]  # in order of rank, which decides ties
            chosen += sorted(left, key=lambda node: _penalize(context, node, earlier, diversity), reverse=True)[:share]
        return chosen

    return await search_beam(context, context.best_first, keep, beam_width=beam_width, n=n, max_steps=max_steps)


def _penalize(context: Context, node: Node, earlier: list[Node], diversity: float) -> float:
    """Return the node's score less `diversity` times its similarity to the most similar node of earlier groups."""
    return context.score_of(node) - diversity * max((_word_overlap(node, other) for other in earlier), default=0.0)


def _word_overlap(a: Node, b: Node) -> float:
    """Return the Jaccard similarity of the words of two steps, in [0, 1]."""
    ours, theirs = set(a.text.split()), set(b.text.split())
    return len(ours & theirs) / len(ours | theirs) if ours | theirs else 1.0
