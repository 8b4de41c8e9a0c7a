"""A LoRA adapter as reward model is put on its base, with the head that it brings."""

import json
from pathlib import Path
from typing import Any

import pytest
import tiny_models
import torch

from inference_kit.errors import UserError
from inference_kit.records import Message, Problem
from inference_kit.reward_models.formats.math_shepherd import MathShepherd
from inference_kit.reward_models.formats.sequence_orm import SequenceORM
from inference_kit.reward_models.formats.token_prm import TokenPRM
from inference_kit.reward_models.formats.versa_prm import VersaPRM
from inference_kit.reward_models.local.readout import squash
from inference_kit.reward_models.local.transformer import TransformerRewardModel

PROBLEM = Problem("1", (Message("user", "How many?"),))
STEPS = ("So the sum is 12.", "The answer is 42.")


def save(folder: Path, base: Path, auto_class: str, task: str, **settings: Any) -> Any:
    """Write an adapter with random weights; return the adapted model."""
    import transformers
    from peft import LoraConfig, get_peft_model

    with torch.random.fork_rng():
        torch.manual_seed(3)
        model = getattr(transformers, auto_class).from_pretrained(base, **settings)
        config = LoraConfig(r=4, lora_alpha=8, target_modules=["q_proj", "down_proj"], task_type=task)
        adapted = get_peft_model(model, config).eval()
        for name, parameter in adapted.named_parameters():
            if "lora_" in name or "modules_to_save" in name:
                parameter.data.copy_(torch.randn_like(parameter) * 0.3)
    adapted.save_pretrained(folder)
    return adapted


def read(scorer: TransformerRewardModel, adapted: Any) -> torch.Tensor:
    """The logits at the positions that a format reads, by peft."""
    text = scorer.encode_checked(PROBLEM, STEPS)
    with torch.inference_mode():
        logits: torch.Tensor = adapted(input_ids=torch.tensor([text.ids])).logits[0]
    return logits[list(text.positions)] if logits.ndim > 1 else logits


def test_an_adapter_of_a_language_model_is_put_on_its_base(folders: dict[str, Path], tmp_path: Path) -> None:
    """Issue 13, F16: it was said that an adapter was wanted, which is what it was."""
    adapted = save(tmp_path / "one", folders["shepherd"], "AutoModelForCausalLM", "CAUSAL_LM")
    scorer = MathShepherd(str(tmp_path / "one"))
    scorer.check()
    verdicts = read(scorer, adapted)[:, scorer._verdict_ids].softmax(-1)[:, 0]
    assert scorer.score(PROBLEM, STEPS) == pytest.approx(verdicts.tolist(), abs=1e-4)
    assert scorer.identity != MathShepherd(str(folders["shepherd"])).identity


def test_math_psa_is_an_adapter_with_another_tag(folders: dict[str, Path], tmp_path: Path) -> None:
    """OpenR's reward model: five line breaks behind each step, + and - behind a space."""
    adapted = save(tmp_path / "one", folders["versa"], "AutoModelForCausalLM", "CAUSAL_LM")
    settings = {"tag": " \n\n\n\n\n", "question_separator": " ", "separator": " ", "spaced_verdicts": True}
    scorer = VersaPRM(str(tmp_path / "one"), **settings)
    scorer.check()
    verdicts = read(scorer, adapted)[:, scorer._verdict_ids].softmax(-1)[:, 0]
    assert scorer.score(PROBLEM, STEPS) == pytest.approx(verdicts.tolist(), abs=1e-4)
    assert scorer.score(PROBLEM, STEPS) != pytest.approx(
        VersaPRM(str(folders["versa"]), **settings).score(PROBLEM, STEPS)
    )


@pytest.mark.parametrize("base", ["causal", "sequence"])
def test_an_adapter_brings_the_head_of_an_outcome_model(base: str, folders: dict[str, Path], tmp_path: Path) -> None:
    """On a base without a head, and on one whose own head is replaced."""
    settings = {"num_labels": 1, "pad_token_id": 0}
    adapted = save(tmp_path, folders[base], "AutoModelForSequenceClassification", "SEQ_CLS", **settings)
    scorer = SequenceORM(str(tmp_path))
    scorer.check()
    expected = squash(read(scorer, adapted).tolist())
    assert scorer.score(PROBLEM, STEPS) == pytest.approx([expected], abs=1e-4)
    with pytest.raises(UserError, match=r"ForSequenceClassification, and token_prm reads"):
        TokenPRM(str(tmp_path)).check()


def test_an_adapter_brings_the_head_of_a_process_model(folders: dict[str, Path], tmp_path: Path) -> None:
    adapted = save(tmp_path, folders["causal"], "AutoModelForTokenClassification", "TOKEN_CLS", num_labels=3)
    scorer = TokenPRM(str(tmp_path), neutral_is_good=True)
    scorer.check()
    expected = read(scorer, adapted).softmax(-1)[:, 1:].sum(-1)
    assert scorer.score(PROBLEM, STEPS) == pytest.approx(expected.tolist(), abs=1e-4)


def test_a_base_that_is_elsewhere_is_a_setting(folders: dict[str, Path], tmp_path: Path) -> None:
    adapted = save(tmp_path, folders["causal"], "AutoModelForTokenClassification", "TOKEN_CLS", num_labels=2)
    path = tmp_path / "adapter_config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"base_model_name_or_path": "/gone/base"}))
    with pytest.raises(UserError, match=r"/gone/base: no such folder. Set --reward-base-model to"):
        TokenPRM(str(tmp_path)).check()
    scorer = TokenPRM(str(tmp_path), base_model=str(folders["causal"]))
    expected = read(scorer, adapted).softmax(-1)[:, 1]
    assert scorer.score(PROBLEM, STEPS) == pytest.approx(expected.tolist(), abs=1e-4)
    other = tiny_models.write(tmp_path / "other", "qwen3", intermediate_size=64)
    with pytest.raises(UserError, match=r"does not fit other: .*--reward-base-model"):
        TokenPRM(str(tmp_path), base_model=str(other)).score(PROBLEM, STEPS)


def test_an_adapter_without_the_head_that_its_task_needs_is_refused(folders: dict[str, Path], tmp_path: Path) -> None:
    from safetensors.torch import load_file, save_file

    save(tmp_path, folders["causal"], "AutoModelForSequenceClassification", "SEQ_CLS", num_labels=1)
    path = tmp_path / "adapter_model.safetensors"
    save_file({name: each for name, each in load_file(path).items() if "score" not in name}, path)
    with pytest.raises(UserError, match=r"1 are missing, such as score\.weight"):
        SequenceORM(str(tmp_path)).score(PROBLEM, STEPS)
