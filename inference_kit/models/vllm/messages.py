"""What an engine of vLLM is asked, and what it answers, as records.

Why: both ends, which may be two Pythons with different packages, mean the same by a name.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class EngineSettings:
    """vLLM's engine arguments by name, and the folder of a LoRA adapter."""

    arguments: Mapping[str, Any]
    adapter: str | None = None


@dataclass(frozen=True, slots=True)
class Loaded:
    """What a loaded engine says of itself: the longest prompt and completion together, in tokens."""

    max_model_len: int


@dataclass(frozen=True, slots=True)
class UnknownArgument:
    """An engine argument that vLLM does not know."""

    name: str
    known: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class LoadError:
    """Why vLLM does not load; the log may know more."""

    reason: str


@dataclass(frozen=True, slots=True)
class Write:
    """Asks for a completion of a prompt with each seed; `sampling` are settings by vLLM's names.

    With `streams` there is one seed, and its completion is written piece by piece.
    """

    ids: tuple[int, ...]
    seeds: tuple[int, ...]
    sampling: Mapping[str, Any]
    streams: bool = False


@dataclass(frozen=True, slots=True)
class Rivals:
    """The log-probability of a token that was written, and the likeliest tokens in its place with theirs."""

    logprob: float
    likeliest: tuple[tuple[int, float], ...]


@dataclass(frozen=True, slots=True)
class Written:
    """A completion, or with `streams` its next piece; `place` is that of its seed.

    `logprob` is the sum over its tokens, `finish_reason` and `stop` are vLLM's, and `rivals` stand for each token where
    they were asked for.
    """

    place: int
    token_ids: list[int]
    logprob: float | None = None
    finish_reason: str | None = None
    stop: int | str | None = None
    rivals: tuple[Rivals, ...] = ()


@dataclass(frozen=True, slots=True)
class Pool:
    """Asks for what a model with a head makes of a text: of the tokens at `places`, or of the whole without any."""

    ids: tuple[int, ...]
    pooling: Mapping[str, Any]
    places: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Pooled:
    """The outputs of the head for each place, or one list for the whole."""

    rows: list[Any]


@dataclass(frozen=True, slots=True)
class Refused:
    """vLLM refuses one request, and why."""

    reason: str


@dataclass(frozen=True, slots=True)
class Failed:
    """vLLM cannot go on, and why; the log may know more."""

    reason: str
