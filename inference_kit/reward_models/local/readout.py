"""Readouts: how the outputs of a forward pass become raw scores at the positions of each text.

Why: formats differ in this and in the text they show; the passes are the same.
Promises: computed in float32, sums of log-probabilities in float64.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from inference_kit.reward_models.local.forward import BatchedForward, Readout, Row

if TYPE_CHECKING:
    from torch import Tensor

TAIL = 16.0
"""The logit from which on scores come near 1 more slowly than the sigmoid does."""


def read_probabilities(to_probabilities: "Callable[[Tensor], Tensor]", *, keeps_logits: bool) -> Readout:
    """Build the readout that turns outputs at positions into probabilities.

    Args:
        to_probabilities: From outputs of shape (positions, outputs) in float32 to (positions,).
        keeps_logits: Whether the model takes `logits_to_keep`, the columns for which outputs are wanted, as causal
            language models do.
    """

    def read(model: Any, inputs: Mapping[str, Any], rows: Sequence[Row]) -> list[list[float]]:
        """Run the model and read each row at its positions."""
        import torch

        # Outputs are wanted for the union of all rows' positions: one list of columns holds for the whole batch.
        wanted = sorted({position for row in rows for position in row.positions})
        column = {position: number for number, position in enumerate(wanted)}
        index = torch.tensor(wanted, device=model.device)
        outputs = model(**inputs, logits_to_keep=index)[0] if keeps_logits else model(**inputs)[0][:, index]
        return [
            to_probabilities(outputs[number, [column[position] for position in row.positions]].float()).tolist()
            for number, row in enumerate(rows)
        ]

    return read


def compare_tokens(ids: Sequence[int]) -> Readout:
    """Build the readout of P(ids[0]) at each position, where only `ids` are compared."""

    def to_probabilities(logits: "Tensor") -> "Tensor":
        """Turn (positions, vocabulary) logits into the share of the first id."""
        return logits[:, ids].softmax(-1)[:, 0]

    return read_probabilities(to_probabilities, keeps_logits=True)


def sum_logprobs(model: Any, inputs: Mapping[str, Any], rows: Sequence[Row]) -> list[list[float]]:
    """Sum, for each position, the log-probabilities of the tokens from behind the position before up to this one.

    Returns:
        For each row one sum for each position, in nats; the first sum begins with the second token that is read.
    """
    import torch

    logits = model(**inputs)[0][:, :-1]
    following = inputs["input_ids"][:, 1:, None]
    chosen = logits.gather(2, following)[..., 0].float() - logits.float().logsumexp(-1)
    # sums[t] = ln p(tokens 1..t | token 0); a position's own sum is the difference to the position before.
    sums = torch.nn.functional.pad(chosen.cpu().double().cumsum(1), (1, 0))
    found = []
    for number, row in enumerate(rows):
        ends = sums[number, row.positions]
        found.append(torch.diff(ends, prepend=ends.new_zeros(1)).tolist())
    return found


def build_logprob_forward(model: Any, cache_bytes: int) -> BatchedForward:
    """Build the forward passes whose raw scores are sums of log-probabilities between positions."""
    vocabulary = model.config.get_text_config().vocab_size
    return BatchedForward(model, sum_logprobs, outputs=vocabulary, cache_bytes=cache_bytes)


def squash(row: Sequence[float]) -> float:
    """Turn a text's logits into its score in [0, 1]: the sigmoid of one, or the share of the second of two.

    Published heads say 20 and 30, for which a sigmoid is 1 as far as numbers go. So beyond `TAIL` the distance to 1
    falls as 1 / x and no longer as exp(-x): d(x) = d(TAIL) / (1 + x - TAIL), within 2e-7 of the sigmoid.
    """
    logit = row[0] if len(row) == 1 else row[1] - row[0]
    if logit <= TAIL:
        return math.exp(logit) / (1 + math.exp(logit))
    return 1 - 1 / (1 + math.exp(TAIL)) / (1 + logit - TAIL)
