"""What an engine is asked and what it writes; what a reward model says of it."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from inference_kit.records.json_fields import fields_to_json, known_fields
from inference_kit.records.problem import Message

FinishReason = Literal["stop", "length", "boundary", "withheld", "error"]
"""Why a completion ended: by itself or at a `stop` text, at the token limit, at a step boundary, or with an error.

`withheld` is what a server's content filter stopped, or the model refused to write.
"""


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
        return fields_to_json(self) | {"stop": list(self.stop)}


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
            **known_fields(cls, data)
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
