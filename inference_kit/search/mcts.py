"""Monte Carlo tree search over steps: each simulation selects a leaf, writes its children and values it.

Why: unlike a beam it can return to a path that it left.
Promises: with `leaves` 1 it is the sequential search. A whole solution is visited once. Rollouts are candidates too.
Source: Silver et al. 2017, arXiv:1712.01815; with a verifier Hao et al. 2023, "RAP", arXiv:2305.14992.
"""

from math import exp
from typing import Annotated, Literal

from inference_kit.context import Context
from inference_kit.records import Node
from inference_kit.search.tools import write_to_end
from inference_kit.search.tree import TreePlace, TreePolicy


async def mcts(
    context: Context,
    *,
    iterations: int = 16,
    n: int = 4,
    c_puct: Annotated[float, 0] = 1.4,
    max_depth: int = 40,
    leaves: int = 1,
    selection: Literal["uct", "puct"] = "uct",
    first_play: Literal["unvisited", "parent", "score"] = "unvisited",
    value: Literal["score", "rollout"] = "score",
    backup: Literal["mean", "max"] = "mean",
) -> list[Node]:
    """Grow a tree leaf by leaf; every whole solution in it is a candidate.

    Args:
        iterations: Simulations, each of which values one leaf and writes its children.
        n: Next steps tried below a leaf.
        c_puct: Weight of exploration against value.
        max_depth: Steps after which a leaf is written to its end instead of expanded.
        leaves: Simulations in flight at once; a leaf in flight counts as a visit of value 0.
        selection: uct, or puct, which weighs exploration by the model's own probability of a step.
        first_play: What an unvisited child is worth: more than any visited one, its parent's value, or its own score.
        value: What a leaf is worth: its own score, or that of a rollout from it.
        backup: A node is worth the mean of the values below it, or the highest.
    """
    root, policy = TreePlace(context.root), TreePolicy(context, c_puct, selection, first_play, backup)
    solutions: list[Node] = []
    left = iterations
    while left > 0 and not root.closed:
        paths: list[list[TreePlace]] = []
        while len(paths) < min(leaves, left) and not root.closed:
            paths.append(policy.select_path(root))
        left -= len(paths)
        growing = [path[-1] for path in paths if not path[-1].node.finished]
        solutions += await _expand(context, growing, n, max_depth)
        rollouts = await write_to_end(context, [place.node for place in growing]) if value == "rollout" else []
        solutions += rollouts
        valued = {place.node.path: end for place, end in zip(growing, rollouts, strict=False)}
        for path in paths:
            policy.backpropagate(path, context.score_of(valued.get(path[-1].node.path, path[-1].node)))
    best_open = await context.best_first([place.node for place in root.iterate_open_leaves()])
    return solutions or await write_to_end(context, best_open[:1])


async def _expand(context: Context, leaves: list[TreePlace], n: int, max_depth: int) -> list[Node]:
    """Write and score the children of `leaves`; return the whole solutions among them.

    A leaf at `max_depth` gets one child, which is written to its end. The prior of a child is its share, among its
    siblings, of the geometric mean probability of a token: exp(logprob / tokens).
    """
    growing = [leaf for leaf in leaves if len(leaf.node.lineage) < max_depth]
    ending = [leaf for leaf in leaves if len(leaf.node.lineage) >= max_depth]
    families = await context.expand_each([leaf.node for leaf in growing], n)
    families += [[end] for end in await context.complete([leaf.node for leaf in ending], 1)]
    children = [child for family in families for child in family]
    await context.score(children)
    for leaf, family in zip([*growing, *ending], families, strict=True):
        likelihoods = [exp((child.logprob or 0.0) / max(1, child.tokens)) for child in family]
        leaf.children = [
            TreePlace(child, likelihood / sum(likelihoods))
            for child, likelihood in zip(family, likelihoods, strict=True)
        ]
    return [child for child in children if child.finished]
