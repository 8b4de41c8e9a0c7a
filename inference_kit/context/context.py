"""What a search method sees of one problem: it hands over nodes and gets nodes, or scores, back.

Why: the tree, its seeds, steps, merging and budgets live here once, so that a method is straight-line code like the
paper's.
Promises: a node's seed follows from the run's seed, the problem and its place in the tree, never from time or order;
equal siblings are one node and equal texts are scored once; a budget counts cached calls too, so that a replay stops at
the same place.
"""

import asyncio
import random
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import TYPE_CHECKING

from inference_kit.calls import Calls
from inference_kit.context.growth import Growth
from inference_kit.context.rules import Rules
from inference_kit.context.seeds import problem_random
from inference_kit.context.steps import StepLength, split_steps
from inference_kit.context.telling import Teller
from inference_kit.errors import UserError, named
from inference_kit.flow import all_of
from inference_kit.records import (
    GenerationConfig,
    Message,
    Node,
    Problem,
    StepScores,
    TreeNode,
    Usage,
)
from inference_kit.records.events import (
    NodeNoted,
    NodeScored,
    Watcher,
)
from inference_kit.voting import AGGREGATES

if TYPE_CHECKING:
    from inference_kit.grader import GraderPool

Method = Callable[["Context"], Awaitable[list[Node]]]
"""A search method with its settings bound."""


@dataclass
class Context:
    """One problem under search; made by the solver, handed to the method."""

    problem: Problem
    calls: Calls
    config: GenerationConfig
    grader: "GraderPool | None" = None
    rules: Rules = field(default_factory=Rules)
    watcher: Watcher | None = None
    notes: dict[tuple[int, ...], dict[str, float]] = field(default_factory=dict)
    _step_scores: dict[tuple[int, ...], tuple[float, ...]] = field(default_factory=dict)
    _kept: list[Node] = field(default_factory=list)
    _answers: dict[tuple[int, ...], str | None] = field(default_factory=dict)
    _scored: dict[tuple[str, ...], StepScores] = field(default_factory=dict)

    @cached_property
    def _teller(self) -> Teller:
        # Unwatched it does not know this context, so that a problem that is done leaves no cycle behind.
        return Teller(self.watcher, self.tree_node, self.answer_of) if self.watcher else Teller()

    @cached_property
    def _growth(self) -> Growth:
        return Growth(self.problem, self.calls, self.config, self.rules, self._teller)

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
    def nodes(self) -> list[Node]:
        """Every node that was made, in the order of their making."""
        return self._growth.nodes

    @property
    def tokens_left(self) -> int | None:
        """What the problem may still cost, None for no limit."""
        return self._growth.tokens_left

    @property
    def calls_left(self) -> int | None:
        """Completions that may still be asked for, None for no limit."""
        return self._growth.calls_left

    def lift_budget(self) -> None:
        """Let the problem cost what it takes to have one solution."""
        self._growth.max_tokens = self._growth.max_calls = None

    async def complete(self, nodes: Sequence[Node], n: int, *, temperature: float | None = None) -> list[Node]:
        """Write each of `nodes` to its end, `n` times; the new nodes come in the order of `nodes`.

        A node that is completed again gets further children, with seeds of their own.

        Raises:
            BudgetSpent: where the budget does not reach; what was written until then is in `nodes`.
        """
        families = await self._growth.grow(nodes, n, self._growth.config_at(temperature), None)
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
        config, step = self._growth.config_at(temperature), StepLength(self.rules.step_tokens, until_tokens)
        if boundary is not None:
            config, step = replace(config, boundary=boundary), StepLength(until_tokens=until_tokens)
        elif not self.rules.step_tokens:
            config = replace(config, boundary=self.calls.engine.separator)
        return await self._growth.grow(nodes, n, config, step)

    async def branch(self, node: Node, n: int) -> list[Node]:
        """Write `node` to its end greedily from each of its `n` likeliest first tokens."""
        config = replace(self._growth.config_at(0.0), branch_first=True, token_details=True)
        [family] = await self._growth.grow([node], n, config, None)
        return family

    def follow_up(self, node: Node, text: str) -> Node:
        """Begin the next turn of the conversation: what `node` replied, then `text` as the user."""
        said = (*node.root.messages, Message("assistant", node.whole_text), Message("user", text))
        return self._growth.begin(node.path, said)

    def ask(self, text: str) -> Node:
        """Begin a conversation of its own, apart from the problem's."""
        return self._growth.begin((), (Message("user", text),))

    def rewrite(self, node: Node, text: str) -> Node:
        """Put `text` in the place of what `node` wrote; the reply goes on behind it, and the cost stays."""
        path = self._growth.place_below(node.path[:-1])
        return self._growth.add(replace(node, text=text, path=path, finish_reason="boundary", token_ids=(), details=()))

    async def score(self, nodes: Sequence[Node]) -> list[float]:
        """Score the text from the root to each node; the aggregate of its step scores, 0 where there is no text."""
        if not self.has_scores:
            raise UserError(
                "this method scores steps, and there is no reward model", fix=f"Add {named('reward_model')} NAME."
            )
        texts = {node.path: self.steps_of(node) for node in nodes if node.path not in self._step_scores}
        missing = [steps for steps in dict.fromkeys(texts.values()) if steps and steps not in self._scored]
        found = await all_of([self.calls.score(self.problem, steps) for steps in missing])
        self._scored.update(zip(missing, found, strict=True))
        for path, steps in texts.items():
            self._step_scores[path] = self._scored[steps].scores if steps else ()
        for node in nodes if self.watcher else ():
            if node.path in texts:
                self._teller.tell(NodeScored(node.path, self.step_scores(node), self.score_of(node)))
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
        """The reply up to `node` cut at the engine's separator and behind its thought; blank pieces are no steps.

        What the last token of a step says behind the separator is the beginning of the next step, and shown with that.
        """
        separator, text = self.calls.engine.separator, node.whole_text
        if node.finish_reason == "boundary" and self._growth.boundaries.get(node.path) == separator:
            text = text.removesuffix(node.text.partition(separator)[2])
        return split_steps(text, separator)

    def answer_of(self, node: Node) -> str | None:
        """The final answer in the reply that ends with `node`."""
        if node.path not in self._answers:
            from inference_kit.grader import extract  # half of the start of a command that only looks methods up

            choices = tuple(self.problem.metadata.get("choices", ()))
            cut_off = node.finish_reason == "length"
            self._answers[node.path] = extract(node.whole_text, self.problem.answer_kind, choices, cut_off=cut_off)
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
            self._teller.tell_candidate(node)

    def whole_solutions(self) -> list[Node]:
        """Every solution that was written to its end so far, in the order they were made."""
        return [node for node in self.nodes if node.finished and node.root is self.root] + self._kept

    def note(self, node: Node, **values: float) -> None:
        """Add what the method computed for `node`, such as visits and value, to the stored tree."""
        self.notes.setdefault(node.path, {}).update(values)
        self._teller.tell(NodeNoted(node.path, dict(self.notes[node.path])))

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
