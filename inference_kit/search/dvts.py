"""DVTS, diverse verifier tree search: independent trees, each of which keeps its one best step.

Why: the paths of a beam soon share their first steps. Trees that do not compete stay different, which pays for large n.
Source: Beeching, Tunstall, Rush 2024, "Scaling test-time compute with open models", Hugging Face.
"""

from inference_kit.context import Context
from inference_kit.records import Node
from inference_kit.search.tools import write_to_end


async def dvts(context: Context, *, beam_width: int = 4, n: int = 4, max_steps: int = 40) -> list[Node]:
    """Grow independent trees by their best steps; a tree ends with the whole solutions of a round whose best is one.

    Args:
        beam_width: Trees.
        n: Next steps tried in each tree and round, of which the best goes on.
        max_steps: Rounds after which the trees still open are written to their end.
    """
    solutions: list[Node] = []
    trees = [context.root] * beam_width
    for _ in range(max_steps):
        families = await context.expand_each(trees, n)
        await context.score([node for family in families for node in family])
        ranked = [await context.best_first(family) for family in families]
        solutions += [node for family in ranked if family[0].finished for node in family if node.finished]
        trees = [family[0] for family in ranked if not family[0].finished]
        if not trees:
            return solutions
    return solutions + await write_to_end(context, trees)
