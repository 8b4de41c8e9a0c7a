"""Verdicts: how the outputs of a forward pass become numbers at the places of each text.

Why: formats differ in this and in the text they show; the passes are the same.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from inference_kit.reward_models.local.forward import Reader, Row, Verdicts

if TYPE_CHECKING:
    from torch import Tensor


def at_places(probabilities: "Callable[[Tensor], Tensor]", *, keeps_logits: bool) -> Verdicts:
    """Verdicts that turn the outputs at the places, (places, outputs), into their probabilities.

    Args:
        probabilities: Takes float32.
        keeps_logits: The model can be told for which tokens outputs are wanted, as causal language models can.
    """

    def verdicts(model: Any, inputs: Mapping[str, Any], rows: Sequence[Row]) -> list[list[float]]:
        import torch

        wanted = sorted({place for row in rows for place in row.places})
        column = {place: number for number, place in enumerate(wanted)}
        index = torch.tensor(wanted, device=model.device)
        outputs = model(**inputs, logits_to_keep=index)[0] if keeps_logits else model(**inputs)[0][:, index]
        return [
            probabilities(outputs[number, [column[place] for place in row.places]].float()).tolist()
            for number, row in enumerate(rows)
        ]

    return verdicts


def first_of(ids: Sequence[int]) -> Verdicts:
    """Verdicts: the probability of the first of `ids` at each place, where only these are compared."""

    def probabilities(logits: "Tensor") -> "Tensor":
        return logits[:, ids].softmax(-1)[:, 0]

    return at_places(probabilities, keeps_logits=True)


def logprobs_between(model: Any, inputs: Mapping[str, Any], rows: Sequence[Row]) -> list[list[float]]:
    """Verdicts: the log-probability of the tokens behind the place before, up to each place; of the first, its own."""
    import torch

    logits = model(**inputs)[0][:, :-1]
    following = inputs["input_ids"][:, 1:, None]
    chosen = logits.gather(2, following)[..., 0].float() - logits.float().logsumexp(-1)
    sums = torch.nn.functional.pad(chosen.cpu().double().cumsum(1), (1, 0))
    found = []
    for number, row in enumerate(rows):
        ends = sums[number, row.places]
        found.append(torch.diff(ends, prepend=ends.new_zeros(1)).tolist())
    return found


def logprob_reader(model: Any, cache_bytes: int) -> Reader:
    """A reader that sums the log-probabilities of what stands between the places."""
    vocabulary = model.config.get_text_config().vocab_size
    return Reader(model, logprobs_between, outputs=vocabulary, cache_bytes=cache_bytes)
