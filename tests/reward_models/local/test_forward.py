"""Reader: beginnings are used where that is right, and nowhere else; their memory is bounded."""

from pathlib import Path

import pytest
import tiny_models
import torch
from transformers import AutoTokenizer, BertConfig, BertForTokenClassification

from inference_kit.records import Message, Problem
from inference_kit.reward_models.formats.likelihood import Likelihood
from inference_kit.reward_models.formats.token_prm import TokenPRM
from inference_kit.reward_models.local.prefix_cache import Beginning, Beginnings, Reading
from inference_kit.reward_models.local.transformer import TransformerRewardModel

PROBLEM = Problem("1", (Message("user", "How many?"),))
STEPS = ("Ada has 12.", "So the sum is 12 + 30.", "= 42", "The answer is \\boxed{42}.")


def grown(scorer: TransformerRewardModel) -> tuple[list[float], int]:
    """The scores of a solution that grew step by step, and the tokens read for it."""
    for length in range(1, len(STEPS)):
        scorer.score(PROBLEM, STEPS[:length])
    return scorer.score(PROBLEM, STEPS), scorer._reader.tokens_read


@pytest.mark.parametrize("kind", tiny_models.CONFIGS)
def test_every_kind_of_attention_scores_as_if_read_whole(tmp_path: Path, kind: str) -> None:
    """A sliding window forgets what a beginning would keep: such a model reads every text whole."""
    folder = str(tiny_models.write(tmp_path, kind))
    (scores, read), (expected, whole) = (
        grown(Likelihood(folder, beta=0.01)),
        grown(Likelihood(folder, beta=0.01, cache_bytes=0)),
    )
    assert scores == pytest.approx(expected, abs=1e-5)
    assert (read < whole) is (kind not in ("mistral", "gemma3"))


def test_an_encoder_reads_every_text_whole(tmp_path: Path) -> None:
    folder = tiny_models.write(tmp_path, chat=False)
    words = len(AutoTokenizer.from_pretrained(folder))
    config = BertConfig(
        vocab_size=words, hidden_size=32, num_hidden_layers=2, num_attention_heads=4, intermediate_size=48
    )
    config.num_labels = 2
    BertForTokenClassification(config).save_pretrained(folder)
    scores, read = grown(TokenPRM(str(folder)))
    expected, whole = grown(TokenPRM(str(folder), cache_bytes=0))
    assert scores == pytest.approx(expected, abs=1e-5)
    assert read == whole


def test_what_was_not_used_for_longest_is_forgotten_first() -> None:
    of_ten_tokens = Beginning((0.5,), torch.zeros(2, 1, 10, 1))
    stored = Beginnings(2 * of_ten_tokens.states.nbytes)
    first, second, third = (tuple([number] * 11) for number in range(3))
    for ids in (first, second):
        stored.keep(ids, of_ten_tokens)
    assert stored.of(Reading((*first, 7, 8), (10, 12)))
    stored.keep(third, of_ten_tokens)
    found = [stored.of(Reading((*ids, 7, 8), (10, 12))) is not None for ids in (first, second, third)]
    assert found == [True, False, True]
    assert stored.of(Reading(first, (10,))) is None, "the last place of a text is always read"
