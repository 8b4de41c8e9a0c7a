"""Readouts: outputs at positions become the numbers that a plain computation gives."""

import math
from types import SimpleNamespace
from typing import Any

import pytest
import torch

from inference_kit.reward_models.local.encoded_text import EncodedText
from inference_kit.reward_models.local.forward import Row
from inference_kit.reward_models.local.prefix_cache import CachedPrefix
from inference_kit.reward_models.local.readout import compare_tokens, read_probabilities, sum_logprobs

LOGITS = torch.tensor([[[0.1, 2.0, -1.0], [0.5, 0.0, 3.0], [1.0, 1.0, 0.2], [0.0, 0.7, 0.1]]])
IDS = (2, 0, 1, 1)


class Fixed:
    """A model whose logits are `LOGITS`, whatever it reads."""

    device = torch.device("cpu")

    def __call__(self, logits_to_keep: torch.Tensor | None = None, **inputs: Any) -> tuple[torch.Tensor]:
        """Return the logits, of the wanted columns where these are named."""
        return (LOGITS if logits_to_keep is None else LOGITS[:, logits_to_keep],)


def test_only_the_compared_tokens_share_the_probability() -> None:
    row = Row(EncodedText(IDS, (1, 3)), None)
    [found] = compare_tokens([2, 0])(Fixed(), {}, [row])
    assert found == pytest.approx([1 / (1 + math.exp(0.5 - 3.0)), 1 / (1 + math.exp(0.0 - 0.1))])


def test_positions_behind_a_cached_prefix_count_from_its_last_token() -> None:
    """The prefix has two tokens before its last, so the text's position 5 is column 3 of what is read."""
    prefix = CachedPrefix((0.9,), torch.zeros(2, 1, 2, 1))
    row = Row(EncodedText((8, 8, *IDS), (2, 5)), prefix)
    row.new_scores = read_probabilities(lambda outputs: outputs[:, 1], keeps_logits=False)(Fixed(), {}, [row])[0]
    assert row.raw_scores == pytest.approx((0.9, 0.7))


def test_log_probabilities_are_summed_between_positions() -> None:
    row = Row(EncodedText(IDS, (1, 3)), None)
    [found] = sum_logprobs(Fixed(), {"input_ids": torch.tensor([IDS])}, [row])
    own = LOGITS[0].log_softmax(-1)
    first, second = own[0, 0].item(), (own[1, 1] + own[2, 1]).item()
    assert found == pytest.approx([first, second], abs=1e-6)


def test_a_text_is_read_from_where_its_prefix_ends() -> None:
    row = Row(EncodedText((1, 2, 3, 4), (2, 3)), CachedPrefix((0.5,), torch.zeros(2, 1, 2, 1)))
    assert SimpleNamespace(start=row.start, ids=row.ids, positions=row.positions) == SimpleNamespace(
        start=2, ids=(3, 4), positions=[1]
    )
