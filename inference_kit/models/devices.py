"""Where a model runs and in which numbers.

Why: the same command should do the best thing on a laptop, a Mac and a GPU machine, and say so where it cannot.
"""

from collections.abc import Mapping
from typing import Any

from inference_kit.errors import UserError


def choose_device(wanted: str) -> str:
    """The device to use: `auto` takes CUDA, then MPS, then the CPU.

    Raises:
        UserError: where the wanted one is not there.
    """
    import torch

    there = {"cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available(), "cpu": True}
    if wanted == "auto":
        return next(name for name, available in there.items() if available)
    if not there.get(wanted.partition(":")[0], False):
        available = ", ".join(name for name, is_there in there.items() if is_there)
        raise UserError(f"device {wanted!r} is not here", where="--device", fix=f"Available: {available}.")
    return wanted


def choose_dtype(wanted: str, device: str, config: Mapping[str, Any]) -> Any:
    """The torch type of the weights: `auto` takes the model's own on an accelerator and float32 on the CPU."""
    import torch

    types = {"bfloat16": torch.bfloat16, "float16": torch.float16, "float32": torch.float32}
    if wanted in types:
        return types[wanted]
    if wanted != "auto":
        raise UserError(f"unknown dtype {wanted!r}", where="--dtype", fix=f"Known: auto, {', '.join(types)}.")
    own = str(config.get("dtype") or config.get("torch_dtype") or "bfloat16")
    return torch.float32 if device == "cpu" else types.get(own, torch.bfloat16)
