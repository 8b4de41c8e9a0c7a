"""Monte Carlo tree search against the textbook's, which goes one simulation after the other, written out on paper."""

import math

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from search.paper import ROOT, Line, Paper, best, read
from search.world import World, solved, solver_of, texts, worlds

from inference_kit.context import Rules
from inference_kit.voting import VOTES

Place = tuple[int, ...]


class Textbook:
    """Selection, expansion, evaluation, backup; statistics are recomputed from the list of simulations each time."""

    def __init__(
        self, paper: Paper, n: int, c: float, depth: int, rule: str, first: str, value: str, backup: str
    ) -> None:
        self.paper, self.n, self.c, self.depth = paper, n, c, depth
        self.rule, self.first, self.value, self.backup = rule, first, value, backup
        self.below: dict[Place, list[Line]] = {}
        self.simulations: list[tuple[Line, float]] = []
        self.flying: list[Line] = []
        self.candidates: list[Line] = []

    def run(self, iterations: int, leaves: int) -> list[Line]:
        """All candidates in the order in which they were written."""
        while len(self.simulations) < iterations and not self.exhausted(ROOT):
            while len(self.flying) < min(leaves, iterations - len(self.simulations)) and not self.exhausted(ROOT):
                self.flying.append(self.select())
            growing = [leaf for leaf in self.flying if not leaf.finished]
            shallow = [leaf for leaf in growing if leaf.depth < self.depth]
            for leaf in [*shallow, *(leaf for leaf in growing if leaf not in shallow)]:
                self.below[leaf.place] = self.paper.steps(leaf, self.n) if leaf in shallow else [self.paper.end(leaf)]
                self.candidates += [line for line in self.below[leaf.place] if line.finished]
            valued = {leaf.place: leaf for leaf in self.flying}
            if self.value == "rollout":
                valued |= {leaf.place: self.paper.end(leaf) for leaf in growing}
                self.candidates += [valued[leaf.place] for leaf in growing]
            self.simulations += [(leaf, self.paper.worth(valued[leaf.place])) for leaf in self.flying]
            self.flying = []
        if self.candidates:
            return self.candidates
        return [self.paper.end(self.paper.ranked(list(self.open_leaves(ROOT)))[0])]

    def select(self) -> Line:
        """Go down from the root, always to the child with the highest bid."""
        line = ROOT
        while line.place in self.below:
            choice = [child for child in self.below[line.place] if not self.exhausted(child)]
            bids = [self.bid(line, child) for child in choice]
            line = choice[bids.index(max(bids))]
        return line

    def exhausted(self, line: Line) -> bool:
        """Whether nothing below is left to visit: in flight, or whole and visited, or all of its children so."""
        if line in self.flying:
            return True
        if line.finished:
            return self.visits(line) > 0
        return line.place in self.below and all(self.exhausted(child) for child in self.below[line.place])

    def open_leaves(self, line: Line) -> list[Line]:
        if line.place in self.below:
            return [leaf for child in self.below[line.place] for leaf in self.open_leaves(child)]
        return [] if line.finished else [line]

    def bid(self, above: Line, child: Line) -> float:
        if self.visits(child):
            worth = self.mean(child)
        else:
            worth = {"unvisited": math.inf, "parent": self.mean(above), "score": self.paper.worth(child)}[self.first]
        if self.rule == "uct":
            return worth + self.c * math.sqrt(math.log(self.visits(above)) / max(1, self.visits(child)))
        siblings = self.below[above.place]
        likely = [math.exp(each.newest_logprob / each.newest_tokens) for each in siblings]
        prior = likely[siblings.index(child)] / sum(likely)
        growing = math.log((self.visits(above) + 19652 + 1) / 19652) + self.c
        return worth + growing * prior * math.sqrt(self.visits(above)) / (1 + self.visits(child))

    def values(self, line: Line) -> list[float]:
        """What the simulations through a line found; one that is still in flight counts as nothing."""
        found = [value for leaf, value in self.simulations if leaf.place[: line.depth] == line.place]
        return found + [0.0 for leaf in self.flying if leaf.place[: line.depth] == line.place]

    def visits(self, line: Line) -> int:
        return len(self.values(line))

    def mean(self, line: Line) -> float:
        values = self.values(line)
        return max(values) if self.backup == "max" else math.fsum(values) / len(values)


@settings(max_examples=60)
@given(
    world=worlds,
    n=st.integers(1, 4),
    c=st.sampled_from([0.0, 0.5, 1.4]),
    depth=st.sampled_from([1, 2, 40]),
    rule=st.sampled_from(["uct", "puct"]),
    first=st.sampled_from(["unvisited", "parent", "score"]),
    value=st.sampled_from(["score", "rollout"]),
    backup=st.sampled_from(["mean", "max"]),
    iterations=st.integers(1, 16),
    leaves=st.sampled_from([1, 1, 2, 4]),
    step_tokens=st.sampled_from([0, 0, 1, 3]),
)
@example(World(3, words=4, streams=9, ending=0.0, levels=1), 3, 1.4, 40, "uct", "unvisited", "score", "mean", 4, 1, 0)
def test_mcts_is_the_textbook_s(
    world: World,
    n: int,
    c: float,
    depth: int,
    rule: str,
    first: str,
    value: str,
    backup: str,
    iterations: int,
    leaves: int,
    step_tokens: int,
) -> None:
    """MAIN-48, MAIN-49: one leaf at a time is the sequential search; of several, each counts as a visit of value 0."""
    paper = Paper(world, step_tokens=step_tokens)
    textbook = Textbook(paper, n, c, depth, rule, first, value, backup)
    expected = textbook.run(iterations, leaves)
    solver = solver_of(
        world,
        "mcts",
        rules=Rules(step_tokens=step_tokens),
        n=n,
        c_puct=c,
        max_depth=depth,
        selection=rule,
        first_play=first,
        value=value,
        backup=backup,
        iterations=iterations,
        leaves=leaves,
    )
    found = solved(solver)
    assert texts(found) == read(expected)
    assert texts(found)[VOTES["best_last"].choose(found.candidates)] == best(paper, expected)
    visits = {node.path: node.notes["visits"] for node in found.tree if "visits" in node.notes}
    lines = [line for family in textbook.below.values() for line in family]
    assert visits == {line.place: textbook.visits(line) for line in lines if textbook.visits(line)}


@pytest.mark.parametrize("rule", ["uct", "puct"])
@pytest.mark.parametrize("leaves", [1, 4])
def test_the_default_settings_are_the_textbook_s_over_many_simulations(rule: str, leaves: int) -> None:
    for seed in range(4):
        world = World(seed, words=4, streams=99, ending=0.15)
        textbook = Textbook(Paper(world), 4, 1.4, 40, rule, "unvisited", "score", "mean")
        expected = textbook.run(40, leaves)
        found = solved(solver_of(world, "mcts", selection=rule, leaves=leaves, iterations=40))
        assert texts(found) == read(expected)


def test_a_tree_that_holds_nothing_more_ends_the_search() -> None:
    """Every line of this world is whole after one step: no simulation is spent on a leaf that was visited."""
    world = World(1, ending=1.0)
    solver = solver_of(world, "mcts", n=4, iterations=50)
    found = solved(solver)
    assert len(solver.engine.asked) == 4
    assert {node.notes["visits"] for node in found.tree} == {1}


def test_the_search_goes_below_the_first_level() -> None:
    found = solved(solver_of(World(2, words=4, streams=7, ending=0.1), "mcts", n=3, iterations=12))
    visited = [node.path for node in found.tree if node.notes.get("visits")]
    assert max(map(len, visited)) >= 2
