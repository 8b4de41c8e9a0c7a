"""Math-Shepherd: the probability of + against - at the tag behind each step."""

from pathlib import Path

import pytest
import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

from inference_kit.errors import UserError
from inference_kit.records import Message, Problem
from inference_kit.reward_models.formats.math_shepherd import MathShepherd

PROBLEM = Problem("1", (Message("user", "How many?"),))
SOLUTIONS = [("So the sum is 12.", "The answer is 42."), ("Ada",), ("Ada has", "12 + 30", "= 42")]


def straightforward(folder: Path, steps: tuple[str, ...]) -> list[float]:
    """Read the text up to each tag, and nothing behind it."""
    model, tokenizer = AutoModelForCausalLM.from_pretrained(folder), AutoTokenizer.from_pretrained(folder)
    good, bad = (tokenizer.encode(f" {sign}")[-1] for sign in "+-")
    scores = []
    for count in range(1, len(steps) + 1):
        text = "How many? " + "\n".join(f"{step} ки" for step in steps[:count])
        verdicts = model(torch.tensor([tokenizer.encode(text)])).logits[0, -1, [good, bad]]
        scores.append(verdicts.softmax(-1)[0].item())
    return scores


@torch.inference_mode()
def test_scores_are_those_of_a_straightforward_computation(folders: dict[str, Path]) -> None:
    """Wang et al. 2023."""
    scorer = MathShepherd(str(folders["shepherd"]))
    for steps, found in zip(SOLUTIONS, scorer.score_batch([(PROBLEM, each) for each in SOLUTIONS]), strict=True):
        assert found.scores == pytest.approx(straightforward(folders["shepherd"], steps), abs=1e-4)


def test_a_model_with_another_head_is_refused_with_the_format_that_reads_it(folders: dict[str, Path]) -> None:
    with pytest.raises(UserError, match=r"are a LlamaForTokenClassification.*Try --reward-model token_prm"):
        MathShepherd(str(folders["token"])).check()
