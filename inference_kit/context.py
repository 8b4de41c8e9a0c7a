"""What a search method sees of one problem: it hands over nodes and gets nodes, or scores, back.

Why: seeds, the call log, merging and accounting live here once, so that a method is straight-line code like the
paper's.
Promises: a node's seed follows from the run's seed, the problem and its place in the tree, never from time or order;
every completion and every scored solution is in the call log before a method sees it; equal texts are scored once.
"""

import hashlib
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from inference_kit.flow import all_of
from inference_kit.models.base import Engine
from inference_kit.records import Completion, GenerationConfig, Index, Node, Problem, Prompt, StepScores, Usage
from inference_kit.reward_models.base import RewardModel
from inference_kit.store.call_log import CallLog, LoggedCall, call_key

Method = Callable[["Context"], Awaitable[list[Node]]]
"""A search method with its settings bound."""


@dataclass(slots=True)
class Context:
    """One problem under search; made by the solver, handed to the method."""

    problem: Problem
    engine: Engine
    reward_model: RewardModel | None
    config: GenerationConfig
    call_log: CallLog | None
    seed: int = 0
    root: Node = field(default_factory=Node)
    usage: Usage = field(default_factory=Usage)
    _born: Counter[tuple[int, ...]] = field(default_factory=Counter)
    _step_scores: dict[tuple[int, ...], tuple[float, ...]] = field(default_factory=dict)

    async def complete(self, nodes: Sequence[Node], n: int, *, temperature: float | None = None) -> list[Node]:
        """Write each of `nodes` to its end, `n` times; the new nodes come in the order of `nodes`.

        A node that is completed again gets further children, with seeds of their own.
        """
        config = self.config if temperature is None else replace(self.config, temperature=temperature)
        families = await all_of([self._children(node, n, _greedy_once(config)) for node in nodes])
        return [child for family in families for child in family]

    async def score(self, nodes: Sequence[Node]) -> list[float]:
        """Score the text from the root to each node; its last step score, 0 where there is no text."""
        assert self.reward_model is not None, "the solver refuses a method that needs a reward model without one"
        texts = {node.path: self.steps_of(node) for node in nodes}
        unique = list(dict.fromkeys(steps for steps in texts.values() if steps))
        found = dict(zip(unique, await all_of([self._scores(steps) for steps in unique]), strict=True))
        for path, steps in texts.items():
            self._step_scores[path] = found[steps].scores if steps else ()
        return [scores[-1] if (scores := self._step_scores[node.path]) else 0.0 for node in nodes]

    def step_scores(self, node: Node) -> tuple[float, ...]:
        """The scores that `score` found for `node`; empty where it was not scored."""
        return self._step_scores.get(node.path, ())

    def steps_of(self, node: Node) -> tuple[str, ...]:
        """The reply up to `node` cut at the engine's separator; blank pieces are no steps."""
        pieces = node.whole_text.split(self.engine.separator) if self.engine.separator else [node.whole_text]
        return tuple(piece.strip() for piece in pieces if piece.strip())

    async def _children(self, node: Node, n: int, config: GenerationConfig) -> list[Node]:
        first = derive_seed(self.seed, self.problem.index, node.path)
        born = self._born[node.path]
        ordinals = range(born, born + n)
        self._born[node.path] += n
        seeds = [0 if config.temperature == 0 else first + ordinal for ordinal in ordinals]
        asked = self._asked(node, config)
        keys = [call_key(asked=asked, seed=seed) for seed in seeds]
        completions: dict[str, Completion] = {}
        for key in dict.fromkeys(keys):
            if logged := self._logged(key):
                completions[key] = Completion.from_json(logged.payload)
                self._count(completions[key], paid=logged.same_run)
        wanted = {key: seed for key, seed in zip(keys, seeds, strict=True) if key not in completions}
        if wanted:
            prompt = self._prompt(node, tuple(wanted.values()))
            missing = list(wanted)
            async for position, completion in self.engine.generate(prompt, config):
                self._log(missing[position], completion.to_json())
                completions[missing[position]] = completion
                self._count(completion, paid=True)
        prompt_tokens = max((each.prompt_tokens for each in completions.values()), default=0)
        self.usage += Usage(prompt_tokens=prompt_tokens)
        return [_child(node, ordinal, completions[key]) for ordinal, key in zip(ordinals, keys, strict=True)]

    async def _scores(self, steps: tuple[str, ...]) -> StepScores:
        assert self.reward_model is not None
        question = [message.to_json() for message in self.problem.messages]
        key = call_key(reward_model=self.reward_model.identity, problem=question, steps=steps)
        if logged := self._logged(key):
            scores = StepScores(tuple(logged.payload["scores"]), logged.payload["tokens"])
            paid = logged.same_run
        else:
            scores, paid = await self.reward_model.scores(self.problem, steps), True
            self._log(key, {"scores": scores.scores, "tokens": scores.tokens})
        self.usage += Usage(reward_tokens=scores.tokens, reward_calls=1, cached_reward_calls=0 if paid else 1)
        return scores

    def _prompt(self, node: Node, seeds: tuple[int, ...]) -> Prompt:
        prefix_tokens = tuple(token for each in node.lineage for token in each.token_ids)
        return Prompt(self.problem.messages, node.whole_text, seeds, prefix_tokens)

    def _asked(self, node: Node, config: GenerationConfig) -> str:
        """The digest of all that the children of a node have in common, so that sixteen keys cost about one."""
        prompt = self._prompt(node, ())
        return call_key(
            engine=self.engine.identity,
            messages=[message.to_json() for message in prompt.messages],
            prefix=prompt.prefix,
            prefix_tokens=prompt.prefix_tokens,
            settings=config.to_json(),
        )

    def _count(self, completion: Completion, *, paid: bool) -> None:
        self.usage += Usage(
            generated_tokens=completion.tokens if paid else 0,
            cached_tokens=0 if paid else completion.tokens,
            calls=1,
            cached_calls=0 if paid else 1,
        )

    def _logged(self, key: str) -> LoggedCall | None:
        return self.call_log.find(key) if self.call_log else None

    def _log(self, key: str, payload: Mapping[str, Any]) -> None:
        if self.call_log:
            self.call_log.append(key, payload)


def derive_seed(run_seed: int, index: Index, path: tuple[int, ...]) -> int:
    """The first seed of the children of the node at `path`; child i has this plus i.

    Below 2**31 even after 65,536 children, because some engines keep seeds in 32 bits.
    """
    name = f"{run_seed}|{type(index).__name__}|{index}|{'.'.join(map(str, path))}"
    digest = hashlib.sha256(name.encode("utf-8", "surrogatepass")).digest()
    return int.from_bytes(digest[:8], "big") % (2**31 - 2**16)


def _greedy_once(config: GenerationConfig) -> GenerationConfig:
    """At temperature 0 the sampling settings change nothing, so they take no part in what is looked up."""
    return config if config.temperature else replace(config, top_p=1.0, top_k=0, min_p=0.0)


def _child(parent: Node, ordinal: int, completion: Completion) -> Node:
    return Node(
        completion.text,
        parent,
        (*parent.path, ordinal),
        completion.finish_reason,
        completion.tokens,
        completion.logprob,
        completion.token_ids,
    )
