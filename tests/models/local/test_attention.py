"""An attention kernel is there, or is named together with what it needs."""

import importlib.machinery
import sys
import types

import pytest
import torch

from inference_kit.errors import UserError
from inference_kit.models.local.attention import attend_folded, attend_in_groups, check_flash, choose_attention


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


def drawn(*, heads: int, queries: int, dtype: torch.dtype, value_size: int = 8) -> tuple[torch.Tensor, ...]:
    """Queries, keys and values of three sequences, two key heads each; and a mask by which each sees another length."""
    draw = torch.Generator().manual_seed(heads + queries)

    def of(*shape: int) -> torch.Tensor:
        return torch.randn(*shape, generator=draw).to(dtype)

    seen = torch.arange(30) <= torch.tensor([4, 29 - queries, 17])[:, None, None] + torch.arange(queries)[:, None]
    mask = torch.zeros(seen.shape, dtype=dtype).masked_fill_(~seen, torch.finfo(dtype).min)[:, None]
    return of(3, queries, heads, 8).transpose(1, 2), of(3, 2, 40, 8)[:, :, :30], of(3, 2, 30, value_size), mask


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize(("heads", "queries", "value_size"), [(8, 1, 8), (6, 7, 8), (4, 1, 12), (2, 5, 8)])
def test_shared_keys_and_values_give_the_bits_of_copied_ones(
    heads: int, queries: int, value_size: int, dtype: torch.dtype
) -> None:
    from transformers.integrations.sdpa_attention import sdpa_attention_forward

    given = drawn(heads=heads, queries=queries, dtype=dtype, value_size=value_size)
    layer = torch.nn.Module()
    layer.num_key_value_groups = heads // 2  # type: ignore[assignment]
    for scaling in (None, 0.3):
        ours, _ = attend_in_groups(layer, *given, scaling=scaling, dropout=0.0, is_causal=True)
        theirs, _ = sdpa_attention_forward(layer, *given, scaling=scaling, dropout=0.0, is_causal=True)
        assert ours.is_contiguous()
        assert torch.equal(ours, theirs)


def test_a_group_folded_into_the_queries_sees_the_same() -> None:
    query, key, value, mask = drawn(heads=8, queries=1, dtype=torch.float32, value_size=12)
    ours, _ = attend_in_groups(torch.nn.Module(), query, key, value, mask)
    torch.testing.assert_close(attend_folded(query, key, value, mask), ours)
