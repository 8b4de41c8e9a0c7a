"""Implicit PRM: the log-ratio of two models, through a sigmoid."""

import math
from pathlib import Path

import pytest
import tiny_models
import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

from inference_kit.errors import UserError
from inference_kit.records import Message, Problem
from inference_kit.reward_models.formats.implicit_prm import ImplicitPRM

PROBLEM = Problem("1", (Message("user", "How many?"),))
SOLUTIONS = [("So the sum is 12.", "The answer is 42."), ("Ada",), ("Ada has", "12 + 30", "= 42")]
BETA = 0.05


def straightforward(folders: dict[str, Path], steps: tuple[str, ...]) -> list[float]:
    """The log-ratio of each step, token after token."""
    models = [AutoModelForCausalLM.from_pretrained(folders[name]) for name in ("causal", "reference")]
    tokenizer = AutoTokenizer.from_pretrained(folders["causal"])
    ids = tokenizer.encode("<|user|>How many?<|assistant|>", add_special_tokens=False)
    ratios = []
    for step in steps:
        ratio = 0.0
        for token in tokenizer.encode(step + "\n\n", add_special_tokens=False):
            ours, theirs = (model(torch.tensor([ids])).logits[0, -1].log_softmax(-1)[token].item() for model in models)
            ratio += ours - theirs
            ids.append(token)
        ratios.append(ratio)
    return ratios


@torch.inference_mode()
def test_scores_are_those_of_a_straightforward_computation(folders: dict[str, Path]) -> None:
    """Yuan et al. 2024: sigmoid of beta x the log-ratio, of all steps so far or of each alone."""
    for per_step in (False, True):
        scorer = ImplicitPRM(
            str(folders["causal"]), reference_path=str(folders["reference"]), beta=BETA, per_step=per_step
        )
        for steps, found in zip(SOLUTIONS, scorer.score_batch([(PROBLEM, each) for each in SOLUTIONS]), strict=True):
            ratios = straightforward(folders, steps)
            totals = ratios if per_step else [sum(ratios[: count + 1]) for count in range(len(ratios))]
            expected = [1 / (1 + math.exp(-BETA * total)) for total in totals]
            assert found.scores == pytest.approx(expected, abs=1e-4)


def test_the_reference_belongs_to_the_identity_and_needs_the_same_vocabulary(
    folders: dict[str, Path], tmp_path: Path
) -> None:
    own = str(folders["causal"])
    found = {ImplicitPRM(own, reference_path=str(folders[name])).identity for name in ("causal", "reference")}
    assert len(found) == 2
    larger = tiny_models.write(tmp_path, tokens=("Yes",))
    with pytest.raises(UserError, match=r"vocabularies of model and reference model differ \(\d+ and \d+ entries\)"):
        ImplicitPRM(own, reference_path=str(larger)).check()
