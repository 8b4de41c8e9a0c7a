"""Quantised weights: which packages a model's own configuration, or `quantization_bit`, needs.

Why: the loader's own message about a missing package comes late and in many lines.
Promises: the package that is missing is named before weights are read; weights that are quantised already are not
quantised again.
"""

from collections.abc import Mapping
from importlib.util import find_spec
from typing import Any

from loguru import logger

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
DEQUANTIZED = {"fp8": "FineGrainedFP8Config", "mxfp4": "Mxfp4Config"}
"""Kinds that become plain weights while loading where the package `kernels`, which computes with them, is missing."""
BITS = (0, 4, 8)


def check_quantization(bits: int, config: Mapping[str, Any]) -> str | None:
    """Check that quantised weights can be loaded, and return their kind; None for plain ones.

    Raises:
        UserError: where its package is missing, and for `bits` that bitsandbytes does not know or that come second.
    """
    own = read_quantization(config)
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


def read_quantization(config: Mapping[str, Any]) -> str | None:
    """Read how weights are quantised from their configuration; None for plain ones."""
    own = config.get("quantization_config") or {}
    if own.get("load_in_4bit") or own.get("load_in_8bit"):
        return "bitsandbytes"
    kind: str | None = own.get("quant_method")
    return kind


def build_quantization_setting(bits: int, dtype: Any, device: str, config: Mapping[str, Any]) -> dict[str, Any]:
    """Build the setting of `from_pretrained` that says how weights are quantised.

    It is left out wherever the checkpoint's own is to hold: None would be written over that one.

    Args:
        bits: 4 or 8 to quantise plain weights while they load, 0 to leave them.
        dtype, device: In which numbers, and where, the model computes.
        config: The checkpoint's config.json.

    Raises:
        UserError: for a kind that `transformers` does not know; it would read such weights as plain ones.
    """
    import transformers
    from transformers.quantizers.auto import AUTO_QUANTIZER_MAPPING

    kind = read_quantization(config)
    if kind not in (None, "bitsandbytes", *AUTO_QUANTIZER_MAPPING):
        raise UserError(
            f"the weights are quantised by {kind!r}, which transformers cannot read",
            where=named("model_path"),
            fix="Use weights that are not quantised, or a server.",
        )
    if bits == 8:
        return {"quantization_config": transformers.BitsAndBytesConfig(load_in_8bit=True)}  # type: ignore[no-untyped-call]
    if bits == 4:
        four = {"bnb_4bit_quant_type": "nf4", "bnb_4bit_use_double_quant": True, "bnb_4bit_compute_dtype": dtype}
        return {"quantization_config": transformers.BitsAndBytesConfig(load_in_4bit=True, **four)}  # type: ignore[no-untyped-call]
    if kind in DEQUANTIZED and (device == "cpu" or find_spec("kernels") is None):
        logger.info("{} weights are computed in {} on {}: their own kernels are not here", kind, dtype, device)
        setting = getattr(transformers, DEQUANTIZED[kind]).from_dict(dict(config["quantization_config"]))
        setting.dequantize = True
        return {"quantization_config": setting}
    return {}


def unify_dequantized(model: Any, dtype: Any) -> None:
    """Bring all weights into `dtype` where quantised ones have become plain: `transformers` leaves some in bfloat16."""
    if getattr(model.config, "quantization_config", None) is None:
        for parameter in model.parameters():
            parameter.data = parameter.data.to(dtype)
