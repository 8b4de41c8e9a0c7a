"""What a query may see of the slot cache: a mask for PyTorch's kernels, a length for flash attention.

Why: every sequence of the decode loop has its own length, and its slot holds stale keys and values beyond it.
Promises: a query sees what stands at its own position or before it in its sequence, within the layer's window, and
nothing else.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from inference_kit.models.local.attention import FLASH, keep_groups

if TYPE_CHECKING:
    from torch import Tensor


def build_mask(positions: "Tensor", length: int, window: int | None, dtype: Any) -> "Tensor":
    """Build what is added to attention scores: 0 where a query may look, else the most negative number of `dtype`.

    Args:
        positions: (sequences, queries), the place of each query in its sequence.
        length: Places of the cache that the pass reads.
        window: How many places back a query of a sliding layer sees, its own included; None for all.
        dtype: The type of the attention scores.

    Returns:
        (sequences, 1, queries, length).
    """
    import torch

    places = torch.arange(length, device=positions.device)
    seen = places <= positions[:, :, None]
    if window is not None:
        seen &= places > positions[:, :, None] - window
    hidden = torch.finfo(dtype).min
    return torch.zeros(seen.shape, dtype=dtype, device=positions.device).masked_fill_(~seen, hidden)[:, None]


def set_attention(model: Any, kernel: str) -> None:
    """Give a model whose kernel is flash attention each sequence's length, because that kernel takes no mask.

    Where its kernel is sdpa, grouped queries share their keys and values.
    """
    if kernel not in FLASH:
        keep_groups(model)
        return
    from transformers import AttentionInterface

    package = import_module(FLASH[kernel][0])

    def attend(
        module: Any,
        query: "Tensor",
        key: "Tensor",
        value: "Tensor",
        _mask: Any,
        *,
        position_ids: "Tensor",
        scaling: float | None = None,
        sliding_window: int | None = None,
        softcap: float | None = None,
        **_: Any,
    ) -> "tuple[Tensor, None]":
        """Attend to the slots, each as long as the position of its last query says."""
        output = package.flash_attn_with_kvcache(
            query.transpose(1, 2),
            key.transpose(1, 2),
            value.transpose(1, 2),
            cache_seqlens=(position_ids[:, -1] + 1).int(),
            softmax_scale=scaling,
            causal=True,
            window_size=(sliding_window - 1, 0) if sliding_window else (-1, -1),
            softcap=softcap or 0.0,
        )
        return output, None

    name = f"slots_{kernel[-1]}"
    AttentionInterface.register(name, attend)
    model.set_attn_implementation(name)
