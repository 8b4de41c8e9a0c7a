"""Seeded sampling: one token for each row from its logits, its settings, its seed and its own position.

Why: what a candidate says must not depend on what else is in the batch, so no generator is shared; the uniform number
of a draw is a hash of (seed, position).
Promises: the same logits, settings, seed and position give the same token, on every device and in every batch;
temperature 0 takes the likeliest token; log-probabilities and `Sureness` are those of the model's own distribution,
before temperature and penalties.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from inference_kit.records import GenerationConfig

if TYPE_CHECKING:
    import numpy as np
    from torch import Tensor

    Bits = np.ndarray[tuple[int], np.dtype[np.uint64]]

LIKELIEST = 20
"""Tokens over which `confidence` is taken (Fu et al. 2025, "Deep Think with Confidence", arXiv:2508.15260)."""
LEAST_LOGPROB = -87.0
"""About the smallest log-probability of a float32; what a model rules out altogether counts as this."""


@dataclass(frozen=True, slots=True)
class Sureness:
    """How sure the model was of one token; `Token` says what the numbers are."""

    logprob: float
    margin: float
    confidence: float
    certainty: float | None


def uniforms(seeds: Sequence[int], positions: Sequence[int]) -> list[float]:
    """One number in [0, 1) for each (seed, position), by SplitMix64 (Steele et al. 2014, OOPSLA)."""
    import numpy as np

    with np.errstate(over="ignore"):
        state = np.array([seed & 0xFFFFFFFFFFFFFFFF for seed in seeds], dtype=np.uint64)
        state = _mix(state + np.uint64(0x9E3779B97F4A7C15))
        state = _mix(state + np.array(positions, dtype=np.uint64) * np.uint64(0x9E3779B97F4A7C15))
    numbers: list[float] = ((state >> np.uint64(11)).astype(np.float64) * 2.0**-53).tolist()
    return numbers


def sample(
    logits: "Tensor",
    configs: Sequence[GenerationConfig],
    draws: Sequence[float],
    history: "History | None" = None,
    ranks: Sequence[int | None] = (),
) -> "tuple[Tensor, Tensor]":
    """Choose a token for each row.

    Args:
        logits: (rows, vocabulary), float32.
        configs: The settings of each row.
        draws: A uniform number for each row.
        history: What each row has read and written, where a row has a penalty.
        ranks: For each row the rank of the token to take (0 is the likeliest), None to draw; empty where all draw.

    Returns:
        The chosen ids and their log-probabilities in nats, each (rows,).
    """
    import torch

    raw = torch.log_softmax(logits, dim=-1)
    scores = history.penalised(logits, configs) if history is not None else logits
    tokens = scores.argmax(dim=-1)
    if any(config.temperature > 0 for config in configs):
        device = logits.device
        temperature = torch.tensor([config.temperature or 1.0 for config in configs], device=device)[:, None]
        probabilities = _filtered(torch.softmax(scores / temperature, dim=-1), configs)
        cumulative = probabilities.cumsum(dim=-1)
        total = cumulative[:, -1:]
        aims = torch.tensor(draws, dtype=cumulative.dtype, device=device)[:, None] * total
        below = torch.nextafter(total, torch.zeros_like(total))  # a draw may round to 1, past the last likely token
        drawn = torch.searchsorted(cumulative, aims.minimum(below), right=True)[:, 0].clamp_(max=logits.shape[-1] - 1)
        sampled = torch.tensor([config.temperature > 0 for config in configs], device=device)
        tokens = torch.where(sampled, drawn, tokens)
    for row, rank in enumerate(ranks):
        if rank is not None:
            tokens[row] = scores[row].topk(rank + 1).indices[rank]
    return tokens, raw.gather(1, tokens[:, None])[:, 0]


def sureness(logits: "Tensor", tokens: "Tensor") -> list[Sureness]:
    """How sure the model is of each row's chosen token, (rows, vocabulary) and (rows,)."""
    import torch

    logprobs = torch.log_softmax(logits, dim=-1)
    chosen = logprobs.gather(1, tokens[:, None])[:, 0]
    top = logprobs.topk(min(LIKELIEST, logits.shape[-1]), dim=-1).values
    margin = top[:, 0].exp() - top[:, 1].exp()
    bounded = logprobs.clamp(min=LEAST_LOGPROB)
    confidence = -top.clamp(min=LEAST_LOGPROB).mean(dim=-1)
    certainty = -bounded.mean(dim=-1) - math.log(logits.shape[-1])
    columns = torch.stack((chosen, margin, confidence, certainty), dim=1)
    return [Sureness(*row) for row in columns.tolist()]


class History:
    """Which tokens each row has read, and how often it has written each; kept only while a row has a penalty."""

    def __init__(
        self, prompts: Sequence[Sequence[int]], written: Sequence[Sequence[int]], vocabulary: int, device: str
    ):
        import torch

        self.counts = torch.zeros(len(prompts), vocabulary, device=device)
        self.counts.index_put_(_entries(written, device), torch.ones((), device=device), accumulate=True)
        self.seen = self.counts > 0
        self.seen[_entries(prompts, device)] = True

    def penalised(self, logits: "Tensor", configs: Sequence[GenerationConfig]) -> "Tensor":
        """Repetition as Keskar et al. 2019 (arXiv:1909.05858), frequency and presence as in OpenAI's API."""
        import torch

        def column(values: list[float]) -> "Tensor":
            return torch.tensor(values, device=logits.device)[:, None]

        repetition = column([config.repetition_penalty for config in configs])
        repeated = torch.where(logits > 0, logits / repetition, logits * repetition)
        scores = torch.where(self.seen, repeated, logits)
        scores = scores - column([config.frequency_penalty for config in configs]) * self.counts
        return scores - column([config.presence_penalty for config in configs]) * (self.counts > 0)


def _entries(rows: Sequence[Sequence[int]], device: str) -> "tuple[Tensor, Tensor]":
    """Row number and id of each entry of `rows`."""
    import torch

    numbers = [number for number, row in enumerate(rows) for _ in row]
    ids = [token for row in rows for token in row]
    both = torch.tensor([numbers, ids], dtype=torch.long, device=device)
    return both[0], both[1]


def has_penalty(config: GenerationConfig) -> bool:
    """Whether the row needs a `History`."""
    return bool(config.frequency_penalty or config.presence_penalty or config.repetition_penalty != 1.0)


def _mix(state: "Bits") -> "Bits":
    import numpy as np

    state = (state ^ (state >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    state = (state ^ (state >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return state ^ (state >> np.uint64(31))


def _filtered(probabilities: "Tensor", configs: Sequence[GenerationConfig]) -> "Tensor":
    """Set to 0 what top_k, top_p and min_p drop, in this order, as transformers does; rows need not sum to 1."""
    import torch

    device, vocabulary = probabilities.device, probabilities.shape[-1]
    if any(config.top_k for config in configs):
        most = max(min(config.top_k, vocabulary) for config in configs)
        places = torch.tensor([min(config.top_k or most, vocabulary) - 1 for config in configs], device=device)
        lowest = probabilities.topk(most, dim=-1).values.gather(1, places[:, None])
        lowest = lowest * torch.tensor([bool(config.top_k) for config in configs], device=device)[:, None]
        probabilities = probabilities.masked_fill(probabilities < lowest, 0.0)
    if any(config.top_p < 1 for config in configs):
        ordered = probabilities.sort(dim=-1, descending=True).values
        total = ordered.sum(dim=-1, keepdim=True)
        limit = torch.tensor([config.top_p for config in configs], device=device)[:, None] * total
        before = ordered.cumsum(dim=-1) - ordered
        kept = (before < limit).sum(dim=-1, keepdim=True).clamp_(min=1)
        lowest = ordered.gather(1, kept - 1)
        lowest = lowest * torch.tensor([config.top_p < 1 for config in configs], device=device)[:, None]
        probabilities = probabilities.masked_fill(probabilities < lowest, 0.0)
    if any(config.min_p for config in configs):
        share = torch.tensor([config.min_p for config in configs], device=device)[:, None]
        lowest = probabilities.amax(dim=-1, keepdim=True) * share
        probabilities = probabilities.masked_fill(probabilities < lowest, 0.0)
    return probabilities
