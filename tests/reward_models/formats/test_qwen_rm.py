"""Qwen2.5-Math-RM: a head of two layers with one output, read at the last token of the chat."""

import json
import math
from pathlib import Path

import pytest
import tiny_models
import torch
from safetensors.torch import load_file
from transformers import AutoTokenizer, Qwen3Model

from inference_kit.errors import UserError
from inference_kit.records import Message, Problem
from inference_kit.reward_models.formats.qwen_rm import SYSTEM, QwenRM

PROBLEM = Problem("1", (Message("user", "How many?"),))
SOLUTIONS = [("So the sum is 12.", "The answer is 42."), ("Ada",), ("Ada has", "12 + 30", "= 42")]


def straightforward(folder: Path, steps: tuple[str, ...], before: str = f"<|system|>{SYSTEM}") -> float:
    """The published text alone, without padding: the head's output at its last token."""
    model, tokenizer = Qwen3Model.from_pretrained(folder), AutoTokenizer.from_pretrained(folder)
    stored = load_file(folder / "model.safetensors")
    text = f"{before}<|user|>How many?<|assistant|>" + "\n\n".join(steps) + "<|end|>"
    ids = tokenizer.encode(text, add_special_tokens=False)
    hidden = model(torch.tensor([ids])).last_hidden_state[0, -1]
    inner = (stored["score.0.weight"] @ hidden + stored["score.0.bias"]).relu()
    return (stored["score.2.weight"] @ inner + stored["score.2.bias"]).item()


@torch.inference_mode()
def test_scores_are_the_sigmoid_of_a_straightforward_computation(folders: dict[str, Path]) -> None:
    """Yang et al. 2024; beyond 16 the order of the outputs is kept, as the sigmoid would not."""
    folder = folders["qwen_rm"]
    scorer = QwenRM(str(folder))
    expected = [straightforward(folder, steps) for steps in SOLUTIONS]
    found = [each.scores[0] for each in scorer.score_batch([(PROBLEM, each) for each in SOLUTIONS])]
    assert found == pytest.approx([1 / (1 + math.exp(-each)) for each in expected], abs=1e-4)
    assert sorted(range(3), key=found.__getitem__) == sorted(range(3), key=expected.__getitem__)


@torch.inference_mode()
def test_the_system_message_is_a_setting(folders: dict[str, Path]) -> None:
    folder = folders["qwen_rm"]
    expected = 1 / (1 + math.exp(-straightforward(folder, SOLUTIONS[0], before="")))
    assert QwenRM(str(folder), system="").score(PROBLEM, SOLUTIONS[0]) == pytest.approx([expected], abs=1e-4)


def test_a_head_of_two_classes_is_refused(tmp_path: Path) -> None:
    folder = tiny_models.write(tmp_path, "qwen3")
    tiny_models.write_head(folder, {"score.0": (32, 32), "score.2": (2, 32)})
    config = json.loads((folder / "config.json").read_text()) | {"architectures": ["Qwen2ForRewardModel"]}
    (folder / "config.json").write_text(json.dumps(config))
    with pytest.raises(UserError, match="the head has 2 outputs, and qwen_rm reads one of a single output"):
        QwenRM(str(folder)).check()
