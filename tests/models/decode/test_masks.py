"""What a query sees is the same by a mask and by flash attention's lengths."""

import importlib.machinery
import sys
import types
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from inference_kit.models.decode.decode_loop import DecodeLoop
from inference_kit.models.decode.masks import set_attention
from inference_kit.models.decode.sequences import SequenceState
from inference_kit.records import GenerationConfig

PROMPTS = [tuple(range(10, 10 + length)) for length in (3, 40, 17)]


def flash_attn_with_kvcache(
    query: torch.Tensor,
    keys: torch.Tensor,
    values: torch.Tensor,
    *,
    cache_seqlens: torch.Tensor,
    softmax_scale: float,
    causal: bool,
    window_size: tuple[int, int],
    softcap: float,
) -> torch.Tensor:
    """What the package of that name documents, for (rows, tokens, heads, size), without its speed."""
    assert causal
    assert query.shape[2] % keys.shape[2] == 0
    keys, values = (each.repeat_interleave(query.shape[2] // keys.shape[2], dim=2) for each in (keys, values))
    scores = torch.einsum("bqhd,bkhd->bhqk", query, keys) * softmax_scale
    scores = softcap * torch.tanh(scores / softcap) if softcap else scores
    ends = cache_seqlens[:, None, None] - query.shape[1] + torch.arange(query.shape[1])[:, None]
    places = torch.arange(keys.shape[1])
    seen = (places <= ends) & ((places >= ends - window_size[0]) if window_size[0] >= 0 else True)
    weights = scores.masked_fill(~seen[:, None], -torch.inf).softmax(-1).nan_to_num(0.0)
    return torch.einsum("bhqk,bkhd->bqhd", weights, values)


@pytest.fixture
def flash(monkeypatch: pytest.MonkeyPatch) -> None:
    module = types.ModuleType("flash_attn")
    module.__spec__ = importlib.machinery.ModuleSpec("flash_attn", None)
    module.flash_attn_with_kvcache = flash_attn_with_kvcache  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "flash_attn", module)


@pytest.mark.parametrize("kind", ["llama", "qwen3", "mistral", "gemma3"])
def test_flash_attention_sees_what_the_masks_show(kind: str, flash: None, model_folder: Callable[[str], Path]) -> None:
    """Rows of many lengths, prompts read together, grouped queries and sliding windows."""
    from transformers import AutoModelForCausalLM

    def written(kernel: str | None) -> list[list[int]]:
        model: Any = AutoModelForCausalLM.from_pretrained(model_folder(kind)).eval()
        if kernel:
            set_attention(model, kernel)
        loop = DecodeLoop(model, slots=4, end_ids=frozenset({2}))
        loop.check()
        rows = [
            SequenceState(ids, GenerationConfig(temperature=1.0), seed, max_tokens=20)
            for ids in PROMPTS
            for seed in range(3)
        ]
        loop.waiting.extend(rows)
        while loop.busy:
            loop.advance(8)
        return [row.token_ids for row in rows]

    assert written("flash_attention_2") == written(None)
