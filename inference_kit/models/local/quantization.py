"""Quantised weights: which packages a model's own configuration, or `quantization_bit`, needs.

Why: the loader's own message about a missing package comes late and in many lines.
Promises: the package that is missing is named before weights are read; weights that are quantised already are not
quantised again.
"""

from collections.abc import Mapping
from importlib.util import find_spec
from typing import Any

from inference_kit.errors import UserError, named

PACKAGES = {
    "bitsandbytes": ("bitsandbytes",),
    "gptq": ("gptqmodel", "optimum"),
    "awq": ("gptqmodel",),
    "compressed-tensors": ("compressed_tensors",),
    "hqq": ("hqq",),
    "aqlm": ("aqlm",),
    "torchao": ("torchao",),
}
"""What each kind of quantised weights needs; a kind that is not here needs nothing, or what `transformers` says."""
BITS = (0, 4, 8)


def check_quantization(bits: int, config: Mapping[str, Any]) -> str | None:
    """Check that quantised weights can be loaded, and return their kind; None for plain ones.

    Raises:
        UserError: where its package is missing, and for `bits` that bitsandbytes does not know or that come second.
    """
    own = (config.get("quantization_config") or {}).get("quant_method")
    if bits not in BITS:
        raise UserError(
            f"quantization_bit must be 0 (off), 4 or 8, got {bits}",
            where=named("quantization_bit"),
            fix="Use one of these.",
        )
    if bits and own:
        raise UserError(
            f"these weights are quantised already ({own})",
            where=named("quantization_bit"),
            fix="Leave the setting out.",
        )
    kind: str | None = "bitsandbytes" if bits else own
    missing = [package for package in PACKAGES.get(kind or "", ()) if find_spec(package) is None]
    if missing:
        raise UserError(
            f"{kind} weights need the package {' and '.join(missing)}, which is not installed",
            where=named("quantization_bit") if bits else named("model_path"),
            fix=f"Install it (pip install {' '.join(missing)}), or use weights that are not quantised.",
        )
    return kind


def build_quantization_config(bits: int, dtype: Any) -> Any:
    """Build what tells `transformers` to quantise plain weights while it loads them; None for 0 bits."""
    if not bits:
        return None
    from transformers import BitsAndBytesConfig

    if bits == 8:
        return BitsAndBytesConfig(load_in_8bit=True)  # type: ignore[no-untyped-call]
    four = {"bnb_4bit_quant_type": "nf4", "bnb_4bit_use_double_quant": True, "bnb_4bit_compute_dtype": dtype}
    return BitsAndBytesConfig(load_in_4bit=True, **four)  # type: ignore[no-untyped-call]
