"""Search methods: each one file, a coroutine over `context`. One line here registers a method."""

from collections.abc import Awaitable, Callable

from inference_kit.records import Node
from inference_kit.search.best_of_n import best_of_n
from inference_kit.search.greedy import greedy
from inference_kit.search.vanilla import vanilla

METHODS: dict[str, Callable[..., Awaitable[list[Node]]]] = {
    "best_of_n": best_of_n,
    "greedy": greedy,
    "vanilla": vanilla,
}

ALIASES = {"bon": "best_of_n", "best-of-n": "best_of_n", "cot": "greedy"}

ONE_SOLUTION = frozenset({"greedy", "vanilla"})
"""Methods that write a single solution, so that there is nothing to vote on."""
