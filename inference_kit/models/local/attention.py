"""Attention: which kernel computes it, and how grouped queries share their keys and values.

Why: whether a package is missing, or a device cannot run a kernel, is known before gigabytes of weights are read. With
a mask, the sdpa of `transformers` copies all keys and values out to every query head, in each layer and step; in a
batch of many short steps these copies are most of the work.
Promises: a kernel that is not there is refused by name, never replaced by another; on a CPU shared keys and values
give the same bits as copied ones.
"""

from collections.abc import Mapping
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

from inference_kit.errors import UserError, named

if TYPE_CHECKING:
    from torch import Tensor

FLASH = {
    "flash_attention_2": ("flash_attn", "pip install flash-attn --no-build-isolation"),
    "flash_attention_3": ("flash_attn_interface", "build it from hopper/ of the flash-attention repository"),
}
"""Kernels that come in packages of their own: the module, and how to get it."""
KERNELS = ("auto", "sdpa", "eager", *FLASH)
GROUPED = "grouped_sdpa"
"""The name that `transformers` knows `attend_in_groups` by."""


def choose_attention(wanted: str, config: Mapping[str, Any]) -> str | None:
    """Choose the attention kernel by `transformers`' name; None is sdpa where the architecture has it, else eager.

    Raises:
        UserError: for an unknown kernel, one whose package is missing, and for sdpa with soft-capped attention scores,
            which it would leave uncapped.
    """
    capped = config.get("attn_logit_softcapping") is not None
    if wanted not in KERNELS:
        raise UserError(
            f"unknown attn_implementation {wanted!r}",
            where=named("attn_implementation"),
            fix=f"Known: {', '.join(KERNELS)}; sdpa takes PyTorch's own fused kernels.",
        )
    if wanted in FLASH and find_spec(FLASH[wanted][0]) is None:
        module, command = FLASH[wanted]
        raise UserError(
            f"attn_implementation {wanted} needs the package {module}, which is not installed",
            where=named("attn_implementation"),
            fix=f"Install it ({command}; it needs a CUDA GPU), or use auto or sdpa.",
        )
    if wanted == "sdpa" and capped:
        raise UserError(
            "sdpa cannot cap attention scores, as this model needs",
            where=named("attn_implementation"),
            fix="Use auto or eager.",
        )
    if wanted == "auto":
        return "eager" if capped else None
    return wanted


def check_flash(kernel: str | None, device: str, dtype: Any) -> None:
    """Refuse flash attention where its kernels do not run.

    Raises:
        UserError: on another device than CUDA, and for 32-bit numbers.
    """
    import torch

    if kernel in FLASH and (not device.startswith("cuda") or dtype == torch.float32):
        raise UserError(
            f"{kernel} runs on CUDA in bfloat16 or float16 only, and this model is on {device} in {dtype}",
            where=named("attn_implementation"),
            fix="Use auto or sdpa.",
        )


def keep_groups(model: Any) -> None:
    """Let a model whose kernel is sdpa attend by `attend_in_groups`; a model that uses another kernel keeps its own."""
    from transformers import AttentionInterface, AttentionMaskInterface
    from transformers.masking_utils import sdpa_mask

    if model.config.get_text_config()._attn_implementation != "sdpa":
        return
    AttentionInterface.register(GROUPED, attend_in_groups)
    AttentionMaskInterface.register(GROUPED, sdpa_mask)
    model.set_attn_implementation(GROUPED)


def attend_in_groups(
    module: Any,
    query: "Tensor",
    key: "Tensor",
    value: "Tensor",
    mask: "Tensor | None",
    *,
    scaling: float | None = None,
    position_bias: "Tensor | None" = None,
    **more: Any,
) -> "tuple[Tensor, None]":
    """Attend as the sdpa of `transformers` does, without a copy of the keys and values for each query head.

    Args:
        module: The attention layer.
        query: (sequences, query heads, queries, size).
        key, value: (sequences, key heads, length, size); a group of query heads shares a key head.
        mask: (sequences, 1, queries, length), added to the scores; where there is none nothing is copied anyway.
        scaling: What scores are multiplied by; None is one over the root of the size.
        position_bias: A term that some architectures add to the scores; they keep the function of `transformers`.
        more: What `transformers` hands to any attention function.

    Returns:
        (sequences, queries, query heads, size), and None in the place of attention weights.
    """
    from torch.nn.functional import scaled_dot_product_attention
    from transformers.integrations.sdpa_attention import sdpa_attention_forward

    in_groups = query.shape[1] > key.shape[1]
    if not in_groups or mask is None or position_bias is not None:
        return sdpa_attention_forward(
            module, query, key, value, mask, scaling=scaling, position_bias=position_bias, **more
        )
    if query.device.type == "cpu":
        output = scaled_dot_product_attention(query, key, value, attn_mask=mask, scale=scaling, enable_gqa=True)
        return output.transpose(1, 2).contiguous(), None
    if query.shape[2] == 1:  # elsewhere the fused kernels take a mask or groups, not both
        return attend_folded(query, key, value, mask, scaling), None
    return sdpa_attention_forward(module, query, key, value, mask, scaling=scaling, **more)


def attend_folded(
    query: "Tensor", key: "Tensor", value: "Tensor", mask: "Tensor", scaling: float | None = None
) -> "Tensor":
    """Attend with one query a sequence, its heads of one group in the place of several queries of one head.

    All of them see the same keys, so this is attention with fewer heads: (sequences, key heads, group, size).
    """
    from torch.nn.functional import scaled_dot_product_attention

    n_sequences, n_heads, _, size = query.shape
    folded = query.reshape(n_sequences, key.shape[1], -1, size)
    output = scaled_dot_product_attention(folded, key, value, attn_mask=mask, scale=scaling)
    return output.reshape(n_sequences, 1, n_heads, value.shape[3])
