"""Skywork-o1-Open-PRM: a value head read at the line break behind each step."""

from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from transformers import AutoModelForCausalLM, AutoTokenizer

from inference_kit.errors import UserError
from inference_kit.records import Message, Problem
from inference_kit.reward_models.formats.skywork_prm import SkyworkPRM

PROBLEM = Problem("1", (Message("user", "How many?"),))
SOLUTIONS = [("So the sum is 12.", "The answer is 42."), ("Ada\nhas 30.",), ("Ada has", "12 + 30\n\nso", "= 42")]


def straightforward(folder: Path, steps: tuple[str, ...]) -> list[float]:
    """As published: every line is encoded by itself, and a line break put behind it."""
    model, tokenizer = AutoModelForCausalLM.from_pretrained(folder), AutoTokenizer.from_pretrained(folder)
    head, line_break = load_file(folder / "model.safetensors"), tokenizer.encode("\n")[-1]
    ids, scores = tokenizer.encode(f"{tokenizer.bos_token}How many?\n"), []
    for step in steps:
        for line in step.split("\n"):
            ids += [*tokenizer.encode(line), line_break]
        hidden = model(torch.tensor([ids]), output_hidden_states=True).hidden_states[-1][0, -1]
        value = hidden @ head["v_head.summary.weight"][0] + head["v_head.summary.bias"]
        scores.append(value.sigmoid().item())
    return scores


@torch.inference_mode()
def test_scores_are_those_of_a_straightforward_computation(folders: dict[str, Path]) -> None:
    """He et al. 2024; lines inside a step are read, and have no score of their own."""
    scorer = SkyworkPRM(str(folders["skywork"]))
    for steps, found in zip(SOLUTIONS, scorer.score_batch([(PROBLEM, each) for each in SOLUTIONS]), strict=True):
        assert found.scores == pytest.approx(straightforward(folders["skywork"], steps), abs=1e-4)


def test_a_model_without_a_value_head_is_refused(folder: Path) -> None:
    """Before any weight is read."""
    with pytest.raises(UserError, match=r"no value head \(v_head\.summary\), which skywork_prm reads"):
        SkyworkPRM(str(folder)).check()
