"""What a search method sees of one problem: it hands over nodes and gets nodes, or scores, back.

Why: the tree, its seeds, steps, merging and budgets live here once, so that a method is straight-line code like the
paper's.
Promises: a node's seed follows from the run's seed, the problem and its place in the tree, never from time or order;
equal siblings are one node and equal texts are scored once; a budget counts cached calls too, so that a replay stops at
the same place.
"""

import asyncio
import random
from collections import Counter
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property

from loguru import logger

from inference_kit.calls import Calls
from inference_kit.context.seeds import problem_random, seeds_of_children
from inference_kit.context.steps import StepLength, end_of_step, split_steps
from inference_kit.errors import BudgetSpent, NoRoom, UserError
from inference_kit.flow import all_of
from inference_kit.grader import GraderPool, extract
from inference_kit.records import (
    Completion,
    GenerationConfig,
    Message,
    Node,
    Problem,
    Prompt,
    StepScores,
    TreeNode,
    Usage,
)
from inference_kit.records.events import (
    CandidateWhole,
    Event,
    NodeMerged,
    NodeNoted,
    NodeScored,
    NodeWritten,
    Piece,
    Watcher,
)
from inference_kit.voting import AGGREGATES

Method = Callable[["Context"], Awaitable[list[Node]]]
"""A search method with its settings bound."""

WAVE = 4
"""Whole solutions in flight at once under a token budget, so that it is not overrun by more than these."""


@dataclass(frozen=True, slots=True)
class Rules:
    """What holds for every problem of a run, whatever the method.

    `aggregate` makes one score of step scores; `step_tokens` ends a step after so many tokens instead of at the
    separator, 0 for never; `max_tokens` and `max_calls` are what one problem may cost, None for no limit.
    """

    seed: int = 0
    aggregate: str = "last"
    step_tokens: int = 0
    max_tokens: int | None = None
    max_calls: int | None = None


@dataclass
class Context:
    """One problem under search; made by the solver, handed to the method."""

    problem: Problem
    calls: Calls
    config: GenerationConfig
    grader: GraderPool | None = None
    rules: Rules = field(default_factory=Rules)
    watcher: Watcher | None = None
    nodes: list[Node] = field(default_factory=list)
    notes: dict[tuple[int, ...], dict[str, float]] = field(default_factory=dict)
    _born: Counter[tuple[int, ...]] = field(default_factory=Counter)
    _step_scores: dict[tuple[int, ...], tuple[float, ...]] = field(default_factory=dict)
    _kept: list[Node] = field(default_factory=list)
    _answers: dict[tuple[int, ...], str | None] = field(default_factory=dict)
    _scored: dict[tuple[str, ...], StepScores] = field(default_factory=dict)

    @cached_property
    def root(self) -> Node:
        """Where the reply to the problem begins."""
        return Node(messages=self.problem.messages)

    @cached_property
    def rng(self) -> random.Random:
        """Random numbers that follow from the run's seed and the problem."""
        return problem_random(self.rules.seed, self.problem.index)

    @property
    def usage(self) -> Usage:
        """What the problem has cost so far."""
        return self.calls.usage

    @property
    def has_scores(self) -> bool:
        """Whether there is a reward model."""
        return self.calls.reward_model is not None

    @property
    def tokens_left(self) -> int | None:
        """What the problem may still cost, None for no limit."""
        spent = self.usage.generated_tokens + self.usage.cached_tokens
        return None if self.rules.max_tokens is None else max(0, self.rules.max_tokens - spent)

    @property
    def calls_left(self) -> int | None:
        """Completions that may still be asked for, None for no limit."""
        return None if self.rules.max_calls is None else max(0, self.rules.max_calls - self.usage.calls)

    async def complete(self, nodes: Sequence[Node], n: int, *, temperature: float | None = None) -> list[Node]:
        """Write each of `nodes` to its end, `n` times; the new nodes come in the order of `nodes`.

        A node that is completed again gets further children, with seeds of their own.

        Raises:
            BudgetSpent: where the budget does not reach; what was written until then is in `nodes`.
        """
        families = await self._grow(nodes, n, self._config(temperature), None)
        return [child for family in families for child in family]

    async def expand(self, nodes: Sequence[Node], n: int, *, temperature: float | None = None) -> list[Node]:
        """Write `n` next steps below each of `nodes`; the new nodes come in the order of `nodes`.

        A step ends at the engine's separator, or after `step_tokens`; equal texts below one node are one child.

        Raises:
            BudgetSpent: like `complete`.
        """
        return [child for family in await self.expand_each(nodes, n, temperature=temperature) for child in family]

    async def expand_each(
        self,
        nodes: Sequence[Node],
        n: int | Sequence[int],
        *,
        temperature: float | None = None,
        boundary: str | None = None,
        until_tokens: int | None = None,
    ) -> list[list[Node]]:
        """Like `expand`, with the children of each node apart; a node that is named twice has two families.

        Args:
            nodes: Unfinished nodes, or roots.
            n: Children for each node, or one number for each.
            temperature: Instead of the one set.
            boundary: Text that ends a step, instead of the run's own step boundary.
            until_tokens: Also end a step where the reply has so many tokens.
        """
        config, step = self._config(temperature), StepLength(self.rules.step_tokens, until_tokens)
        if boundary is not None:
            config, step = replace(config, boundary=boundary), StepLength(until_tokens=until_tokens)
        elif not self.rules.step_tokens:
            config = replace(config, boundary=self.calls.engine.separator)
        return await self._grow(nodes, n, config, step)

    async def branch(self, node: Node, n: int) -> list[Node]:
        """Write `node` to its end greedily from each of its `n` likeliest first tokens."""
        config = replace(self._config(0.0), branch_first=True, token_details=True)
        [family] = await self._grow([node], n, config, None)
        return family

    def follow_up(self, node: Node, text: str) -> Node:
        """Begin the next turn of the conversation: what `node` replied, then `text` as the user."""
        said = (*node.root.messages, Message("assistant", node.whole_text), Message("user", text))
        return self._begin(node.path, said)

    def ask(self, text: str) -> Node:
        """Begin a conversation of its own, apart from the problem's."""
        return self._begin((), (Message("user", text),))

    def rewrite(self, node: Node, text: str) -> Node:
        """Put `text` in the place of what `node` wrote; the reply goes on behind it, and the cost stays."""
        path = self._place_below(node.path[:-1])
        rewritten = replace(node, text=text, path=path, finish_reason="boundary", token_ids=(), details=())
        self.nodes.append(rewritten)
        self._tell_written(rewritten)
        return rewritten

    async def score(self, nodes: Sequence[Node]) -> list[float]:
        """Score the text from the root to each node; the aggregate of its step scores, 0 where there is no text."""
        if not self.has_scores:
            raise UserError("this method scores steps, and there is no reward model", fix="Add --reward-model NAME.")
        texts = {node.path: self.steps_of(node) for node in nodes if node.path not in self._step_scores}
        missing = [steps for steps in dict.fromkeys(texts.values()) if steps and steps not in self._scored]
        found = await all_of([self.calls.score(self.problem, steps) for steps in missing])
        self._scored.update(zip(missing, found, strict=True))
        for path, steps in texts.items():
            self._step_scores[path] = self._scored[steps].scores if steps else ()
        for node in nodes if self.watcher else ():
            if node.path in texts:
                self._tell(NodeScored(node.path, self.step_scores(node), self.score_of(node)))
        return [self.score_of(node) for node in nodes]

    async def score_if_possible(self, nodes: Sequence[Node]) -> None:
        """Score `nodes` where there is a reward model."""
        if self.has_scores:
            await self.score(nodes)

    async def best_first(self, nodes: Sequence[Node]) -> list[Node]:
        """Score `nodes` and rank them; ties go to the newest step score, then to the earlier node."""
        await self.score(nodes)
        return sorted(nodes, key=lambda node: (self.score_of(node), self.newest_score(node)), reverse=True)

    def step_scores(self, node: Node) -> tuple[float, ...]:
        """The scores that `score` found for `node`; empty where it was not scored."""
        return self._step_scores.get(node.path, ())

    def score_of(self, node: Node) -> float:
        """The aggregate of the step scores found for `node`, 0 where there are none."""
        scores = self.step_scores(node)
        return AGGREGATES[self.rules.aggregate](scores) if scores else 0.0

    def newest_score(self, node: Node) -> float:
        """The score found for the newest step, 0 where there is none."""
        return (self.step_scores(node) or (0.0,))[-1]

    def steps_of(self, node: Node) -> tuple[str, ...]:
        """The reply up to `node` cut at the engine's separator and behind its thought; blank pieces are no steps."""
        return split_steps(node.whole_text, self.calls.engine.separator)

    def answer_of(self, node: Node) -> str | None:
        """The final answer in the reply that ends with `node`."""
        if node.path not in self._answers:
            choices = tuple(self.problem.metadata.get("choices", ()))
            self._answers[node.path] = extract(node.whole_text, self.problem.answer_kind, choices)
        return self._answers[node.path]

    async def groups(self, nodes: Sequence[Node]) -> list[int]:
        """Number the groups of equal answers in order of first appearance; -1 where there is no answer."""
        assert self.grader is not None, "a solver has a grader"
        answers = [self.answer_of(node) for node in nodes]
        if len(set(answers) - {None}) < 2:  # nothing to compare
            return [-1 if answer is None else 0 for answer in answers]
        return await asyncio.to_thread(self.grader.group, answers, self.problem.answer_kind)

    def keep(self, nodes: Sequence[Node]) -> None:
        """Take replies of further turns for whole solutions, like those of the first."""
        self._kept += nodes
        for node in nodes if self.watcher else ():
            self._tell(CandidateWhole(node.path, node.whole_text, self.answer_of(node)))

    def whole_solutions(self) -> list[Node]:
        """Every solution that was written to its end so far, in the order they were made."""
        return [node for node in self.nodes if node.finished and node.root is self.root] + self._kept

    def note(self, node: Node, **values: float) -> None:
        """Add what the method computed for `node`, such as visits and value, to the stored tree."""
        self.notes.setdefault(node.path, {}).update(values)
        self._tell(NodeNoted(node.path, dict(self.notes[node.path])))

    def tree_node(self, node: Node, candidate: int = -1) -> TreeNode:
        """Return a node as it is stored; `candidate` is the place of the candidate that ends there, if one does."""
        return TreeNode(
            path=node.path,
            text=node.text if node.parent else node.messages[-1].content,
            finish_reason=node.finish_reason,
            tokens=node.tokens,
            logprob=node.logprob,
            step_scores=self.step_scores(node),
            candidate=candidate,
            notes=self.notes.get(node.path, {}),
        )

    def _config(self, temperature: float | None) -> GenerationConfig:
        config = self.config if temperature is None else replace(self.config, temperature=temperature)
        # At temperature 0 the sampling settings change nothing, so they take no part in what is looked up.
        return config if config.temperature else replace(config, top_p=1.0, top_k=0, min_p=0.0)

    async def _grow(
        self, nodes: Sequence[Node], n: int | Sequence[int], config: GenerationConfig, step: StepLength | None
    ) -> list[list[Node]]:
        """Write `n` children below each of `nodes`, as far as the budget reaches; without `step` to their end.

        Equal steps below one node are one child; equal whole solutions stay apart, because a vote counts them.
        """
        sizes = [n] * len(nodes) if isinstance(n, int) else n
        families: list[list[Node]] = [[] for _ in nodes]
        for wave in self._waves(sizes, whole=step is None):
            wanted = Counter(wave[: self.calls_left])
            self.calls.run_budget.check()
            if self.tokens_left == 0 or not wanted:
                raise BudgetSpent(f"problem {self.problem.index} has spent its budget")
            grown = await all_of([self._children(nodes[place], size, config, step) for place, size in wanted.items()])
            for place, children in zip(wanted, grown, strict=True):
                family = self._merge_equal(children) if step else children
                families[place] += family
                self.nodes += family
            if wanted.total() < len(wave):
                raise BudgetSpent(f"problem {self.problem.index} has spent its calls")
        return families

    def _waves(self, sizes: Sequence[int], *, whole: bool) -> Iterator[list[int]]:
        """The places of the nodes whose children are written together; all at once, or few where tokens are counted."""
        places = [place for place, size in enumerate(sizes) for _ in range(size)]
        at_once = WAVE if whole and self.rules.max_tokens is not None else max(1, len(places))
        for start in range(0, len(places), at_once):
            yield places[start : start + at_once]

    async def _children(self, node: Node, n: int, config: GenerationConfig, step: StepLength | None) -> list[Node]:
        room = self._room_behind(node)
        step_tokens = step.tokens_behind(node, room) if step else room
        asked_config = config if step_tokens == config.max_new_tokens else replace(config, max_new_tokens=step_tokens)
        born = self._born[node.path]
        ordinals = range(born, born + n)
        self._born[node.path] += n
        seeds = seeds_of_children(config, self.rules.seed, self.problem.index, node.path, ordinals)
        prompt = _prompt_behind(node, seeds)
        children: dict[int, Node] = {}
        try:
            async for position, item in self._ask(prompt, asked_config):
                if isinstance(item, str):
                    self._tell(Piece((*node.path, ordinals[position]), item))
                    continue
                child = _child(node, ordinals[position], end_of_step(item, step_tokens, room))
                children[position] = child
                self._tell_written(child, distinct=step is None)
        except NoRoom as error:
            if not prompt.prefix and prompt.messages == self.problem.messages:
                raise
            logger.warning("problem {} ends with what it has: {}", self.problem.index, error)
            raise BudgetSpent(f"problem {self.problem.index} has spent its context") from error
        return [children[position] for position in range(n)]

    def _ask(
        self, prompt: Prompt, config: GenerationConfig
    ) -> AsyncGenerator[tuple[int, Completion], None] | AsyncGenerator[tuple[int, str | Completion], None]:
        if self.watcher and self.watcher.pieces:
            return self.calls.stream(prompt, config)
        return self.calls.generate(prompt, config)

    def _merge_equal(self, family: Sequence[Node]) -> list[Node]:
        """Keep the first node of each text; one that goes on and one that ends there are two."""
        first: dict[tuple[str, bool], Node] = {}
        for node in family:
            kept = first.setdefault((node.text, node.finished), node)
            if kept is node:
                self._tell_whole(node)
            else:
                self._tell(NodeMerged(node.path, kept.path))
        return list(first.values())

    def _tell(self, event: Event) -> None:
        if self.watcher:
            self.watcher.tell(event)

    def _tell_written(self, node: Node, *, distinct: bool = True) -> None:
        """Tell of a node, and of a candidate where it ends one; a node that may be merged with others ends none yet."""
        if self.watcher:
            self.watcher.tell(NodeWritten(self.tree_node(node)))
            if distinct:
                self._tell_whole(node)

    def _tell_whole(self, node: Node) -> None:
        if self.watcher and node.finished and node.root is self.root:
            self.watcher.tell(CandidateWhole(node.path, node.whole_text, self.answer_of(node)))

    def _room_behind(self, node: Node) -> int:
        """Tokens that the solution may still take; one that was cut off and goes on has as many again."""
        written = 0 if node.finish_reason == "length" else node.whole_tokens
        return max(1, self.config.max_new_tokens - written)

    def _begin(self, path: tuple[int, ...], messages: tuple[Message, ...]) -> Node:
        root = Node(path=self._place_below(path), messages=messages)
        self.nodes.append(root)
        self._tell_written(root)
        return root

    def _place_below(self, path: tuple[int, ...]) -> tuple[int, ...]:
        self._born[path] += 1
        return (*path, self._born[path] - 1)


def _prompt_behind(node: Node, seeds: tuple[int, ...]) -> Prompt:
    """What the children of a node are asked with."""
    lineage = node.lineage
    known = all(each.token_ids or not each.text for each in lineage)
    prefix_tokens = tuple(token for each in lineage for token in each.token_ids) if known else ()
    return Prompt(node.root.messages, node.whole_text, seeds, prefix_tokens)


def _child(parent: Node, ordinal: int, completion: Completion) -> Node:
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
