"""Solver: one problem in, its candidates out; the only way to an answer.

Why: the runner, the chat and every other face ask the same thing, so they must get it from the same place.
Promises: nothing is loaded before the first problem; candidates keep the order in which the method returned them, and
there is always one; their answers are extracted and grouped here, once, so that votes only count; whoever watches a
search changes nothing in it, and who stops watching ends it.
"""

from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field

from inference_kit.budget import RunBudget
from inference_kit.calls import Calls
from inference_kit.confidence import answer_margin, self_certainty, tail_confidence
from inference_kit.context import Context, Method, Rules
from inference_kit.errors import BudgetSpent
from inference_kit.flow import as_reported
from inference_kit.grader import GraderPool
from inference_kit.models.base import Engine
from inference_kit.records import Candidate, GenerationConfig, Node, Problem, Solution, TreeNode
from inference_kit.records.events import Event, Piece, Solved, Watcher
from inference_kit.reward_models.base import RewardModel
from inference_kit.store.call_log import CallLog


@dataclass(frozen=True, slots=True)
class Solver:
    """What it takes to solve a problem: engine, reward model, method and settings.

    Engine, reward model, grader and call log are borrowed: whoever opened them closes them. `keep_trees` hands out
    every node that was made, with its scores and the method's notes.
    """

    engine: Engine
    method: Method
    config: GenerationConfig
    grader: GraderPool
    reward_model: RewardModel | None = None
    call_log: CallLog | None = None
    rules: Rules = field(default_factory=Rules)
    run_budget: RunBudget = field(default_factory=RunBudget)
    keep_trees: bool = False

    async def solve(self, problem: Problem) -> Solution:
        """Search for solutions of one problem."""
        return await self._search(problem)

    async def watch(self, problem: Problem, *, pieces: bool = True) -> AsyncGenerator[Event, None]:
        """Search like `solve`, and yield what happens; the last event is the solution.

        Closing the generator ends the search, and what the engine was writing for it.

        Args:
            problem: What to solve.
            pieces: Have the engine show texts while they grow; what it writes is the same.
        """

        async def search(tell: Callable[[Event], None]) -> None:
            tell(Solved(await self._search(problem, Watcher(tell, pieces))))

        async with aclosing(as_reported(search)) as events:
            async for event in events:
                yield event

    async def stream(self, problem: Problem) -> AsyncGenerator[str, None]:
        """Write the reply of a method that writes a single solution, piece by piece."""
        async with aclosing(self.watch(problem)) as events:
            async for event in events:
                if isinstance(event, Piece):
                    yield event.text

    async def _search(self, problem: Problem, watcher: Watcher | None = None) -> Solution:
        calls = Calls(self.engine, self.reward_model, self.call_log, self.run_budget)
        context = Context(problem, calls, self.config, self.grader, self.rules, watcher)
        with self.run_budget.apply():
            nodes = await self._find_solutions(context)
        groups = await context.groups(nodes)
        candidates = tuple(_build_candidate(context, node, group) for node, group in zip(nodes, groups, strict=True))
        return Solution(candidates, context.calls.usage, _build_tree(context, nodes) if self.keep_trees else ())

    async def _find_solutions(self, context: Context) -> list[Node]:
        """Run the method; where its budget is spent before, take every whole solution that was written until then."""
        try:
            nodes = await self.method(context)
        except BudgetSpent:
            nodes = context.whole_solutions()
            await context.score_if_possible(nodes)
        return nodes or await _write_one_solution(context)


async def _write_one_solution(context: Context) -> list[Node]:
    """Write the best path there is to its end, so that a problem is never without a candidate."""
    context.lift_budget()
    paths = [node for node in context.nodes if node.parent and not node.finished and node.root is context.root]
    await context.score_if_possible(paths)  # those of a round that the budget cut short have no score yet
    best = max(paths, key=lambda node: (context.score_of(node), len(node.path)), default=context.root)
    solution = await context.complete([best], 1)
    await context.score_if_possible(solution)
    return solution


def _build_candidate(context: Context, node: Node, group: int) -> Candidate:
    scores, answer = context.step_scores(node), context.answer_of(node)
    lineage = node.lineage
    logprobs = [each.logprob for each in lineage]
    details = [token for each in lineage for token in each.details]
    return Candidate(
        text=node.whole_text,
        answer=answer,
        steps=context.steps_of(node),
        step_scores=scores,
        score=context.score_of(node) if scores else None,
        group=group,
        finish_reason=node.finish_reason,
        tokens=node.whole_tokens,
        logprob=None if None in logprobs else sum(each for each in logprobs if each is not None),
        self_certainty=self_certainty(details),
        tail_confidence=tail_confidence(details),
        answer_margin=answer_margin(details, answer),
    )


def _build_tree(context: Context, candidates: Sequence[Node]) -> tuple[TreeNode, ...]:
    place_of = {node.path: place for place, node in reversed([*enumerate(candidates)])}
    return tuple(context.tree_node(node, place_of.get(node.path, -1)) for node in context.nodes)
