"""Seeds: what is drawn follows from the run's seed, the problem and the place in its tree, never from time or order.

Why: a run that is stopped and resumed, or made larger, has to write the same texts again.
"""

import hashlib
import random
from collections.abc import Sequence

from inference_kit.records import GenerationConfig, Index
from inference_kit.records.indices import canonical_index


def derive_seed(run_seed: int, index: Index, path: tuple[int, ...]) -> int:
    """Return the first seed of the children of the node at `path`; child i has this plus i.

    Below 2**31 even after 65,536 children, because some engines keep seeds in 32 bits.
    """
    name = f"{run_seed}|{_name_index(index)}|{'.'.join(map(str, path))}"
    digest = hashlib.sha256(name.encode("utf-8", "surrogatepass")).digest()
    return int.from_bytes(digest[:8], "big") % (2**31 - 2**16)


def seeds_of_children(
    config: GenerationConfig, run_seed: int, index: Index, path: tuple[int, ...], ordinals: Sequence[int]
) -> tuple[int, ...]:
    """Return the seeds of the children with these ordinals: ranks where they branch, and none at temperature 0."""
    if config.branch_first:
        return tuple(ordinals)
    if config.temperature == 0:
        return (0,) * len(ordinals)
    first = derive_seed(run_seed, index, path)
    return tuple(first + ordinal for ordinal in ordinals)


def problem_random(run_seed: int, index: Index) -> random.Random:
    """Return random numbers that follow from the run's seed and the problem."""
    return random.Random(f"{run_seed}|{_name_index(index)}")


def _name_index(index: Index) -> str:
    """Name a problem alike whether its index is 7 or "7": the data may be a CSV file, which has only texts."""
    canonical = canonical_index(index)
    return f"{type(canonical).__name__}|{canonical}"
