"""Attention: which kernel computes it.

Why: whether a package is missing, or a device cannot run a kernel, is known before gigabytes of weights are read.
Promises: a kernel that is not there is refused by name, never replaced by another.
"""

from collections.abc import Mapping
from importlib.util import find_spec
from typing import Any

from inference_kit.errors import UserError, named

FLASH = {
    "flash_attention_2": ("flash_attn", "pip install flash-attn --no-build-isolation"),
    "flash_attention_3": ("flash_attn_interface", "build it from hopper/ of the flash-attention repository"),
}
"""Kernels that come in packages of their own: the module, and how to get it."""
KERNELS = ("auto", "sdpa", "eager", *FLASH)


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
