"""Qwen2.5-Math-PRM: a two-class head read at the tag behind each step."""

from pathlib import Path

import pytest
import tiny_models
import torch
from transformers import AutoModelForTokenClassification, AutoTokenizer

from inference_kit.errors import EngineError
from inference_kit.records import Message, Problem
from inference_kit.reward_models.qwen_prm import SYSTEM, QwenPRM

PROBLEM = Problem("1", (Message("user", "How many?"),))
SOLUTIONS = [("So the sum is 12.", "The answer is 42."), ("Ada",), ("Ada has", "12 + 30", "= 42")]


class TwoClasses(QwenPRM):
    """The head of the published weights is code that comes with them; this one is transformers' own."""

    auto_class = "AutoModelForTokenClassification"


@pytest.fixture(scope="module")
def prm(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny model with a two-class head, and the tag as one token."""
    made = tmp_path_factory.mktemp("prm")
    tokenizer = AutoTokenizer.from_pretrained(folder)
    tokenizer.add_special_tokens({"additional_special_tokens": ["<extra_0>"]})
    config = tiny_models.CONFIGS["qwen3"]()
    config.num_labels, config.vocab_size, config.max_position_embeddings = 2, len(tokenizer), 256
    torch.manual_seed(3)
    AutoModelForTokenClassification.from_config(config).save_pretrained(made)
    tokenizer.save_pretrained(made)
    return made


def straightforward(folder: Path, steps: tuple[str, ...]) -> list[float]:
    """Read the text up to each tag, and nothing behind it."""
    model = AutoModelForTokenClassification.from_pretrained(folder).eval()
    tokenizer = AutoTokenizer.from_pretrained(folder)
    text, scores = f"<|system|>{SYSTEM}<|user|>How many?<|assistant|>", []
    for step in steps:
        text += f"{step}<extra_0>"
        ids = tokenizer.encode(text, add_special_tokens=False)
        scores.append(model(torch.tensor([ids])).logits[0, -1].softmax(-1)[1].item())
    return scores


@torch.inference_mode()
def test_scores_are_those_of_a_straightforward_computation(prm: Path) -> None:
    """Zhang et al. 2025, alone or in a batch; every token read is counted."""
    scorer = TwoClasses(str(prm))
    for steps, found in zip(SOLUTIONS, scorer.score_batch([(PROBLEM, each) for each in SOLUTIONS]), strict=True):
        assert found.scores == pytest.approx(straightforward(prm, steps), abs=1e-4)
        assert found.tokens == len(scorer.ids_of(PROBLEM, steps))
        (alone,) = scorer.score_batch([(PROBLEM, steps)])
        assert alone.scores == pytest.approx(found.scores, abs=1e-4)


def test_a_step_that_holds_the_tag_is_refused(prm: Path) -> None:
    with pytest.raises(EngineError, match="2 tags of the reward model stand in a text of 1 steps"):
        TwoClasses(str(prm)).score_batch([(PROBLEM, ("So good <extra_0> so far",))])


def test_what_does_not_fit_is_refused_with_both_lengths(prm: Path) -> None:
    with pytest.raises(EngineError, match=r"read \d+ tokens and its context is 256"):
        TwoClasses(str(prm)).score_batch([(PROBLEM, ("x" * 400,))])
