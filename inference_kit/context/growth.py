"""Growth: children below nodes, from seeds and budgets to completions, merged and told of.

Why: how a node's children are asked for is the same whether a method wants steps, whole solutions or branches.
Promises: a child's seed follows from its place; of equal steps below one node the first is kept; what is begun fits the
budget, which counts cached calls too, so that a replay stops at the same place.
"""

from collections import Counter
from collections.abc import AsyncGenerator, Iterator, Sequence
from dataclasses import dataclass, field, replace

from loguru import logger

from inference_kit.calls import Calls
from inference_kit.context.rules import Rules
from inference_kit.context.seeds import seeds_of_children
from inference_kit.context.steps import StepLength, cut_crossing_stop, end_of_step
from inference_kit.context.telling import Teller
from inference_kit.errors import BudgetSpent, NoRoom
from inference_kit.flow import all_of
from inference_kit.records import Completion, GenerationConfig, Message, Node, Problem, Prompt
from inference_kit.records.events import NodeMerged, Piece

WAVE = 4
"""Whole solutions in flight at once under a token budget, so that it is not overrun by more than these."""


@dataclass
class Growth:
    """The nodes of one problem so far, and what makes more of them.

    `max_tokens` and `max_calls` are what the problem may still cost in all, None for no limit. `boundaries` are the
    texts that were to end the steps, by the places of the nodes.
    """

    problem: Problem
    calls: Calls
    config: GenerationConfig
    rules: Rules
    teller: Teller
    nodes: list[Node] = field(default_factory=list)
    boundaries: dict[tuple[int, ...], str] = field(default_factory=dict)
    _n_children: Counter[tuple[int, ...]] = field(default_factory=Counter)

    def __post_init__(self) -> None:
        self.max_tokens, self.max_calls = self.rules.max_tokens, self.rules.max_calls

    @property
    def tokens_left(self) -> int | None:
        """What the problem may still cost, None for no limit."""
        spent = self.calls.usage.generated_tokens + self.calls.usage.cached_tokens
        return None if self.max_tokens is None else max(0, self.max_tokens - spent)

    @property
    def calls_left(self) -> int | None:
        """Completions that may still be asked for, None for no limit."""
        return None if self.max_calls is None else max(0, self.max_calls - self.calls.usage.calls)

    def config_at(self, temperature: float | None) -> GenerationConfig:
        """Return the settings at another temperature, or as they are."""
        config = self.config if temperature is None else replace(self.config, temperature=temperature)
        # At temperature 0 the sampling settings change nothing, so they take no part in what is looked up.
        return config if config.temperature else replace(config, top_p=1.0, top_k=0, min_p=0.0)

    def begin(self, path: tuple[int, ...], messages: tuple[Message, ...]) -> Node:
        """Make the root of a further conversation, below `path`."""
        return self.add(Node(path=self.place_below(path), messages=messages))

    def add(self, node: Node) -> Node:
        """Take a node that no engine wrote into the tree."""
        self.nodes.append(node)
        self.teller.tell_written(node)
        return node

    async def grow(
        self, nodes: Sequence[Node], n: int | Sequence[int], config: GenerationConfig, step: StepLength | None
    ) -> list[list[Node]]:
        """Write `n` children below each of `nodes`, as far as the budget reaches; without `step` to their end.

        Equal steps below one node are one child; equal whole solutions stay apart, because a vote counts them.
        """
        sizes = [n] * len(nodes) if isinstance(n, int) else n
        families: list[list[Node]] = [[] for _ in nodes]
        for wave in self._cut_into_waves(sizes, whole=step is None):
            wanted = Counter(wave[: self.calls_left])
            if self.tokens_left == 0 or not wanted:
                raise BudgetSpent(f"problem {self.problem.index} has spent its budget")
            grown = await all_of(
                [self._write_children(nodes[place], size, config, step) for place, size in wanted.items()]
            )
            for place, children in zip(wanted, grown, strict=True):
                family = self._merge_equal(children) if step else children
                families[place] += family
                self.nodes += family
            if wanted.total() < len(wave):
                raise BudgetSpent(f"problem {self.problem.index} has spent its calls")
        return families

    def _cut_into_waves(self, sizes: Sequence[int], *, whole: bool) -> Iterator[list[int]]:
        """Yield the places of the nodes whose children are written together.

        These are all at once, or a few where whole solutions are written and tokens are limited.
        """
        places = [place for place, size in enumerate(sizes) for _ in range(size)]
        at_once = WAVE if whole and self.max_tokens is not None else max(1, len(places))
        for start in range(0, len(places), at_once):
            yield places[start : start + at_once]

    async def _write_children(
        self, node: Node, n: int, config: GenerationConfig, step: StepLength | None
    ) -> list[Node]:
        room = self._count_room(node)
        step_tokens = step.tokens_behind(node, room) if step else room
        asked_config = config if step_tokens == config.max_new_tokens else replace(config, max_new_tokens=step_tokens)
        first = self._n_children[node.path]
        ordinals = range(first, first + n)
        self._n_children[node.path] += n
        seeds = seeds_of_children(config, self.rules.seed, self.problem.index, node.path, ordinals)
        prompt = _build_prompt(node, seeds)
        children: dict[int, Node] = {}
        try:
            async for position, item in self._ask(prompt, asked_config):
                if isinstance(item, str):
                    self.teller.tell(Piece((*node.path, ordinals[position]), item))
                    continue
                item = cut_crossing_stop(item, node.whole_text, config.stop)
                child = _build_child(node, ordinals[position], end_of_step(item, step_tokens, room))
                children[position] = child
                self.boundaries[child.path] = config.boundary
                self.teller.tell_written(child, distinct=step is None)
        except NoRoom as error:
            if not prompt.prefix and prompt.messages == self.problem.messages:
                raise
            logger.warning("problem {} ends with what it has: {}", self.problem.index, error)
            raise BudgetSpent(f"problem {self.problem.index} has spent its context") from error
        return [children[position] for position in range(n)]

    def _ask(
        self, prompt: Prompt, config: GenerationConfig
    ) -> AsyncGenerator[tuple[int, Completion], None] | AsyncGenerator[tuple[int, str | Completion], None]:
        if self.teller.wants_pieces:
            return self.calls.stream(prompt, config)
        return self.calls.generate(prompt, config)

    def _merge_equal(self, family: Sequence[Node]) -> list[Node]:
        """Keep the first node of each text; one that goes on and one that ends there are two."""
        first: dict[tuple[str, bool], Node] = {}
        for node in family:
            kept = first.setdefault((node.text, node.finished), node)
            if kept is node:
                self.teller.tell_whole(node)
            else:
                self.teller.tell(NodeMerged(node.path, kept.path))
        return list(first.values())

    def place_below(self, path: tuple[int, ...]) -> tuple[int, ...]:
        """Return the next free place below `path`, which is taken by that."""
        self._n_children[path] += 1
        return (*path, self._n_children[path] - 1)

    def _count_room(self, node: Node) -> int:
        """Count the tokens that the solution may still take; one that was cut off and goes on has as many again."""
        written = 0 if node.finish_reason == "length" else node.whole_tokens
        return max(1, self.config.max_new_tokens - written)


def _build_prompt(node: Node, seeds: tuple[int, ...]) -> Prompt:
    """Build what the engine is asked for the children of a node."""
    lineage = node.lineage
    known = all(each.token_ids or not each.text for each in lineage)
    prefix_tokens = tuple(token for each in lineage for token in each.token_ids) if known else ()
    return Prompt(node.root.messages, node.whole_text, seeds, prefix_tokens)


def _build_child(parent: Node, ordinal: int, completion: Completion) -> Node:
    return Node(
        completion.text,
        parent,
        (*parent.path, ordinal),
        completion.finish_reason,
        completion.tokens,
        completion.logprob,
        completion.token_ids,
        completion.details,
    )
