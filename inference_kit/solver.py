"""Solver: one problem in, its candidates out; the only way to an answer.

Why: the runner, the chat and every other face ask the same thing, so they must get it from the same place.
Promises: nothing is loaded before the first problem; candidates keep the order in which the method returned them, and
there is always one; their answers are extracted and grouped here, once, so that votes only count.
"""

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field, replace

from inference_kit.budget import RunBudget
from inference_kit.calls import Calls
from inference_kit.confidence import answer_margin, self_certainty, tail_confidence
from inference_kit.context import Context, Method, Rules
from inference_kit.errors import BudgetSpent
from inference_kit.grader import GraderPool
from inference_kit.models.base import Engine
from inference_kit.records import Candidate, GenerationConfig, Node, Problem, Prompt, Solution, TreeNode
from inference_kit.reward_models.base import RewardModel
from inference_kit.seeds import derive_seed
from inference_kit.store.call_log import CallLog


@dataclass(frozen=True, slots=True)
class Solver:
    """What it takes to solve a problem: engine, reward model, method and settings.

    `keep_trees` hands out every node that was made, with its scores and the method's notes.
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
        calls = Calls(self.engine, self.reward_model, self.call_log, self.run_budget)
        context = Context(problem, calls, self.config, self.grader, self.rules)
        nodes = await self._searched(context)
        groups = await context.groups(nodes)
        candidates = tuple(_candidate(context, node, group) for node, group in zip(nodes, groups, strict=True))
        return Solution(candidates, context.usage, _tree(context, nodes) if self.keep_trees else ())

    async def _searched(self, context: Context) -> list[Node]:
        """What the method finds; where its budget is spent before, every whole solution that was written until then."""
        try:
            nodes = await self.method(context)
        except BudgetSpent:
            nodes = context.whole_solutions()
            await context.score_if_possible(nodes)
        return nodes or await _one_solution(context)

    async def stream(self, problem: Problem) -> AsyncIterator[str]:
        """Write one plain reply piece by piece, without search and without the call log."""
        seed = derive_seed(self.rules.seed, problem.index, ())
        async for _, piece in self.engine.stream(Prompt(problem.messages, seeds=(seed,)), self.config):
            if isinstance(piece, str):
                yield piece

    async def close(self) -> None:
        """Give back what engine, reward model and call log hold."""
        await self.engine.close()
        if self.reward_model:
            await self.reward_model.close()
        if self.call_log:
            self.call_log.close()


async def _one_solution(context: Context) -> list[Node]:
    """Write the best path there is to its end, so that a problem is never without a candidate."""
    context.rules = replace(context.rules, max_tokens=None, max_calls=None)
    paths = [node for node in context.nodes if node.parent and not node.finished and node.root is context.root]
    await context.score_if_possible(paths)  # those of a round that the budget cut short have no score yet
    best = max(paths, key=lambda node: (context.score_of(node), len(node.path)), default=context.root)
    solution = await context.complete([best], 1)
    await context.score_if_possible(solution)
    return solution


def _candidate(context: Context, node: Node, group: int) -> Candidate:
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


def _tree(context: Context, candidates: Sequence[Node]) -> tuple[TreeNode, ...]:
    place_of = {node.path: place for place, node in reversed([*enumerate(candidates)])}
    return tuple(
        TreeNode(
            path=node.path,
            text=node.text if node.parent else node.messages[-1].content,
            finish_reason=node.finish_reason,
            tokens=node.tokens,
            logprob=node.logprob,
            step_scores=context.step_scores(node),
            candidate=place_of.get(node.path, -1),
            notes=context.notes.get(node.path, {}),
        )
        for node in context.nodes
    )
