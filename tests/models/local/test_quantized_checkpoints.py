"""Checkpoints that are stored quantised: FP8, MXFP4 and bitsandbytes load as what `transformers` makes of them."""

import json
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
import quantized_models
import tiny_models
import torch

from inference_kit.errors import UserError
from inference_kit.models.local.devices import Placement
from inference_kit.models.local.loading import load_model
from inference_kit.models.local.quantization import check_quantization
from inference_kit.models.local.weights import Weights
from inference_kit.records import Message, Problem
from inference_kit.reward_models.formats.sequence_orm import SequenceORM

IDS = torch.arange(10, 40)[None]
needs_bitsandbytes = pytest.mark.skipif(find_spec("bitsandbytes") is None, reason="bitsandbytes is not installed")


def read_reference(folder: Path, true: dict[str, torch.Tensor] | None = None, kind: str = "CausalLM") -> torch.Tensor:
    """What `transformers` says by itself; with `true` weights, what these say in the place of the quantised ones."""
    import transformers

    model = getattr(transformers, f"AutoModelFor{kind}").from_pretrained(folder, dtype=torch.float32).eval()
    model = model.float() if true is not None else model
    if true is not None:
        model.load_state_dict(true, strict=False)
    with torch.inference_mode():
        logits: torch.Tensor = model(IDS).logits
    return logits


def read_ours(folder: Path, auto_class: str = "AutoModelForCausalLM") -> torch.Tensor:
    with torch.inference_mode():
        logits: torch.Tensor = load_model(Weights(str(folder)), auto_class, Placement(device="cpu"))(IDS).logits
    return logits


@pytest.mark.parametrize("write", [quantized_models.write_fp8, quantized_models.write_mxfp4])
def test_fp8_and_mxfp4_are_their_true_weights(
    write: Callable[[Path], tuple[Path, dict[str, torch.Tensor]]], tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Issue 13, F1 and F2: their scales were left out with a warning, and the text was garbage."""
    folder, true = write(tmp_path)
    ours = read_ours(folder)
    assert ours.dtype == torch.float32
    torch.testing.assert_close(ours, read_reference(folder, true), atol=1e-5, rtol=1e-4)
    assert "left out" not in caplog.text


@needs_bitsandbytes
@pytest.mark.parametrize("bits", [4, 8])
def test_bitsandbytes_checkpoints_are_as_transformers_reads_them(bits: int, tmp_path: Path) -> None:
    plain = tiny_models.write(tmp_path / "plain", hidden_size=64, head_dim=16, intermediate_size=64)  # blocks of 64
    folder = quantized_models.write_bitsandbytes(tmp_path / "quantised", plain, bits)
    assert torch.equal(read_ours(folder), read_reference(folder))


def test_a_quantised_reward_model_is_its_true_weights(tmp_path: Path) -> None:
    """They share `load_model`."""
    auto_class = "AutoModelForSequenceClassification"
    folder, true = quantized_models.write_fp8(tmp_path, auto_class=auto_class, num_labels=1)
    expected = read_reference(folder, true, "SequenceClassification")
    torch.testing.assert_close(read_ours(folder, auto_class), expected, atol=1e-5, rtol=1e-4)
    reward_model = SequenceORM(str(folder), placement=Placement(device="cpu"))
    reward_model.check()
    assert 0 < reward_model.score(Problem("1", (Message("user", "?"),)), ["So it is 42."])[0] < 1


def test_a_kind_of_quantisation_that_nobody_knows_is_refused(copy: Path) -> None:
    config: dict[str, Any] = json.loads((copy / "config.json").read_text())
    (copy / "config.json").write_text(json.dumps(config | {"quantization_config": {"quant_method": "own"}}))
    with pytest.raises(UserError, match="quantised by 'own', which transformers cannot read"):
        load_model(Weights(str(copy)), "AutoModelForCausalLM")


def test_the_kind_of_old_bitsandbytes_configurations_is_known() -> None:
    """They name the bits only."""
    assert find_spec("bitsandbytes") is None or check_quantization(0, {"quantization_config": {"load_in_4bit": True}})
    with pytest.raises(UserError, match=r"quantised already \(bitsandbytes\)"):
        check_quantization(4, {"quantization_config": {"load_in_4bit": True}})
