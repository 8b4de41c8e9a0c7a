"""Likelihood: the score is what a straightforward computation gives."""

import math
from pathlib import Path

import pytest
import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

from inference_kit.records import Message, Problem
from inference_kit.reward_models.formats.likelihood import Likelihood
from inference_kit.reward_models.local import forward

PROBLEM = Problem("1", (Message("user", "How many apples are left?"),), bare_question="apples?")
SOLUTIONS = [("So the sum is 12.", "The answer is 42."), ("Ada",), ("Ada has three", "12 + 30", "= 42", "\\boxed{42}")]
BETA = 0.01


def straightforward(folder: Path, steps: tuple[str, ...], beta: float) -> list[float]:
    """Token after token, in the order of the text."""
    model, tokenizer = AutoModelForCausalLM.from_pretrained(folder), AutoTokenizer.from_pretrained(folder)
    ids = tokenizer.encode("<|user|>How many apples are left?<|assistant|>", add_special_tokens=False)
    total, scores = 0.0, []
    for step in steps:
        for token in tokenizer.encode(step + "\n\n", add_special_tokens=False):
            total += model(torch.tensor([ids])).logits[0, -1].log_softmax(-1)[token].item()
            ids.append(token)
        scores.append(math.exp(beta * total))
    return scores


@torch.inference_mode()
def test_scores_are_those_of_a_straightforward_computation(folder: Path) -> None:
    """Yuan et al. 2024; one score for each step, falling; the whole chat is read, as the policy read it."""
    scorer = Likelihood(str(folder), beta=BETA)
    for steps, found in zip(SOLUTIONS, scorer.score_batch([(PROBLEM, each) for each in SOLUTIONS]), strict=True):
        assert found.scores == pytest.approx(straightforward(folder, steps, BETA), abs=1e-4)
        assert list(found.scores) == sorted(found.scores, reverse=True)


def test_many_solutions_in_several_passes_score_the_same(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    scorer = Likelihood(str(folder), beta=BETA, cache_bytes=0)
    items = [(PROBLEM, each) for each in SOLUTIONS]
    whole = scorer.score_batch(items)
    monkeypatch.setattr(forward, "OUTPUTS_AT_ONCE", 1)
    for one, other in zip(scorer.score_batch(items), whole, strict=True):
        assert one.scores == pytest.approx(other.scores, abs=1e-4)


def test_settings_belong_to_the_identity_and_beta_is_checked(folder: Path) -> None:
    assert Likelihood(str(folder), beta=0.5).identity != Likelihood(str(folder)).identity
    assert Likelihood(str(folder), separator="\n").identity != Likelihood(str(folder)).identity
    with pytest.raises(ValueError, match="beta must be positive"):
        Likelihood(str(folder), beta=0)
