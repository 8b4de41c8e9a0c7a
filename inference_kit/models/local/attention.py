"""Attention: which kernel computes it, and what a query may see of the slot cache.

Why: every row of the decode loop has its own length, so what hides the rest is the loop's to say: a mask for PyTorch's
kernels, a length for each row for flash attention.
Promises: a kernel that is not there is refused by name, never replaced by another; an architecture that keeps something
else than keys and values is refused.
"""

from collections.abc import Mapping
from importlib import import_module
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

from inference_kit.errors import UserError

if TYPE_CHECKING:
    from torch import Tensor

FLASH = {
    "flash_attention_2": ("flash_attn", "pip install flash-attn --no-build-isolation"),
    "flash_attention_3": ("flash_attn_interface", "build it from hopper/ of the flash-attention repository"),
}
"""Kernels that come in packages of their own: the module, and how to get it."""
KERNELS = ("auto", "sdpa", "eager", *FLASH)

NOT_KEYS_AND_VALUES = ("mamba", "mamba2", "rwkv", "falcon_mamba", "recurrent_gemma", "bloom", "mpt", "xlstm")
"""Architectures with a recurrent state, or with positions that only a two-dimensional mask can tell (ALiBi)."""


def choose_attention(wanted: str, config: Mapping[str, Any]) -> str | None:
    """The attention kernel by `transformers`' name; `auto` (None) is sdpa where the architecture has it, else eager.

    Raises:
        UserError: for an unknown kernel, one whose package is missing, and for sdpa with soft-capped attention scores,
            which it would leave uncapped.
    """
    capped = config.get("attn_logit_softcapping") is not None
    if wanted not in KERNELS:
        raise UserError(
            f"unknown attn_implementation {wanted!r}",
            where="--attn-implementation",
            fix=f"Known: {', '.join(KERNELS)}; sdpa takes PyTorch's own fused kernels.",
        )
    if wanted in FLASH and find_spec(FLASH[wanted][0]) is None:
        module, command = FLASH[wanted]
        raise UserError(
            f"attn_implementation {wanted} needs the package {module}, which is not installed",
            where="--attn-implementation",
            fix=f"Install it ({command}; it needs a CUDA GPU), or use auto or sdpa.",
        )
    if wanted == "sdpa" and capped:
        raise UserError(
            "sdpa cannot cap attention scores, as this model needs",
            where="--attn-implementation",
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
            where="--attn-implementation",
            fix="Use auto or sdpa.",
        )


def in_slots(kernel: str | None) -> str | None:
    """The kernel's name for the decode loop: flash attention is told each row's length instead of a mask."""
    if kernel not in FLASH:
        return kernel
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
        """Rows end with their newest token, which is the last of their queries."""
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
    return name


def sliding_windows(config: Any) -> dict[str, int | None]:
    """The kinds of attention layers and their windows, None for full attention.

    Raises:
        UserError: for an architecture that keeps something else than keys and values.
    """
    config = config.get_text_config()
    window = getattr(config, "sliding_window", None)
    kinds = set(getattr(config, "layer_types", None) or ["sliding_attention" if window else "full_attention"])
    known = {"full_attention": None, "sliding_attention": window}
    if not kinds <= set(known) or config.model_type in NOT_KEYS_AND_VALUES:
        raise refused(config, "it has another kind of state")
    return {kind: known[kind] for kind in sorted(kinds)}


def refused(config: Any, reason: str) -> UserError:
    """The error for an architecture that the slot cache cannot hold."""
    kind = config.get_text_config().model_type
    return UserError(
        f"architecture {kind!r} does not keep plain keys and values for each token ({reason})",
        where="--model-path",
        fix="This engine cannot run it; use a server or vLLM.",
    )


def mask_of(positions: "Tensor", length: int, window: int | None, dtype: Any) -> "Tensor":
    """(rows, 1, queries, length), to be added to attention scores: 0 where a query may look, else very negative."""
    import torch

    places = torch.arange(length, device=positions.device)
    seen = places <= positions[:, :, None]
    if window is not None:
        seen &= places > positions[:, :, None] - window
    hidden = torch.finfo(dtype).min
    return torch.zeros(seen.shape, dtype=dtype, device=positions.device).masked_fill_(~seen, hidden)[:, None]
