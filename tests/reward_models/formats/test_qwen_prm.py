"""Qwen2.5-Math-PRM: a two-class head of two layers read at the tag behind each step."""

from pathlib import Path

import pytest
import tiny_models
import torch
from safetensors.torch import load_file
from transformers import AutoModelForTokenClassification, AutoTokenizer, Qwen3Model

from inference_kit.errors import UserError
from inference_kit.records import Message, Problem
from inference_kit.reward_models.formats.qwen_prm import SYSTEM, QwenPRM

PROBLEM = Problem("1", (Message("user", "How many?"),))
SOLUTIONS = [("So the sum is 12.", "The answer is 42."), ("Ada",), ("Ada has", "12 + 30", "= 42")]


def texts(steps: tuple[str, ...], system: str = f"<|system|>{SYSTEM}") -> list[str]:
    """The published text up to each tag, and nothing behind it."""
    before = f"{system}<|user|>How many?<|assistant|>"
    return [before + "".join(f"{step}<extra_0>" for step in steps[:count]) for count in range(1, len(steps) + 1)]


def straightforward(folder: Path, steps: tuple[str, ...], system: str = f"<|system|>{SYSTEM}") -> list[float]:
    model, tokenizer = Qwen3Model.from_pretrained(folder), AutoTokenizer.from_pretrained(folder)
    stored = load_file(folder / "model.safetensors")
    scores = []
    for text in texts(steps, system):
        ids = tokenizer.encode(text, add_special_tokens=False)
        hidden = model(torch.tensor([ids])).last_hidden_state[0, -1]
        inner = (stored["score.0.weight"] @ hidden + stored["score.0.bias"]).relu()
        scores.append((stored["score.2.weight"] @ inner + stored["score.2.bias"]).softmax(-1)[1].item())
    return scores


@torch.inference_mode()
def test_scores_are_those_of_a_straightforward_computation(folders: dict[str, Path]) -> None:
    """Zhang et al. 2025; the published layout is read without the code that comes with it."""
    scorer = QwenPRM(str(folders["qwen"]))
    for steps, found in zip(SOLUTIONS, scorer.score_batch([(PROBLEM, each) for each in SOLUTIONS]), strict=True):
        assert found.scores == pytest.approx(straightforward(folders["qwen"], steps), abs=1e-4)


@torch.inference_mode()
@pytest.mark.parametrize(("system", "written"), [("", ""), ("Be strict.", "<|system|>Be strict.")])
def test_the_system_message_is_a_setting(system: str, written: str, folders: dict[str, Path]) -> None:
    """Issue 13, F17: ReasonFlux-PRM has none, and was shown Qwen-Math's."""
    folder = folders["qwen"]
    scorer = QwenPRM(str(folder), system=system)
    expected = straightforward(folder, SOLUTIONS[0], written)
    assert scorer.score(PROBLEM, SOLUTIONS[0]) == pytest.approx(expected, abs=1e-4)
    assert scorer.identity == f"{QwenPRM(str(folder)).identity}:{system!r}"


@torch.inference_mode()
def test_a_head_of_one_layer_is_read_too(tmp_path: Path) -> None:
    """What `AutoModelForTokenClassification` saves."""
    auto_class, tag = "AutoModelForTokenClassification", ("<extra_0>",)
    folder = tiny_models.write(tmp_path, "qwen3", auto_class=auto_class, tokens=tag, num_labels=2)
    model, tokenizer = AutoModelForTokenClassification.from_pretrained(folder), AutoTokenizer.from_pretrained(folder)
    expected = []
    for text in texts(("Ada", "12")):
        ids = tokenizer.encode(text, add_special_tokens=False)
        expected.append(model(torch.tensor([ids])).logits[0, -1].softmax(-1)[1].item())
    scorer = QwenPRM(str(folder))
    scorer.check()
    assert scorer.score(PROBLEM, ("Ada", "12")) == pytest.approx(expected, abs=1e-4)


def test_a_head_of_three_classes_is_refused(folders: dict[str, Path]) -> None:
    """Before any weight is read."""
    with pytest.raises(UserError, match="tells 3 classes apart, and qwen_prm reads one of two"):
        QwenPRM(str(folders["token"])).check()


def test_a_model_without_a_head_is_refused(folder: Path) -> None:
    with pytest.raises(UserError, match=r"are a Qwen3ForCausalLM, and qwen_prm reads one whose name ends in"):
        QwenPRM(str(folder)).check()


def test_a_tokenizer_without_the_tag_is_refused(tmp_path: Path) -> None:
    folder = tiny_models.write(tmp_path, "qwen3", auto_class="AutoModelForTokenClassification", num_labels=2)
    with pytest.raises(UserError, match="'<extra_0>' is not one token of this model"):
        QwenPRM(str(folder)).check()
