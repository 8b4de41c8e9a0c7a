"""An attention kernel is there, or is named together with what it needs."""

import importlib.machinery
import sys
import types

import pytest
import torch

from inference_kit.errors import UserError
from inference_kit.models.local.attention import check_flash, choose_attention


@pytest.mark.parametrize(
    ("kernel", "package"), [("flash_attention_2", "flash_attn"), ("flash_attention_3", "flash_attn_interface")]
)
def test_flash_attention_that_is_not_here_names_its_package(
    kernel: str, package: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """MAIN-31: no fallback."""
    monkeypatch.setattr("inference_kit.models.local.attention.find_spec", lambda _: None)
    with pytest.raises(UserError, match=f"{kernel} needs the package {package}, which is not installed"):
        choose_attention(kernel, {})


def test_flash_attention_is_refused_where_its_kernels_do_not_run(monkeypatch: pytest.MonkeyPatch) -> None:
    """MAIN-31."""
    module = types.ModuleType("flash_attn")
    module.__spec__ = importlib.machinery.ModuleSpec("flash_attn", None)
    monkeypatch.setitem(sys.modules, "flash_attn", module)
    assert choose_attention("flash_attention_2", {}) == "flash_attention_2"
    check_flash("flash_attention_2", "cuda", torch.bfloat16)
    check_flash("sdpa", "cpu", torch.float32)
    for device, dtype in (("cpu", torch.bfloat16), ("cuda:1", torch.float32)):
        with pytest.raises(UserError, match="runs on CUDA in bfloat16 or float16 only"):
            check_flash("flash_attention_2", device, dtype)
