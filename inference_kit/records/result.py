"""What is found, what it cost, and what is stored for one problem."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from inference_kit.records.completion import FinishReason
from inference_kit.records.json_fields import fields_to_json, known_fields
from inference_kit.records.problem import AnswerKind, Index, Problem
from inference_kit.records.tree import TreeNode

SCHEMA = 1
"""Version of the stored files; a reader refuses a larger one by name and keeps reading smaller ones."""


@dataclass(frozen=True, slots=True)
class Candidate:
    """A whole solution, ready for the vote.

    Equal answers share a `group` number, -1 where there is no answer. `score` aggregates the step scores, None without
    a reward model. `finish_reason` is `length` where the solution was cut off. `self_certainty` is the mean certainty
    of its tokens, `tail_confidence` the mean confidence of the last 2048 of them, `answer_margin` the mean margin of
    the tokens of its answer. These three are None where the engine was not asked or cannot say.
    """

    text: str
    answer: str | None
    steps: tuple[str, ...] = ()
    step_scores: tuple[float, ...] = ()
    score: float | None = None
    group: int = -1
    finish_reason: FinishReason = "stop"
    tokens: int = 0
    logprob: float | None = None
    self_certainty: float | None = None
    tail_confidence: float | None = None
    answer_margin: float | None = None

    def to_json(self) -> dict[str, Any]:
        """Return all fields by name."""
        return fields_to_json(self) | {"steps": list(self.steps), "step_scores": list(self.step_scores)}

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> "Candidate":
        """Read what `to_json` wrote; unknown keys are skipped, missing ones take their defaults."""
        lists = {name: tuple(data.get(name, ())) for name in ("steps", "step_scores")}
        return cls(**{**known_fields(cls, data), **lists})


@dataclass(frozen=True, slots=True)
class Usage:
    """What a problem cost.

    A call is one completion or one scored solution. Cached calls and tokens come from the call log of another run. What
    an earlier, interrupted process of the same run paid counts as paid by this run, so that a resumed run reports the
    same figures as an undisturbed one.
    """

    prompt_tokens: int = 0
    generated_tokens: int = 0
    cached_tokens: int = 0
    reward_tokens: int = 0
    calls: int = 0
    cached_calls: int = 0
    reward_calls: int = 0
    cached_reward_calls: int = 0

    def __add__(self, other: "Usage") -> "Usage":
        # Written out: it is called for every completion, and `fields` would cost more than the rest of a call.
        return Usage(
            self.prompt_tokens + other.prompt_tokens,
            self.generated_tokens + other.generated_tokens,
            self.cached_tokens + other.cached_tokens,
            self.reward_tokens + other.reward_tokens,
            self.calls + other.calls,
            self.cached_calls + other.cached_calls,
            self.reward_calls + other.reward_calls,
            self.cached_reward_calls + other.cached_reward_calls,
        )

    def to_json(self) -> dict[str, int]:
        """Return all counts by name."""
        return fields_to_json(self)

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> "Usage":
        """Read what `to_json` wrote; unknown keys are skipped, missing ones count 0."""
        return cls(**known_fields(cls, data))


@dataclass(frozen=True, slots=True)
class Solution:
    """What a solver returns for a problem: candidates in the order of the method, their cost, and the tree if kept."""

    candidates: tuple[Candidate, ...]
    usage: Usage
    tree: tuple[TreeNode, ...] = ()


@dataclass(frozen=True, slots=True)
class Record:
    """What is stored for one problem.

    `error` is the one line that says why it failed, None where it did not. `tree` is empty unless it was kept.
    `seconds` is what the problem took, `run_seconds` how long all processes of its run had worked by then.
    """

    index: Index
    input: str | list[dict[str, Any]]
    gold: str | list[str] | None
    answer_kind: AnswerKind = "math"
    metadata: Mapping[str, Any] = field(default_factory=dict)
    candidates: tuple[Candidate, ...] = ()
    usage: Usage = field(default_factory=Usage)
    seconds: float = 0.0
    run_seconds: float = 0.0
    error: str | None = None
    tree: tuple[TreeNode, ...] = ()

    @classmethod
    def of(
        cls,
        problem: Problem,
        solution: Solution | None,
        error: str | None = None,
        *,
        seconds: float = 0.0,
        run_seconds: float = 0.0,
    ) -> "Record":
        """Build the record of a problem that was solved, or that failed with `error`."""
        alone = len(problem.messages) == 1 and not problem.messages[0].images
        return cls(
            index=problem.index,
            input=problem.messages[0].content if alone else [message.to_json() for message in problem.messages],
            gold=list(problem.answer) if isinstance(problem.answer, tuple) else problem.answer,
            answer_kind=problem.answer_kind,
            metadata=problem.metadata,
            candidates=solution.candidates if solution else (),
            usage=solution.usage if solution else Usage(),
            seconds=seconds,
            run_seconds=run_seconds,
            error=error,
            tree=solution.tree if solution else (),
        )

    def to_json(self) -> dict[str, Any]:
        """Return all fields by name, after the schema; `tree` is left out where it is empty."""
        return {
            "schema": SCHEMA,
            "index": self.index,
            "input": self.input,
            "gold": self.gold,
            "answer_kind": self.answer_kind,
            "metadata": dict(self.metadata),
            "candidates": [candidate.to_json() for candidate in self.candidates],
            "usage": self.usage.to_json(),
            "seconds": self.seconds,
            "run_seconds": self.run_seconds,
            "error": self.error,
        } | ({"tree": [node.to_json() for node in self.tree]} if self.tree else {})

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> "Record":
        """Read what `to_json` wrote; unknown keys are skipped, so that later versions can add some."""
        return cls(
            **{
                **known_fields(cls, data),
                "candidates": tuple(Candidate.from_json(each) for each in data.get("candidates", ())),
                "usage": Usage.from_json(data.get("usage", {})),
                "tree": tuple(TreeNode.from_json(each) for each in data.get("tree", ())),
            }
        )
