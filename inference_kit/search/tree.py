"""The statistics of a search tree: selection of the leaf to visit next, and backpropagation of its value.

Why: these are the formulas of the papers, apart from what is generated when.
Promises: of equal children the one that was generated first is taken. A leaf in flight counts as a visit of value 0
(virtual loss). A subtree with nothing left to visit is closed. Values are never negative and never change sign.
Source: UCT Kocsis, Szepesvari 2006; PUCT Silver et al. 2017, arXiv:1712.01815; virtual loss Chaslot et al. 2008.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from math import inf, log, sqrt

from inference_kit.context import Context
from inference_kit.records import Node

C_BASE = 19652
"""Visits after which PUCT's exploration begins to grow (AlphaZero's pb_c_base)."""


@dataclass(slots=True)
class TreePlace:
    """A node with its statistics.

    `prior` is the model's own probability of the node among its siblings, `total` and `highest` are taken over the
    values of its visits. It is `closed` where no leaf below it is left to visit.
    """

    node: Node
    prior: float = 1.0
    visits: int = 0
    total: float = 0.0
    highest: float = 0.0
    closed: bool = False
    children: list["TreePlace"] = field(default_factory=list)

    def iterate_open_leaves(self) -> Iterator["TreePlace"]:
        """Yield the leaves below that are not finished, depth first, in the order of generation."""
        waiting = [self]
        while waiting:
            place = waiting.pop()
            waiting += reversed(place.children)
            if not place.children and not place.node.finished:
                yield place


@dataclass(frozen=True, slots=True)
class TreePolicy:
    """How a child is selected and what a node is worth; the settings are those of `mcts`."""

    context: Context
    c_puct: float
    selection: str
    first_play: str
    backup: str

    def select_path(self, root: TreePlace) -> list[TreePlace]:
        """Select a leaf and return the path to it; its visit counts now, its value once it is known."""
        path = [root]
        while path[-1].children:
            parent = path[-1]
            open_children = [child for child in parent.children if not child.closed]
            path.append(max(open_children, key=lambda child: self._upper_bound(parent, child)))
        for place in path:
            place.visits += 1
        _close(path)
        return path

    def backpropagate(self, path: list[TreePlace], value: float) -> None:
        """Add the leaf's value to every node of its path, and note visits and value in the stored tree."""
        for place in path:
            place.total += value
            place.highest = max(place.highest, value)
            self.context.note(place.node, visits=place.visits, value=self._value(place))
        _close(path)

    def _upper_bound(self, parent: TreePlace, child: TreePlace) -> float:
        """Return what selection maximizes: the child's value plus a bonus for having few visits.

        With Q the value, N visits, P the prior and c the constant `c_puct`::

            UCT:  Q + c sqrt(ln N(parent) / N(child))
            PUCT: Q + (ln((N(parent) + C_BASE + 1) / C_BASE) + c) P sqrt(N(parent)) / (1 + N(child))
        """
        if self.selection == "puct":
            exploration = log((parent.visits + C_BASE + 1) / C_BASE) + self.c_puct
            bonus = exploration * child.prior * sqrt(parent.visits) / (1 + child.visits)
        else:
            bonus = self.c_puct * sqrt(log(parent.visits) / max(1, child.visits))
        return self._estimate(parent, child) + bonus

    def _estimate(self, parent: TreePlace, child: TreePlace) -> float:
        """Return the child's value; before its first visit, what `first_play` says (first-play urgency)."""
        if child.visits:
            return self._value(child)
        if self.first_play == "parent":
            return self._value(parent)
        return inf if self.first_play == "unvisited" else self.context.score_of(child.node)

    def _value(self, place: TreePlace) -> float:
        return place.highest if self.backup == "max" else place.total / place.visits


def _close(path: list[TreePlace]) -> None:
    """Update `closed` from the leaf upwards: a place is closed where all its children are, so also without children."""
    for place in reversed(path):
        place.closed = all(child.closed for child in place.children)
