"""Solver: one problem in, its candidates out; the only way to an answer.

Why: the runner, the chat and every other face ask the same thing, so they must get it from the same place.
Promises: nothing is loaded before the first problem; candidates keep the order in which the method returned them; their
answers are extracted and grouped here, once, so that votes only count.
"""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass

from inference_kit.context import Context, Method, derive_seed
from inference_kit.grader import GraderPool, extract
from inference_kit.models.base import Engine
from inference_kit.records import Candidate, GenerationConfig, Node, Problem, Prompt, Solution
from inference_kit.reward_models.base import RewardModel
from inference_kit.store.call_log import CallLog


@dataclass(frozen=True, slots=True)
class Solver:
    """What it takes to solve a problem: engine, reward model, method and settings."""

    engine: Engine
    method: Method
    config: GenerationConfig
    grader: GraderPool
    reward_model: RewardModel | None = None
    call_log: CallLog | None = None
    seed: int = 0

    async def solve(self, problem: Problem) -> Solution:
        """Search for solutions of one problem."""
        context = Context(problem, self.engine, self.reward_model, self.config, self.call_log, self.seed)
        nodes = await self.method(context)
        choices = tuple(problem.metadata.get("choices", ()))
        answers = [extract(node.whole_text, problem.answer_kind, choices) for node in nodes]
        groups = await asyncio.to_thread(self.grader.group, answers, problem.answer_kind)
        return Solution(
            tuple(
                _candidate(context, node, answer, group)
                for node, answer, group in zip(nodes, answers, groups, strict=True)
            ),
            context.usage,
        )

    async def stream(self, problem: Problem) -> AsyncIterator[str]:
        """Write one plain reply piece by piece, without search and without the call log."""
        seed = derive_seed(self.seed, problem.index, ())
        async for piece in self.engine.stream(Prompt(problem.messages, seeds=(seed,)), self.config):
            yield piece

    async def close(self) -> None:
        """Give back what engine and call log hold."""
        await self.engine.close()
        if self.call_log:
            self.call_log.close()


def _candidate(context: Context, node: Node, answer: str | None, group: int) -> Candidate:
    scores = context.step_scores(node)
    logprobs = [each.logprob for each in node.lineage]
    return Candidate(
        text=node.whole_text,
        answer=answer,
        steps=context.steps_of(node),
        step_scores=scores,
        score=scores[-1] if scores else None,
        group=group,
        finish_reason=node.finish_reason,
        tokens=node.whole_tokens,
        logprob=None if None in logprobs else sum(each for each in logprobs if each is not None),
    )
