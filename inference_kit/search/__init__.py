"""Search methods: each one file, a coroutine over `context`. One line in `METHODS` registers a method.

Why: what a method needs, and the vote that belongs to it, are known before anything loads, so a method is a record.
"""

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

BEST = "best"
"""The own vote of most methods: the best score, or the majority where nothing is scored."""


@dataclass(frozen=True, slots=True)
class Needs:
    """What a method cannot do without, so that its lack is said before anything is generated.

    `prefix` is an engine that goes on with a partial answer, `branching` one that tells the likeliest first tokens.
    """

    reward_model: bool = False
    prefix: bool = False
    branching: bool = False

    @property
    def goes_on(self) -> bool:
        """Whether the method hands partial answers to the engine, be they single tokens."""
        return self.prefix or self.branching


@dataclass(frozen=True, slots=True)
class Method:
    """A search method: its coroutine and what is known of it without running it.

    `vote` is the vote that belongs to it, a name of `VOTES` or `BEST`; None where its first candidate is its choice.
    `one_solution` is true where it writes a single solution, so that there is nothing to vote on.
    """

    function: Callable[..., Awaitable[list[Node]]]
    needs: Needs = Needs()
    vote: str | None = BEST
    one_solution: bool = False


_SEARCH = Needs(reward_model=True, prefix=True)

METHODS: dict[str, Method] = {
    "beam_search": Method(beam_search, _SEARCH),
    "best_of_n": Method(best_of_n),
    "budget_forcing": Method(budget_forcing, Needs(prefix=True)),
    "cot_decoding": Method(cot_decoding, Needs(branching=True), vote="margin_vote"),
    "diverse_beam": Method(diverse_beam, _SEARCH),
    "dvts": Method(dvts, _SEARCH),
    "greedy": Method(greedy, one_solution=True),
    "lookahead": Method(lookahead, _SEARCH),
    "mcts": Method(mcts, _SEARCH),
    "particle_filtering": Method(particle_filtering, _SEARCH),
    "rebase": Method(rebase, _SEARCH),
    "self_consistency": Method(self_consistency, vote="majority_vote"),
    "self_improve": Method(self_improve, vote=None),
    "tournament": Method(tournament, vote=None),
    "universal_self_consistency": Method(universal_self_consistency, vote=None),
    "vanilla": Method(vanilla, one_solution=True),
}

ALIASES = {
    "bon": "best_of_n",
    "best-of-n": "best_of_n",
    "beam": "beam_search",
    "cot": "greedy",
    "usc": "universal_self_consistency",
    "vanilla_mcts": "mcts",
}
