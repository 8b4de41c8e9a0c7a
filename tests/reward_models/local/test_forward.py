"""BatchedForward: cached prefixes are used where that is right, and nowhere else."""

from pathlib import Path

import pytest
import tiny_models
from transformers import AutoTokenizer, BertConfig, BertForTokenClassification

from inference_kit.records import Message, Problem
from inference_kit.reward_models.formats.likelihood import Likelihood
from inference_kit.reward_models.formats.token_prm import TokenPRM
from inference_kit.reward_models.local.transformer import TransformerRewardModel

PROBLEM = Problem("1", (Message("user", "How many?"),))
STEPS = ("Ada has 12.", "So the sum is 12 + 30.", "= 42", "The answer is \\boxed{42}.")


def grown(scorer: TransformerRewardModel) -> tuple[list[float], int]:
    """The scores of a solution that grew step by step, and the tokens read for it."""
    for length in range(1, len(STEPS)):
        scorer.score(PROBLEM, STEPS[:length])
    return scorer.score(PROBLEM, STEPS), scorer._forward.tokens_read


@pytest.mark.parametrize("kind", tiny_models.CONFIGS)
def test_every_kind_of_attention_scores_as_if_read_whole(tmp_path: Path, kind: str) -> None:
    """A sliding window forgets what a cached prefix would keep: such a model reads every text whole."""
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
