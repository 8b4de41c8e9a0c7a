"""Rows: completions in the making, and how each gets its next token.

Why: whatever runs the model, a completion is drawn, counted and ended in one way.
Promises: a row's token follows from its logits, settings, seed and length alone; it ends at an end token, a stop text,
a step boundary or its room, whichever comes first.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from inference_kit.errors import EngineError
from inference_kit.models.decode.prefix_cache import Ids
from inference_kit.models.decode.sampling import History, Sureness, has_penalty, sample, sureness, uniforms
from inference_kit.records import FinishReason, GenerationConfig

if TYPE_CHECKING:
    from torch import Tensor


@dataclass(slots=True, eq=False)
class Row:
    """One completion in the making.

    `prompt` are the ids of the whole prompt with the partial answer, which takes the last `begun` of them and counts as
    written where penalties are about what was written; `ends` tells from the written ids whether a stop text or a step
    boundary has come, and is None where there is none to look for. `sureness` has an entry for each written token where
    the settings ask for token details.
    """

    prompt: Ids
    config: GenerationConfig
    seed: int
    room: int
    ends: Callable[[Sequence[int]], FinishReason | None] | None = None
    begun: int = 0
    written: list[int] = field(default_factory=list)
    logprob: float = 0.0
    sureness: list[Sureness] = field(default_factory=list)
    finish_reason: FinishReason | None = None
    cancelled: bool = False
    error: EngineError | None = None

    @property
    def length(self) -> int:
        """Tokens in the cache: all but the newest, which the next step reads."""
        return len(self.prompt) + len(self.written) - 1

    @property
    def read(self) -> Ids:
        """The ids that are read before its first step."""
        return self.prompt[:-1]

    @property
    def newest(self) -> int:
        """The id that the next step reads."""
        return self.written[-1] if self.written else self.prompt[-1]

    @property
    def rank(self) -> int | None:
        """Where the next token is not to be drawn, its place among the likeliest."""
        return self.seed if self.config.branch_first and not self.written else None


def choose(rows: Sequence[Row], logits: "Tensor", eos: frozenset[int]) -> None:
    """Sample each row's next token from its logits, (rows, vocabulary), and see whether it ends the row."""
    configs = [row.config for row in rows]
    draws = uniforms([row.seed for row in rows], [len(row.written) for row in rows])
    history = None
    if any(has_penalty(config) for config in configs):
        replies = [(*row.prompt[len(row.prompt) - row.begun :], *row.written) for row in rows]
        history = History([row.prompt for row in rows], replies, logits.shape[-1], str(logits.device))
    ranks = [row.rank for row in rows] if any(config.branch_first for config in configs) else []
    tokens, logprobs = sample(logits, configs, draws, history, ranks)
    detailed = [place for place, config in enumerate(configs) if config.token_details]
    if detailed:
        for place, sure in zip(detailed, sureness(logits[detailed], tokens[detailed]), strict=True):
            rows[place].sureness.append(sure)
    for row, token, logprob in zip(rows, tokens.tolist(), logprobs.tolist(), strict=True):
        row.written.append(token)
        row.logprob += logprob
        if math.isnan(logprob):
            row.error = EngineError(
                "the model's logits are not numbers",
                fix="Its number format overflows: use --dtype bfloat16 or float32.",
            )
        elif token in eos:
            row.finish_reason = "stop"
        elif row.ends and (reason := row.ends(row.written)):
            row.finish_reason = reason
        elif len(row.written) >= row.room:
            row.finish_reason = "length"
