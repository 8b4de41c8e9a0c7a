"""Quantised weights name the package they need before anything is read."""

import json
import shutil
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path

import pytest

from inference_kit.errors import UserError
from inference_kit.models.decode.huggingface import HuggingFace
from inference_kit.models.local.quantization import check_quantization
from inference_kit.records import GenerationConfig

CONFIG = GenerationConfig(max_new_tokens=8)


@pytest.mark.skipif(find_spec("bitsandbytes") is not None, reason="bitsandbytes is here")
def test_bits_need_bitsandbytes(model_folder: Callable[[], Path]) -> None:
    """LF-01: quantization_bit."""
    engine = HuggingFace(str(model_folder()), quantization_bit=4)
    with pytest.raises(UserError, match="--quantization-bit: bitsandbytes weights need the package bitsandbytes"):
        engine.check(CONFIG)
    assert "4bit" in engine.identity


@pytest.mark.parametrize(("kind", "package"), [("gptq", "gptqmodel"), ("awq", "gptqmodel"), ("hqq", "hqq")])
def test_quantised_weights_name_their_package(
    kind: str, package: str, model_folder: Callable[[], Path], tmp_path: Path
) -> None:
    folder = Path(shutil.copytree(model_folder(), tmp_path / "model"))
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps(config | {"quantization_config": {"quant_method": kind}}))
    if find_spec(package) is None:
        with pytest.raises(UserError, match=rf"{kind} weights need the package {package}.*pip install"):
            HuggingFace(str(folder)).check(CONFIG)
    with pytest.raises(UserError, match=rf"quantised already \({kind}\)"):
        HuggingFace(str(folder), quantization_bit=8).check(CONFIG)


def test_bits_are_four_or_eight() -> None:
    with pytest.raises(UserError, match=r"must be 0 \(off\), 4 or 8, got 3"):
        check_quantization(3, {})
    assert check_quantization(0, {}) is None
