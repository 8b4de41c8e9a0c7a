"""Search methods: each one file, a coroutine over `context`. One line here registers a method."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from inference_kit.records import Node
from inference_kit.search.beam_search import beam_search
from inference_kit.search.best_of_n import best_of_n
from inference_kit.search.budget_forcing import budget_forcing
from inference_kit.search.cot_decoding import cot_decoding
from inference_kit.search.diverse_beam import diverse_beam
from inference_kit.search.dvts import dvts
from inference_kit.search.greedy import greedy
from inference_kit.search.lookahead import lookahead
from inference_kit.search.mcts import mcts
from inference_kit.search.particle_filtering import particle_filtering
from inference_kit.search.rebase import rebase
from inference_kit.search.self_consistency import self_consistency
from inference_kit.search.self_improve import self_improve
from inference_kit.search.tournament import tournament
from inference_kit.search.universal_self_consistency import universal_self_consistency
from inference_kit.search.vanilla import vanilla

METHODS: dict[str, Callable[..., Awaitable[list[Node]]]] = {
    "beam_search": beam_search,
    "best_of_n": best_of_n,
    "budget_forcing": budget_forcing,
    "cot_decoding": cot_decoding,
    "diverse_beam": diverse_beam,
    "dvts": dvts,
    "greedy": greedy,
    "lookahead": lookahead,
    "mcts": mcts,
    "particle_filtering": particle_filtering,
    "rebase": rebase,
    "self_consistency": self_consistency,
    "self_improve": self_improve,
    "tournament": tournament,
    "universal_self_consistency": universal_self_consistency,
    "vanilla": vanilla,
}

ALIASES = {
    "bon": "best_of_n",
    "best-of-n": "best_of_n",
    "beam": "beam_search",
    "cot": "greedy",
    "usc": "universal_self_consistency",
    "vanilla_mcts": "mcts",
}

ONE_SOLUTION = frozenset({"greedy", "vanilla"})
"""Methods that write a single solution, so that there is nothing to vote on."""


@dataclass(frozen=True, slots=True)
class Needs:
    """What a method cannot do without, so that its lack is said before anything is generated."""

    reward_model: bool = False
    prefix: bool = False
    branching: bool = False

    @property
    def goes_on(self) -> bool:
        """Whether the method hands partial answers to the engine, be they single tokens."""
        return self.prefix or self.branching


_SEARCH = Needs(reward_model=True, prefix=True)
NEEDS: dict[str, Needs] = {
    "beam_search": _SEARCH,
    "budget_forcing": Needs(prefix=True),
    "cot_decoding": Needs(branching=True),
    "diverse_beam": _SEARCH,
    "dvts": _SEARCH,
    "lookahead": _SEARCH,
    "mcts": _SEARCH,
    "particle_filtering": _SEARCH,
    "rebase": _SEARCH,
}
"""A method that is not named here needs an engine and nothing more; `needs_of` knows that."""

OWN_VOTE: dict[str, str | None] = {
    "cot_decoding": "margin_vote",
    "self_consistency": "majority_vote",
    "self_improve": None,
    "tournament": None,
    "universal_self_consistency": None,
}
"""The vote that belongs to a method, where that is not the best score; None where its first candidate is its choice."""


def needs_of(method: str) -> Needs:
    """What a method cannot do without."""
    return NEEDS.get(method, Needs())
