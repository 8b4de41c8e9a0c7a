"""What a search method sees of one problem: it hands over nodes and gets nodes, or scores, back.

Why: seeds, steps, the call log, merging, budgets and accounting live here once, so that a method is straight-line code
like the paper's.
Promises: a node's seed follows from the run's seed, the problem and its place in the tree, never from time or order;
every completion and every scored solution is in the call log before a method sees it; equal siblings are one node and
equal texts are scored once; a budget counts cached calls too, so that a replay stops at the same place.
"""

import asyncio
import hashlib
import random
from collections import Counter, defaultdict
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

from loguru import logger

from inference_kit.budget import RunBudget
from inference_kit.errors import BudgetSpent, NoRoom, UserError
from inference_kit.flow import all_of
from inference_kit.grader import GraderPool, extract
from inference_kit.models.base import Engine
from inference_kit.models.local.images import digest_file
from inference_kit.records import (
    Completion,
    FinishReason,
    GenerationConfig,
    Index,
    Message,
    Node,
    Problem,
    Prompt,
    StepScores,
    Usage,
)
from inference_kit.reward_models.base import RewardModel
from inference_kit.store.call_log import CallLog, LoggedCall, call_key
from inference_kit.voting import AGGREGATES

Method = Callable[["Context"], Awaitable[list[Node]]]
"""A search method with its settings bound."""

END_OF_THINKING = "</think>"
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
    engine: Engine
    reward_model: RewardModel | None
    config: GenerationConfig
    call_log: CallLog | None = None
    grader: GraderPool | None = None
    rules: Rules = field(default_factory=Rules)
    run_budget: RunBudget = field(default_factory=RunBudget)
    usage: Usage = field(default_factory=Usage)
    nodes: list[Node] = field(default_factory=list)
    notes: dict[tuple[int, ...], dict[str, float]] = field(default_factory=dict)
    _born: Counter[tuple[int, ...]] = field(default_factory=Counter)
    _step_scores: dict[tuple[int, ...], tuple[float, ...]] = field(default_factory=dict)
    _kept: list[Node] = field(default_factory=list)
    _answers: dict[tuple[int, ...], str | None] = field(default_factory=dict)
    _written: dict[str, Completion] = field(default_factory=dict)
    _asking: defaultdict[str, asyncio.Lock] = field(default_factory=lambda: defaultdict(asyncio.Lock))
    _scored: dict[tuple[str, ...], StepScores] = field(default_factory=dict)

    @cached_property
    def root(self) -> Node:
        """Where the reply to the problem begins."""
        return Node(messages=self.problem.messages)

    @cached_property
    def rng(self) -> random.Random:
        """Random numbers that follow from the run's seed and the problem."""
        return random.Random(f"{self.rules.seed}|{type(self.problem.index).__name__}|{self.problem.index}")

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
        config, step = self._config(temperature), _Step(self.rules.step_tokens, until_tokens)
        if boundary is not None:
            config, step = replace(config, boundary=boundary), _Step(until_tokens=until_tokens)
        elif not self.rules.step_tokens:
            config = replace(config, boundary=self.engine.separator)
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
        return rewritten

    async def score(self, nodes: Sequence[Node]) -> list[float]:
        """Score the text from the root to each node; the aggregate of its step scores, 0 where there is no text."""
        if self.reward_model is None:
            raise UserError("this method scores steps, and there is no reward model", fix="Add --reward-model NAME.")
        texts = {node.path: self.steps_of(node) for node in nodes if node.path not in self._step_scores}
        missing = [steps for steps in dict.fromkeys(texts.values()) if steps and steps not in self._scored]
        self._scored.update(zip(missing, await all_of([self._scores(steps) for steps in missing]), strict=True))
        for path, steps in texts.items():
            self._step_scores[path] = self._scored[steps].scores if steps else ()
        return [self.score_of(node) for node in nodes]

    async def score_if_possible(self, nodes: Sequence[Node]) -> None:
        """Score `nodes` where there is a reward model."""
        if self.reward_model is not None:
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
        *thoughts, rest = node.whole_text.split(END_OF_THINKING)
        regions = [*(thought + END_OF_THINKING for thought in thoughts), rest]
        separator = self.engine.separator
        pieces = [piece for region in regions for piece in (region.split(separator) if separator else [region])]
        return tuple(piece.strip() for piece in pieces if piece.strip())

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

    def whole_solutions(self) -> list[Node]:
        """Every solution that was written to its end so far, in the order they were made."""
        return [node for node in self.nodes if node.finished and node.root is self.root] + self._kept

    def note(self, node: Node, **values: float) -> None:
        """Add what the method computed for `node`, such as visits and value, to the stored tree."""
        self.notes.setdefault(node.path, {}).update(values)

    def _config(self, temperature: float | None) -> GenerationConfig:
        config = self.config if temperature is None else replace(self.config, temperature=temperature)
        # At temperature 0 the sampling settings change nothing, so they take no part in what is looked up.
        return config if config.temperature else replace(config, top_p=1.0, top_k=0, min_p=0.0)

    async def _grow(
        self, nodes: Sequence[Node], n: int | Sequence[int], config: GenerationConfig, step: "_Step | None"
    ) -> list[list[Node]]:
        """Write `n` children below each of `nodes`, as far as the budget reaches; without `step` to their end.

        Equal steps below one node are one child; equal whole solutions stay apart, because a vote counts them.
        """
        sizes = [n] * len(nodes) if isinstance(n, int) else n
        families: list[list[Node]] = [[] for _ in nodes]
        for wave in self._waves(sizes, whole=step is None):
            wanted = Counter(wave[: self.calls_left])
            self.run_budget.check()
            if self.tokens_left == 0 or not wanted:
                raise BudgetSpent(f"problem {self.problem.index} has spent its budget")
            grown = await all_of([self._children(nodes[place], size, config, step) for place, size in wanted.items()])
            for place, children in zip(wanted, grown, strict=True):
                family = _distinct(children) if step else children
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

    async def _children(self, node: Node, n: int, config: GenerationConfig, step: "_Step | None") -> list[Node]:
        room = self._room_behind(node)
        step_tokens = step.tokens_behind(node, room) if step else room
        asked_config = config if step_tokens == config.max_new_tokens else replace(config, max_new_tokens=step_tokens)
        born = self._born[node.path]
        ordinals = range(born, born + n)
        self._born[node.path] += n
        seeds = self._seeds(node, ordinals, config)
        prompt = self._prompt(node)
        asked = self._asked(prompt, asked_config)
        keys = [call_key(asked=asked, seed=seed) for seed in seeds]
        # Only at temperature 0 do two nodes ask the same; the second one waits for what the first one gets.
        async with self._asking[asked] if config.temperature == 0 else nullcontext():
            await self._write(prompt, asked_config, dict(zip(keys, seeds, strict=True)))
        return [
            _child(node, ordinal, _bounded(self._written[key], step_tokens, room))
            for ordinal, key in zip(ordinals, keys, strict=True)
        ]

    async def _write(self, prompt: Prompt, config: GenerationConfig, seed_of: Mapping[str, int]) -> None:
        """Put the completion of each key into `_written`; what is there already costs nothing."""
        prompt_tokens = 0  # read once, however many completions say so
        for key in [key for key in seed_of if key not in self._written]:
            if logged := self._logged(key):
                self._written[key] = completion = Completion.from_json(logged.payload)
                prompt_tokens += self._count(completion, paid=logged.same_run, known=prompt_tokens)
        missing = [key for key in seed_of if key not in self._written]
        if missing:
            seeds = tuple(seed_of[key] for key in missing)
            try:
                async for position, completion in self.engine.generate(replace(prompt, seeds=seeds), config):
                    self._log(missing[position], completion.to_json())
                    self._written[missing[position]] = completion
                    prompt_tokens += self._count(completion, paid=True, known=prompt_tokens)
            except NoRoom as error:
                if not prompt.prefix and prompt.messages == self.problem.messages:
                    raise
                logger.warning("problem {} ends with what it has: {}", self.problem.index, error)
                raise BudgetSpent(f"problem {self.problem.index} has spent its context") from error

    def _room_behind(self, node: Node) -> int:
        """Tokens that the solution may still take; one that was cut off and goes on has as many again."""
        written = 0 if node.finish_reason == "length" else node.whole_tokens
        return max(1, self.config.max_new_tokens - written)

    def _seeds(self, node: Node, ordinals: Sequence[int], config: GenerationConfig) -> list[int]:
        if config.branch_first:
            return list(ordinals)
        if config.temperature == 0:
            return [0] * len(ordinals)
        first = derive_seed(self.rules.seed, self.problem.index, node.path)
        return [first + ordinal for ordinal in ordinals]

    async def _scores(self, steps: tuple[str, ...]) -> StepScores:
        assert self.reward_model is not None
        key = call_key(asked=self._asked_of_reward_model, steps=steps)
        if logged := self._logged(key):
            scores = StepScores(tuple(logged.payload["scores"]), logged.payload["tokens"])
            paid = logged.same_run
        else:
            scores, paid = await self.reward_model.scores(self.problem, steps), True
            self._log(key, {"scores": scores.scores, "tokens": scores.tokens})
        self.usage += Usage(reward_tokens=scores.tokens, reward_calls=1, cached_reward_calls=0 if paid else 1)
        return scores

    @cached_property
    def _asked_of_reward_model(self) -> str:
        """The digest of all that the scores of this problem's solutions have in common."""
        assert self.reward_model is not None
        return call_key(
            reward_model=self.reward_model.identity,
            problem=[message.to_json() for message in self.problem.messages],
            question=self.problem.question,
            gold=self.problem.answer,
        )

    def _begin(self, path: tuple[int, ...], messages: tuple[Message, ...]) -> Node:
        root = Node(path=self._place_below(path), messages=messages)
        self.nodes.append(root)
        return root

    def _place_below(self, path: tuple[int, ...]) -> tuple[int, ...]:
        self._born[path] += 1
        return (*path, self._born[path] - 1)

    def _prompt(self, node: Node) -> Prompt:
        """What the children of a node go on from; nothing is wanted yet."""
        lineage = node.lineage
        known = all(each.token_ids or not each.text for each in lineage)
        prefix_tokens = tuple(token for each in lineage for token in each.token_ids) if known else ()
        return Prompt(node.root.messages, node.whole_text, (), prefix_tokens)

    def _asked(self, prompt: Prompt, config: GenerationConfig) -> str:
        """The digest of all that the children of a node have in common, so that sixteen keys cost about one."""
        return call_key(
            engine=self.engine.identity,
            messages=[message.to_json() for message in prompt.messages],
            prefix=prompt.prefix,
            prefix_tokens=prompt.prefix_tokens,
            settings=config.to_json(),
            **_images_of(prompt.messages),
        )

    def _count(self, completion: Completion, *, paid: bool, known: int) -> int:
        """Count a completion; how many tokens of its prompt were paid for beyond those `known` already."""
        usage = Usage(
            prompt_tokens=max(0, completion.prompt_tokens - known) if paid else 0,
            generated_tokens=completion.tokens if paid else 0,
            cached_tokens=0 if paid else completion.tokens,
            calls=1,
            cached_calls=0 if paid else 1,
        )
        self.usage += usage
        self.run_budget.count(usage)
        return usage.prompt_tokens

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


def _images_of(messages: Sequence[Message]) -> dict[str, dict[str, str]]:
    """What a key says besides of images in files, by their content; nothing where there is none."""
    names = [name for message in messages for name in message.images]
    digests = {name: digest for name in names if (digest := digest_file(name))}
    return {"images": digests} if digests else {}


@dataclass(frozen=True, slots=True)
class _Step:
    """How long a step may get: so many tokens, or until the reply has so many."""

    tokens: int = 0
    until_tokens: int | None = None

    def tokens_behind(self, node: Node, room: int) -> int:
        """The most tokens of the next step behind `node`, at least 1."""
        until = room if self.until_tokens is None else self.until_tokens - node.whole_tokens
        return max(1, min(self.tokens or room, until, room))


def _distinct(family: Sequence[Node]) -> list[Node]:
    """The first of each text; one that goes on and one that ends there are two."""
    first: dict[tuple[str, bool], Node] = {}
    for node in family:
        first.setdefault((node.text, node.finished), node)
    return list(first.values())


def _bounded(completion: Completion, step_tokens: int, room: int) -> Completion:
    """A step cut by its own length is at a boundary, and one that used up the solution's room at its end."""
    if completion.finish_reason not in ("length", "boundary"):
        return completion
    goes_on = completion.tokens < room and (completion.finish_reason == "boundary" or completion.tokens >= step_tokens)
    reason: FinishReason = "boundary" if goes_on else "length"
    return completion if completion.finish_reason == reason else replace(completion, finish_reason=reason)


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
