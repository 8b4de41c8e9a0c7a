"""The records that pass between the parts of the house.

Why: a problem goes from file to answer as a handful of small frozen values, so each part can be read and tested alone.
Promises: records are frozen. What is stored has `to_json` and `from_json`, and the round trip is exact.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

SCHEMA = 1
"""Version of the stored files; a reader refuses a larger one by name and keeps reading smaller ones."""

Role = Literal["system", "user", "assistant"]
FinishReason = Literal["stop", "length", "boundary", "withheld", "error"]
"""Why a completion ended: by itself or at a `stop` text, at the token limit, at a step boundary, or with an error.

`withheld` is what a server's content filter stopped, or the model refused to write.
"""

AnswerKind = Literal["math", "number", "choice", "text"]
Index = int | str
Gold = str | tuple[str, ...] | None
"""The gold answer, several of which any is right, or None where there is none."""


@dataclass(frozen=True, slots=True)
class Message:
    """One turn of a conversation; `images` are paths or URLs."""

    role: Role
    content: str
    images: tuple[str, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """Return the chat message as an object; `images` is left out where there are none."""
        shown: dict[str, Any] = {"role": self.role, "content": self.content}
        return shown | {"images": list(self.images)} if self.images else shown

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> "Message":
        """Read a chat message, an object with `role`, `content` and perhaps `images`."""
        return cls(data["role"], data["content"], tuple(data.get("images", ())))


@dataclass(frozen=True, slots=True)
class Problem:
    """One item of a data set; `answer` is the gold answer.

    `bare_question` is the last message without the prompt template around it, empty where that is not known. It is not
    stored.
    """

    index: Index
    messages: tuple[Message, ...]
    answer: Gold = None
    answer_kind: AnswerKind = "math"
    metadata: Mapping[str, Any] = field(default_factory=dict)
    bare_question: str = ""

    @property
    def question(self) -> str:
        """What a reward model shows above the solution: the bare question, else the user's last message."""
        said = next((message.content for message in reversed(self.messages) if message.role == "user"), "")
        return self.bare_question or said


@dataclass(frozen=True, slots=True)
class GenerationConfig:
    """How an engine writes. Temperature 0 is greedy.

    `top_k` 0, `top_p` 1 and `min_p` 0 restrict nothing. `stop` texts end a completion and are cut from it. `boundary`
    ends a step and stays at its end (finish reason `boundary`). `logprobs` asks for the log-probability of the
    completion, `token_details` for that of each token and how sure the model was of it. With `branch_first` the first
    token is the one of rank `seed` (0 is the likeliest); the others follow the settings.
    """

    max_new_tokens: int = 1024
    temperature: float = 0.7
    top_p: float = 1.0
    top_k: int = 0
    min_p: float = 0.0
    repetition_penalty: float = 1.0
    frequency_penalty: float = 0.0
    presence_penalty: float = 0.0
    stop: tuple[str, ...] = ()
    boundary: str = ""
    logprobs: bool = True
    token_details: bool = False
    branch_first: bool = False

    def to_json(self) -> dict[str, Any]:
        """Return all settings by name; this is part of what a call is keyed by."""
        return _fields(self) | {"stop": list(self.stop)}


@dataclass(frozen=True, slots=True)
class Prompt:
    """What an engine is asked: conversation, the part of the reply that exists, a seed for each completion wanted.

    `prefix_tokens` are the ids of `prefix` as the engine generated them, so that a continuation does not tokenize its
    own text in another way. They are empty where this engine did not generate the prefix.
    """

    messages: tuple[Message, ...]
    prefix: str = ""
    seeds: tuple[int, ...] = (0,)
    prefix_tokens: tuple[int, ...] = ()

    @property
    def n(self) -> int:
        """Completions wanted."""
        return len(self.seeds)


@dataclass(frozen=True, slots=True)
class Token:
    """One generated token and how sure the model was of it, before temperature and truncation.

    `logprob` is in nats. `margin` is the probability of the likeliest token less that of the second. `confidence` is
    the mean of -ln p over the 20 likeliest tokens (DeepConf, arXiv:2508.15260). `certainty` is KL(uniform || p) over
    the vocabulary in nats (arXiv:2502.18581), None where the engine sees only the likeliest tokens.
    """

    text: str
    logprob: float
    margin: float
    confidence: float
    certainty: float | None = None

    def to_json(self) -> list[Any]:
        """Return the fields as a list, in their order, because there are thousands of tokens."""
        return [self.text, self.logprob, self.margin, self.confidence, self.certainty]


@dataclass(frozen=True, slots=True)
class Completion:
    """What an engine wrote.

    `tokens` counts generated tokens, `prompt_tokens` those that were read for it. `logprob` is the sum over the
    generated tokens in nats, None if unknown. `token_ids` are kept where the text may be continued (finish reason
    `boundary` or `length`), else empty. `details` are kept where they were asked for.
    """

    text: str
    finish_reason: FinishReason
    tokens: int
    logprob: float | None = None
    prompt_tokens: int = 0
    token_ids: tuple[int, ...] = ()
    details: tuple[Token, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """Return all fields by name, `prompt_tokens` as `read_tokens`; `details` is left out where there are none."""
        shown = {
            "text": self.text,
            "finish_reason": self.finish_reason,
            "tokens": self.tokens,
            "logprob": self.logprob,
            "read_tokens": self.prompt_tokens,
            "token_ids": list(self.token_ids),
        }
        return shown | {"details": [each.to_json() for each in self.details]} if self.details else shown

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> "Completion":
        """Read what `to_json` wrote, also before `read_tokens` had that name; unknown keys are skipped."""
        return cls(
            **_known(cls, data)
            | {
                "prompt_tokens": data.get("read_tokens", data.get("prompt_tokens", 0)),
                "token_ids": tuple(data.get("token_ids", ())),
                "details": tuple(Token(*each) for each in data.get("details", ())),
            }
        )


@dataclass(frozen=True, slots=True)
class StepScores:
    """What a reward model says of one solution: a score in [0, 1] for each step or one for the whole; tokens read."""

    scores: tuple[float, ...]
    tokens: int = 0


@dataclass(frozen=True, slots=True)
class Node:
    """One step in the tree of a problem. `path` holds ordinals from the root.

    A root has no parent and no text; its `messages` are the conversation that its descendants reply to. A problem has
    one root, and one more for each further turn.
    """

    text: str = ""
    parent: "Node | None" = None
    path: tuple[int, ...] = ()
    finish_reason: FinishReason = "boundary"
    tokens: int = 0
    logprob: float | None = None
    token_ids: tuple[int, ...] = ()
    details: tuple[Token, ...] = ()
    messages: tuple[Message, ...] = ()

    @property
    def finished(self) -> bool:
        """Whether no more text can follow: the model stopped, or its token limit is reached."""
        return self.finish_reason != "boundary"

    @property
    def lineage(self) -> "tuple[Node, ...]":
        """The nodes from the first step to this one, without the root."""
        nodes: list[Node] = []
        node: Node | None = self
        while node is not None and node.parent is not None:
            nodes.append(node)
            node = node.parent
        return tuple(reversed(nodes))

    @property
    def root(self) -> "Node":
        """The root of this node's turn."""
        node = self
        while node.parent is not None:
            node = node.parent
        return node

    @property
    def whole_text(self) -> str:
        """The reply so far, from its first step to the end of this one."""
        return "".join(node.text for node in self.lineage)

    @property
    def whole_tokens(self) -> int:
        """The number of generated tokens from the root to the end of this node."""
        return sum(node.tokens for node in self.lineage)


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
        return _fields(self) | {"steps": list(self.steps), "step_scores": list(self.step_scores)}

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> "Candidate":
        """Read what `to_json` wrote; unknown keys are skipped, missing ones take their defaults."""
        lists = {name: tuple(data.get(name, ())) for name in ("steps", "step_scores")}
        return cls(**{**_known(cls, data), **lists})


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
        return _fields(self)

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> "Usage":
        """Read what `to_json` wrote; unknown keys are skipped, missing ones count 0."""
        return cls(**_known(cls, data))


@dataclass(frozen=True, slots=True)
class TreeNode:
    """One node of a stored search tree, whose nodes stand in the order in which they were generated.

    Its parent's path is its own without the last number. `notes` are what the method computed, such as visits and
    value. `candidate` is the position of the candidate that ends here, -1 where none does.
    """

    path: tuple[int, ...]
    text: str
    finish_reason: FinishReason
    tokens: int = 0
    logprob: float | None = None
    step_scores: tuple[float, ...] = ()
    candidate: int = -1
    notes: Mapping[str, float] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        """Return all fields by name."""
        return _fields(self) | {
            "path": list(self.path),
            "step_scores": list(self.step_scores),
            "notes": dict(self.notes),
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> "TreeNode":
        """Read what `to_json` wrote; unknown keys are skipped."""
        lists = {name: tuple(data.get(name, ())) for name in ("path", "step_scores")}
        return cls(**{**_known(cls, data), **lists})


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
                **_known(cls, data),
                "candidates": tuple(Candidate.from_json(each) for each in data.get("candidates", ())),
                "usage": Usage.from_json(data.get("usage", {})),
                "tree": tuple(TreeNode.from_json(each) for each in data.get("tree", ())),
            }
        )


def message_list(text_or_messages: str | Sequence[Mapping[str, Any]]) -> tuple[Message, ...]:
    """Read what a data set calls its input: a text, or chat messages as objects with `role` and `content`."""
    if isinstance(text_or_messages, str):
        return (Message("user", text_or_messages),)
    return tuple(Message.from_json(each) for each in text_or_messages)


def _known(cls: type[Any], data: Mapping[str, Any]) -> dict[str, Any]:
    """Return the entries of `data` that `cls` has a field for, so that files with further keys stay readable."""
    return {name: data[name] for name in cls.__match_args__ if name in data}


def _fields(record: Any) -> dict[str, Any]:
    """Return the fields of a flat record by name; `dataclasses.asdict` would copy every value first."""
    return {name: getattr(record, name) for name in record.__match_args__}
