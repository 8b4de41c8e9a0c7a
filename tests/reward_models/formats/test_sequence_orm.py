"""Outcome reward models: one score for the whole, of one label or two."""

import math
import shutil
from pathlib import Path

import pytest
import tiny_models
import torch
from transformers import (
    AutoModelForSequenceClassification,
    AutoTokenizer,
    BertConfig,
    BertForSequenceClassification,
)

from inference_kit.errors import UserError
from inference_kit.records import Message, Problem
from inference_kit.reward_models.formats.sequence_orm import SequenceORM
from inference_kit.reward_models.local.readout import squash

PROBLEM = Problem("1", (Message("user", "How many?"),))
SOLUTIONS = [("So the sum is 12.", "The answer is 42."), ("Ada",), ("Ada has", "12 + 30", "= 42")]


def straightforward(folder: Path, steps: tuple[str, ...]) -> float:
    """One text, without padding."""
    model = AutoModelForSequenceClassification.from_pretrained(folder)
    tokenizer = AutoTokenizer.from_pretrained(folder)
    text = "<|user|>How many?<|assistant|>" + "\n\n".join(steps) + "<|end|>"
    logits = model(torch.tensor([tokenizer.encode(text, add_special_tokens=False)])).logits[0]
    return float(logits.sigmoid() if len(logits) == 1 else logits.softmax(-1)[1])


@torch.inference_mode()
@pytest.mark.parametrize("labels", [1, 2])
@pytest.mark.parametrize("padding", [0, 2, None])
def test_scores_are_those_of_a_straightforward_computation(tmp_path: Path, labels: int, padding: int | None) -> None:
    """Liu et al. 2025; also where the padding token ends every text (2), and where there is none."""
    auto_class = "AutoModelForSequenceClassification"
    folder = tiny_models.write(tmp_path, auto_class=auto_class, num_labels=labels, pad_token_id=padding)
    scorer = SequenceORM(str(folder))
    for steps, found in zip(SOLUTIONS, scorer.score_batch([(PROBLEM, each) for each in SOLUTIONS]), strict=True):
        assert found.scores == pytest.approx([straightforward(folder, steps)], abs=1e-4)


@torch.inference_mode()
def test_an_encoder_without_a_chat_reads_a_pair_of_texts(tmp_path: Path) -> None:
    folder = tiny_models.write(tmp_path, chat=False)
    tokenizer = AutoTokenizer.from_pretrained(folder)
    config = BertConfig(
        vocab_size=len(tokenizer), hidden_size=32, num_hidden_layers=2, num_attention_heads=4, intermediate_size=48
    )
    config.num_labels = 1
    BertForSequenceClassification(config).save_pretrained(folder)
    model = AutoModelForSequenceClassification.from_pretrained(folder).eval()
    expected = model(**tokenizer("How many?", "Ada\n\n12", return_tensors="pt")).logits[0].sigmoid().item()
    scorer = SequenceORM(str(folder))
    found = scorer.score_batch([(PROBLEM, ("Ada", "12")), (PROBLEM, ("Ada has three", "12", "30"))])
    assert found[0].scores == pytest.approx([expected], abs=1e-4)


def test_scores_keep_the_order_of_the_logits() -> None:
    """Issue 13, F14: from 17 on a sigmoid in float32 is 1.0; the readme of Skywork-Reward-V2 shows a 23."""
    logits = [
        -700.0,
        -104.5,
        -104.0,
        -17.0,
        -1.0,
        0.0,
        3.0,
        15.99,
        16.0,
        16.01,
        20.84,
        23.0,
        30.17,
        60.0,
        900.0,
        900.01,
    ]
    scores = [squash([logit]) for logit in logits]
    assert scores == sorted(set(scores))
    assert 0 < scores[0] < scores[-1] < 1
    exact = [1 / (1 + math.exp(-logit)) for logit in logits]
    assert scores == pytest.approx(exact, abs=2e-7, rel=1e-12)
    assert [squash([1.0, 1.0 + logit]) for logit in logits[:13]] == pytest.approx(scores[:13], rel=1e-12)
    assert (squash([-math.inf]), squash([math.inf]), math.isnan(squash([math.nan]))) == (0.0, 1.0, True)


@torch.inference_mode()
def test_large_logits_of_a_model_do_not_tie(folders: dict[str, Path], tmp_path: Path) -> None:
    from safetensors.torch import load_file, save_file

    folder = Path(shutil.copytree(folders["sequence"], tmp_path / "large"))
    stored = load_file(folder / "model.safetensors")
    stored["score.weight"] = stored["score.weight"] * 40
    save_file(stored, folder / "model.safetensors", metadata={"format": "pt"})
    solutions = [(f"So it is {number}.",) for number in range(40)]
    scores = [each.scores[0] for each in SequenceORM(str(folder)).score_batch([(PROBLEM, each) for each in solutions])]
    model, tokenizer = AutoModelForSequenceClassification.from_pretrained(folder), AutoTokenizer.from_pretrained(folder)
    texts = [f"<|user|>How many?<|assistant|>{each[0]}<|end|>" for each in solutions]
    logits = [float(model(torch.tensor([tokenizer.encode(text, add_special_tokens=False)])).logits) for text in texts]
    assert max(logits) > 25
    assert len(set(scores)) == len(set(logits))
    assert sorted(range(40), key=scores.__getitem__) == sorted(range(40), key=logits.__getitem__)


def test_a_head_of_three_labels_is_refused(tmp_path: Path) -> None:
    folder = tiny_models.write(tmp_path, auto_class="AutoModelForSequenceClassification", num_labels=3)
    with pytest.raises(UserError, match="has 3 labels, and sequence_orm reads one or two"):
        SequenceORM(str(folder)).check()
