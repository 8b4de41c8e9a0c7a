"""Devices: where a model runs, in which numbers, and whether its memory has run out.

Why: the same command should do the best thing on a laptop, a Mac and a GPU machine, and say so where it cannot.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from inference_kit.errors import UserError, first_line, named

Dtype = Literal["auto", "bfloat16", "float16", "float32"]
"""What a setting may call the numbers of the weights."""


@dataclass(frozen=True, slots=True)
class Placement:
    """Where a model runs, and in which numbers.

    Args:
        dtype: auto, bfloat16, float16 or float32; auto is float32 on a CPU and the model's own elsewhere.
        device: auto, cuda, mps or cpu.
        device_map: How accelerate spreads the layers over GPUs, such as auto; none keeps them on one device.
    """

    dtype: Dtype = "auto"
    device: str = "auto"
    device_map: str | None = None


def choose_device(wanted: str) -> str:
    """Choose the device: `auto` takes CUDA, then MPS, then the CPU.

    Raises:
        UserError: where the wanted one is not there.
    """
    import torch

    kinds = [("cuda", torch.cuda.device_count()), ("mps", int(torch.backends.mps.is_available())), ("cpu", 1)]
    there = [kind for kind, number in kinds if number]
    if wanted == "auto":
        return there[0]
    numbered = [f"{kind}:{place}" for kind, number in kinds for place in range(number)]
    if wanted not in (*there, *numbered):
        raise UserError(f"device {wanted!r} is not here", where=named("device"), fix=f"Available: {', '.join(there)}.")
    return wanted


def choose_dtype(wanted: str, device: str, config: Mapping[str, Any]) -> Any:
    """Choose the torch type of the weights: `auto` is the model's own on an accelerator, and float32 on the CPU."""
    import torch

    types = {"bfloat16": torch.bfloat16, "float16": torch.float16, "float32": torch.float32}
    if wanted in types:
        return types[wanted]
    if wanted != "auto":
        raise UserError(f"unknown dtype {wanted!r}", where=named("dtype"), fix=f"Known: auto, {', '.join(types)}.")
    own = str(config.get("dtype") or config.get("torch_dtype") or "bfloat16")
    return torch.float32 if device == "cpu" else types.get(own, torch.bfloat16)


def is_out_of_memory(error: BaseException) -> bool:
    """Tell whether an error says that the device, or the machine, has no memory left."""
    import torch

    words = ("out of memory", "not enough memory", "can't allocate memory")
    return isinstance(error, MemoryError | torch.OutOfMemoryError) or any(word in str(error).lower() for word in words)


def explain_no_memory(error: Exception) -> UserError:
    """Build the error for weights that fit, but leave no memory to write with."""
    return UserError(
        f"the weights leave no memory to write with ({first_line(error)})",
        where=named("model_path"),
        fix=f"Use {named('dtype')} bfloat16, {named('quantization_bit')} 4, or a smaller model.",
    )
