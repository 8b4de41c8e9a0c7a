"""Sequences: completions in the making, and how each gets its next token.

Why: whatever runs the model, a completion is sampled, counted and ended in one way.
Promises: a sequence's next token follows from its logits, settings, seed and length alone; a sequence ends at an end
token, a stop text, a step boundary or its last token allowed, whichever comes first.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from inference_kit.errors import EngineError, named
from inference_kit.models.decode.prefix_cache import Ids
from inference_kit.models.decode.sampling import (
    TokenDetails,
    TokenHistory,
    draw_uniforms,
    has_penalty,
    measure_details,
    sample,
)
from inference_kit.records import FinishReason, GenerationConfig

if TYPE_CHECKING:
    from torch import Tensor

NOT_NUMBERS = "the model's logits are not numbers"
NOT_NUMBERS_FIX = (
    f"Where its number format overflows, use {named('dtype')} bfloat16 or float32; else the weights are damaged."
)


@dataclass(slots=True, eq=False)
class SequenceState:
    """One completion in the making.

    `prompt_ids` are the whole prompt with the partial answer, which takes the last `n_prefix` of them and counts as
    written where penalties are about what was written. `find_end` tells from the written ids whether a stop text or a
    step boundary has come, and is None where there is none to look for. `details` has an entry for each written token
    where the settings ask for token details. `inputs` is what `generate` reads of a prompt that is not text alone.
    """

    prompt_ids: Ids
    config: GenerationConfig
    seed: int
    max_tokens: int
    find_end: Callable[[Sequence[int]], FinishReason | None] | None = None
    n_prefix: int = 0
    inputs: "Mapping[str, Tensor] | None" = None
    token_ids: list[int] = field(default_factory=list)
    logprob: float = 0.0
    details: list[TokenDetails] = field(default_factory=list)
    finish_reason: FinishReason | None = None
    cancelled: bool = False
    error: EngineError | None = None

    @property
    def ended(self) -> bool:
        """Whether no further token comes."""
        return self.finish_reason is not None or self.error is not None

    @property
    def n_cached(self) -> int:
        """Tokens in the cache: all but the last, which the next step reads."""
        return len(self.prompt_ids) + len(self.token_ids) - 1

    @property
    def prefill_ids(self) -> Ids:
        """The ids that are read before the first step."""
        return self.prompt_ids[:-1]

    @property
    def last_id(self) -> int:
        """The id that the next step reads."""
        return self.token_ids[-1] if self.token_ids else self.prompt_ids[-1]

    @property
    def forced_rank(self) -> int | None:
        """The rank of the forced token, or None to sample; `branch_first` forces the first one, and seeds are ranks."""
        return self.seed if self.config.branch_first and not self.token_ids else None


def append_tokens(sequences: Sequence[SequenceState], logits: "Tensor", end_ids: frozenset[int]) -> None:
    """Append each sequence's next token, from logits (sequences, vocabulary), and end those that end with it."""
    configs = [each.config for each in sequences]
    draws = draw_uniforms([each.seed for each in sequences], [len(each.token_ids) for each in sequences])
    ranks = [each.forced_rank for each in sequences] if any(config.branch_first for config in configs) else []
    tokens, logprobs = sample(logits, configs, draws, _build_history(sequences, logits), ranks)
    detailed = [place for place, config in enumerate(configs) if config.token_details]
    if detailed:
        for place, details in zip(detailed, measure_details(logits[detailed], tokens[detailed]), strict=True):
            sequences[place].details.append(details)
    for sequence, token, logprob in zip(sequences, tokens.tolist(), logprobs.tolist(), strict=True):
        sequence.token_ids.append(token)
        sequence.logprob += logprob
        if math.isnan(logprob):
            sequence.error = EngineError(NOT_NUMBERS, fix=NOT_NUMBERS_FIX)
        elif token in end_ids:
            sequence.finish_reason = "stop"
        elif sequence.find_end and (reason := sequence.find_end(sequence.token_ids)):
            sequence.finish_reason = reason
        elif len(sequence.token_ids) >= sequence.max_tokens:
            sequence.finish_reason = "length"


def _build_history(sequences: Sequence[SequenceState], logits: "Tensor") -> TokenHistory | None:
    """Build what penalties count, where a sequence has any; the partial answer counts as written."""
    if not any(has_penalty(each.config) for each in sequences):
        return None
    prompts = [each.prompt_ids for each in sequences]
    replies = [(*each.prompt_ids[len(each.prompt_ids) - each.n_prefix :], *each.token_ids) for each in sequences]
    return TokenHistory(prompts, replies, logits.shape[-1], str(logits.device))
