"""Math-Shepherd: the probability of + against - at the tag behind each step."""

from pathlib import Path

import pytest
import tiny_models
import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

from inference_kit.errors import EngineError
from inference_kit.records import Message, Problem
from inference_kit.reward_models.math_shepherd import MathShepherd

PROBLEM = Problem("1", (Message("user", "How many?"),))
SOLUTIONS = [("So the sum is 12.", "The answer is 42."), ("Ada",), ("Ada has", "12 + 30", "= 42")]


@pytest.fixture(scope="module")
def shepherd(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny model whose tokenizer has the tag as one token, as the published one has."""
    made = tmp_path_factory.mktemp("shepherd")
    tokenizer, model = AutoTokenizer.from_pretrained(folder), AutoModelForCausalLM.from_pretrained(folder)
    tokenizer.add_tokens([" ки"])
    model.resize_token_embeddings(len(tokenizer))
    tokenizer.save_pretrained(made)
    model.save_pretrained(made)
    return made


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
def test_scores_are_those_of_a_straightforward_computation(shepherd: Path) -> None:
    """Wang et al. 2023, alone or in a batch; every token read is counted."""
    scorer = MathShepherd(str(shepherd))
    for steps, found in zip(SOLUTIONS, scorer.score_batch([(PROBLEM, each) for each in SOLUTIONS]), strict=True):
        assert found.scores == pytest.approx(straightforward(shepherd, steps), abs=1e-4)
        assert found.tokens == len(scorer.ids_of(PROBLEM, steps))
        (alone,) = scorer.score_batch([(PROBLEM, steps)])
        assert alone.scores == pytest.approx(found.scores, abs=1e-4)


def test_a_step_that_holds_the_tag_is_refused(shepherd: Path) -> None:
    with pytest.raises(EngineError, match="2 tags of the reward model stand in a text of 1 steps"):
        MathShepherd(str(shepherd)).score_batch([(PROBLEM, ("So good ки so far",))])


def test_what_does_not_fit_is_refused_with_both_lengths(shepherd: Path) -> None:
    with pytest.raises(EngineError, match=rf"read \d+ tokens and its context is {tiny_models.CONTEXT}"):
        MathShepherd(str(shepherd)).score_batch([(PROBLEM, ("x" * 400,))])
