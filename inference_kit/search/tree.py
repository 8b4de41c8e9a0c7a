"""The statistics of a search tree: which leaf to visit next, and what its value does to the nodes above it.

Why: these are the formulas of the papers, apart from what is generated when.
Promises: equal children are taken in the order in which they were made; a leaf in flight counts as a visit of value 0;
a subtree that holds nothing left to visit is closed. Values are never negative and never change sign.
Source: UCT Kocsis, Szepesvari 2006; PUCT Silver et al. 2017, arXiv:1712.01815; virtual loss Chaslot et al. 2008.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from math import inf, log, sqrt

from inference_kit.context import Context
from inference_kit.records import Node

C_BASE = 19652
"""How many visits it takes until PUCT's curiosity grows (AlphaZero)."""


@dataclass(slots=True)
class Place:
    """A node with its statistics; `prior` is the model's own probability of it among its siblings."""

    node: Node
    prior: float = 1.0
    visits: int = 0
    total: float = 0.0
    highest: float = 0.0
    closed: bool = False
    children: list["Place"] = field(default_factory=list)

    def open_leaves(self) -> Iterator["Place"]:
        """The places below that are not expanded, in the order of the tree."""
        waiting = [self]
        while waiting:
            place = waiting.pop()
            waiting += reversed(place.children)
            if not place.children and not place.node.finished:
                yield place


@dataclass(frozen=True, slots=True)
class Rule:
    """How a child is chosen, and what a node is worth; the settings of `mcts`."""

    context: Context
    c_puct: float
    selection: str
    first_play: str
    backup: str

    def path_to_leaf(self, root: Place) -> list[Place]:
        """Go from the root to a leaf; the visit counts now, its value when it is known."""
        path = [root]
        while path[-1].children:
            above = path[-1]
            open_children = [child for child in above.children if not child.closed]
            path.append(max(open_children, key=lambda child: self._bid(above, child)))
        for place in path:
            place.visits += 1
        _close(path)
        return path

    def back_up(self, path: list[Place], value: float) -> None:
        """Give the leaf's value to every node of its path."""
        for place in path:
            place.total += value
            place.highest = max(place.highest, value)
            self.context.note(place.node, visits=place.visits, value=self._value(place))
        _close(path)

    def _bid(self, above: Place, child: Place) -> float:
        if self.selection == "puct":
            curiosity = log((above.visits + C_BASE + 1) / C_BASE) + self.c_puct
            return self._worth(above, child) + curiosity * child.prior * sqrt(above.visits) / (1 + child.visits)
        return self._worth(above, child) + self.c_puct * sqrt(log(above.visits) / max(1, child.visits))

    def _worth(self, above: Place, child: Place) -> float:
        if child.visits:
            return self._value(child)
        if self.first_play == "parent":
            return self._value(above)
        return inf if self.first_play == "unvisited" else self.context.score_of(child.node)

    def _value(self, place: Place) -> float:
        return place.highest if self.backup == "max" else place.total / place.visits


def _close(path: list[Place]) -> None:
    """Bring `closed` up to date from the leaf upwards: all children are closed, or there is none to visit."""
    for place in reversed(path):
        place.closed = all(child.closed for child in place.children)
