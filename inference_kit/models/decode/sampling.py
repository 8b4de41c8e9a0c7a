"""Seeded sampling: one token for each sequence from its logits, its settings, its seed and its own position.

Why: what a candidate says must not depend on what else is in the batch, so no generator is shared; the uniform number
of a draw is a hash of (seed, position).
Promises: the same logits, settings, seed and position give the same token, on every device and in every batch;
temperature 0 takes the likeliest token; log-probabilities and `TokenDetails` are those of the model's own distribution,
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

LEAST_TEMPERATURE = 1e-6
"""Below this the likeliest token is certain, and logits divided by it would overflow."""
ROUNDING = 1e-6
"""How far a sum of probabilities may be off."""


@dataclass(frozen=True, slots=True)
class TokenDetails:
    """How sure the model was of one token; `records.Token` says what the numbers are."""

    logprob: float
    margin: float
    confidence: float
    certainty: float | None


def draw_uniforms(seeds: Sequence[int], positions: Sequence[int]) -> list[float]:
    """Draw a number in [0, 1) for each (seed, position), by SplitMix64 (Steele et al. 2014, OOPSLA)."""
    import numpy as np

    with np.errstate(over="ignore"):
        state = np.array([seed & 0xFFFFFFFFFFFFFFFF for seed in seeds], dtype=np.uint64)
        state = _mix(state + np.uint64(0x9E3779B97F4A7C15))
        state = _mix(state + np.array(positions, dtype=np.uint64) * np.uint64(0x9E3779B97F4A7C15))
    # The upper 53 bits are as many as a float64 holds exactly.
    numbers: list[float] = ((state >> np.uint64(11)).astype(np.float64) * 2.0**-53).tolist()
    return numbers


def sample(
    logits: "Tensor",
    configs: Sequence[GenerationConfig],
    draws: Sequence[float],
    history: "TokenHistory | None" = None,
    ranks: Sequence[int | None] = (),
) -> "tuple[Tensor, Tensor]":
    """Choose the next token of each sequence.

    Args:
        logits: (sequences, vocabulary), float32.
        configs: The settings of each sequence.
        draws: A uniform number for each sequence.
        history: What each sequence has read and written, where one has a penalty.
        ranks: For each sequence the rank of the forced token (0 is the likeliest), or None to sample; empty where all
            sample.

    Returns:
        The chosen ids and their log-probabilities in nats, each (sequences,).
    """
    import torch

    raw = torch.log_softmax(logits, dim=-1)
    scores = history.apply_penalties(logits, configs) if history is not None else logits
    tokens = scores.argmax(dim=-1)
    if any(config.temperature > 0 for config in configs):
        sampled = torch.tensor([config.temperature > 0 for config in configs], device=logits.device)
        tokens = torch.where(sampled, _draw(scores, configs, draws), tokens)
    for place, rank in enumerate(ranks):
        if rank is not None:
            tokens[place] = scores[place].topk(rank + 1).indices[rank]
    return tokens, raw.gather(1, tokens[:, None])[:, 0]


def _draw(scores: "Tensor", configs: Sequence[GenerationConfig], draws: Sequence[float]) -> "Tensor":
    """Draw a token of each sequence from its tempered and filtered distribution.

    Inverse transform sampling: with F the cumulative distribution, a uniform u draws the first token whose F exceeds u.
    Filters leave probabilities that sum to less than 1, so u is scaled by their sum.
    """
    import torch

    device = scores.device
    temperatures = [max(config.temperature or 1.0, LEAST_TEMPERATURE) for config in configs]
    temperature = torch.tensor(temperatures, device=device)[:, None]
    probabilities = _filter(torch.softmax(scores / temperature, dim=-1), configs)
    cumulative = probabilities.cumsum(dim=-1)
    total = cumulative[:, -1:]
    aims = torch.tensor(draws, dtype=cumulative.dtype, device=device)[:, None] * total
    below = torch.nextafter(total, torch.zeros_like(total))  # a draw may round to 1, past the last likely token
    drawn = torch.searchsorted(cumulative, aims.minimum(below), right=True)[:, 0]
    return drawn.clamp_(max=scores.shape[-1] - 1)


def measure_details(logits: "Tensor", tokens: "Tensor") -> list[TokenDetails]:
    """Measure how sure the model is of each chosen token, from (sequences, vocabulary) and (sequences,).

    With p the distribution over a vocabulary of V, the chosen token's log-probability; margin p1 - p2 of the two
    likeliest; confidence, the mean of -log p over the `LIKELIEST`; and certainty KL(uniform | p), which is
    -mean(log p) - log V.
    """
    import torch

    logprobs = torch.log_softmax(logits, dim=-1)
    chosen = logprobs.gather(1, tokens[:, None])[:, 0]
    top = logprobs.topk(min(LIKELIEST, logits.shape[-1]), dim=-1).values
    margin = top[:, 0].exp() - top[:, 1].exp()
    bounded = logprobs.clamp(min=LEAST_LOGPROB)
    confidence = -top.clamp(min=LEAST_LOGPROB).mean(dim=-1)
    certainty = -bounded.mean(dim=-1) - math.log(logits.shape[-1])
    columns = torch.stack((chosen, margin, confidence, certainty), dim=1)
    return [TokenDetails(*row) for row in columns.tolist()]


class TokenHistory:
    """Which tokens each sequence has read, and how often it has written each; built only where one has a penalty."""

    def __init__(
        self, prompts: Sequence[Sequence[int]], written: Sequence[Sequence[int]], vocabulary: int, device: str
    ) -> None:
        import torch

        self.counts = torch.zeros(len(prompts), vocabulary, device=device)
        self.counts.index_put_(_index_tokens(written, device), torch.ones((), device=device), accumulate=True)
        self.seen = self.counts > 0
        self.seen[_index_tokens(prompts, device)] = True

    def apply_penalties(self, logits: "Tensor", configs: Sequence[GenerationConfig]) -> "Tensor":
        """Apply repetition as Keskar et al. 2019 (arXiv:1909.05858), frequency and presence as in OpenAI's API."""
        import torch

        names = ("repetition_penalty", "frequency_penalty", "presence_penalty")
        table = [[getattr(config, name) for name in names] for config in configs]
        repetition, frequency, presence = torch.tensor(table, device=logits.device).T[:, :, None].unbind()
        repeated = torch.where(logits > 0, logits / repetition, logits * repetition)
        scores = torch.where(self.seen, repeated, logits)
        return scores - frequency * self.counts - presence * (self.counts > 0)


def _index_tokens(sequences: Sequence[Sequence[int]], device: str) -> "tuple[Tensor, Tensor]":
    """Index (sequence, token) of every token, as two tensors."""
    import torch

    numbers = [number for number, ids in enumerate(sequences) for _ in ids]
    ids = [token for ids in sequences for token in ids]
    both = torch.tensor([numbers, ids], dtype=torch.long, device=device)
    return both[0], both[1]


def has_penalty(config: GenerationConfig) -> bool:
    """Tell whether these settings need a `TokenHistory`."""
    return bool(config.frequency_penalty or config.presence_penalty or config.repetition_penalty != 1.0)


def _mix(state: "Bits") -> "Bits":
    """Mix the bits of each number, by SplitMix64's finaliser."""
    import numpy as np

    state = (state ^ (state >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    state = (state ^ (state >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return state ^ (state >> np.uint64(31))


def _filter(probabilities: "Tensor", configs: Sequence[GenerationConfig]) -> "Tensor":
    """Set to 0 what top_k, top_p and min_p drop, in this order, as transformers does; the rest need not sum to 1.

    top_k and min_p find the lowest probability that stays, (sequences, 1), which is 0 for rows without that filter.
    """
    import torch

    device, vocabulary = probabilities.device, probabilities.shape[-1]
    if any(config.top_k for config in configs):
        most = max(min(config.top_k, vocabulary) for config in configs)
        places = torch.tensor([min(config.top_k or most, vocabulary) - 1 for config in configs], device=device)
        lowest = probabilities.topk(most, dim=-1).values.gather(1, places[:, None])
        lowest = lowest * torch.tensor([bool(config.top_k) for config in configs], device=device)[:, None]
        probabilities = probabilities.masked_fill(probabilities < lowest, 0.0)
    if any(config.top_p < 1 for config in configs):
        ordered, ids = probabilities.sort(dim=-1, descending=True, stable=True)
        total = ordered.sum(dim=-1, keepdim=True)
        limit = torch.tensor([config.top_p for config in configs], device=device)[:, None] * total
        before = ordered.cumsum(dim=-1) - ordered  # a token stays where those likelier than it sum to less than top_p
        dropped = before >= limit * (1 - ROUNDING)  # of equal tokens at the edge only as many stay as are needed
        dropped[:, 0] = False
        dropped &= torch.tensor([config.top_p < 1 for config in configs], device=device)[:, None]
        probabilities = probabilities.scatter(1, ids, ordered.masked_fill(dropped, 0.0))
    if any(config.min_p for config in configs):
        share = torch.tensor([config.min_p for config in configs], device=device)[:, None]
        lowest = probabilities.amax(dim=-1, keepdim=True) * share
        probabilities = probabilities.masked_fill(probabilities < lowest, 0.0)
    return probabilities
