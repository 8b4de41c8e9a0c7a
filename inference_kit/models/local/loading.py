"""Loading: tokenizers and models of `transformers`, from weights to what can be run.

Why: the library reports a fault late, in many lines or not at all; here it is one line that says how to mend it.
Promises: weights that are damaged, too large, or not all of their model are refused, never filled up with random
numbers; a damaged file is named.
"""

import sys
from collections.abc import Collection, Mapping
from pathlib import Path
from pickle import UnpicklingError
from typing import Any

from loguru import logger

from inference_kit.errors import UserError, first_line, named
from inference_kit.models.local.attention import check_flash, choose_attention
from inference_kit.models.local.devices import Placement, choose_device, choose_dtype, is_out_of_memory
from inference_kit.models.local.gguf import SUFFIX, build_gguf_setting, say_unpacked
from inference_kit.models.local.quantization import build_quantization_setting, check_quantization, unify_dequantized
from inference_kit.models.local.weights import Weights

HEADS = ("score.", "classifier.")
"""How the names of a classification head's weights begin."""


def load_tokenizer(weights: Weights, *, trust_remote_code: bool = False) -> Any:
    """Load the tokenizer of `weights`.

    Raises:
        UserError: where there is none, or it does not load.
    """
    from transformers import AutoTokenizer

    folder = weights.fetch_tokenizer()
    try:
        tokenizer = AutoTokenizer.from_pretrained(
            folder, trust_remote_code=trust_remote_code, gguf_file=weights.gguf and weights.gguf.name
        )
    except Exception as error:  # readers of damaged files end in any class, and `tokenizers` in this one
        reason = first_line(error) if isinstance(error, (OSError, ValueError, ImportError)) else repr(error)
        raise UserError(
            f"the tokenizer does not load: {reason}", where=str(weights.gguf or folder), fix="Fetch the model again."
        ) from error
    # Lengths are checked against the model, with an error instead of a warning.
    tokenizer.model_max_length = sys.maxsize
    return tokenizer


def load_model(
    weights: Weights,
    auto_class: str,
    placement: Placement = Placement(),
    *,
    attention: str = "auto",
    quantization_bit: int = 0,
    tensor_parallel: bool = False,
    trust_remote_code: bool = False,
    n_new_labels: int = 0,
) -> Any:
    """Load a model by the `transformers` auto class of that name, ready to run.

    Args:
        weights, auto_class: The model, and its class such as AutoModelForCausalLM.
        placement: Device and number format.
        attention: The attention kernel, as in `choose_attention`.
        quantization_bit: 4 or 8 to quantise the weights while they load, 0 to leave them.
        tensor_parallel: Load this process's share of each layer, by the architecture's own plan.
        trust_remote_code: Run code that comes with the weights.
        n_new_labels: Outputs of a classification head that an adapter brings, so that the weights may lack one.

    Raises:
        UserError: where the weights, the device, its memory or the number format are not available.
    """
    from safetensors import SafetensorError

    folder = weights.fetch_all()
    place = choose_device(placement.device)
    number_format = choose_dtype(placement.dtype, place, weights.config)
    kernel = choose_attention(attention, weights.config)
    check_flash(kernel, place, number_format)
    quantized = check_quantization(quantization_bit, weights.whole_config)
    settings = {
        "dtype": number_format,
        "attn_implementation": kernel,
        "device_map": placement.device_map or ({"": place} if quantized else None),
        "trust_remote_code": trust_remote_code,
        **build_quantization_setting(quantization_bit, number_format, place, weights.whole_config),
        **build_gguf_setting(weights.gguf),
    }
    _silence_transformers()
    try:
        model, report = _read_model(folder, auto_class, settings, tensor_parallel, n_new_labels)
        _check_complete(folder, report)
        if quantized:
            unify_dequantized(model, number_format)
        elif placement.device_map is None and not tensor_parallel:
            model.to(place)
    except (OSError, ValueError, ImportError, MemoryError, RuntimeError, SafetensorError, UnpicklingError) as error:
        raise _explain(error, weights.gguf or folder, place) from error
    _say_loaded(weights, auto_class, model, report)
    return model.eval()


def _say_loaded(weights: Weights, auto_class: str, model: Any, report: Mapping[str, Any]) -> None:
    """Say what was loaded, and which weights were left out."""
    if auto_class != "AutoModel":  # a model without a head has no place for the head's weights, as it should be
        _warn_of_left_out(model, weights.folder, report["unexpected_keys"])
    if weights.gguf:
        say_unpacked(weights.gguf, model)
    logger.info("{} is loaded: {}, {}", weights.name, model.device, model.dtype)


def _read_model(
    folder: Path, auto_class: str, settings: Mapping[str, Any], tensor_parallel: bool, n_new_labels: int
) -> tuple[Any, Mapping[str, Any]]:
    """Read a model, and what `transformers` reports of its weights: missing, left over, of another shape."""
    import transformers
    from transformers.distributed.configuration_utils import DistributedConfig

    model, report = getattr(transformers, auto_class).from_pretrained(
        folder,
        distributed_config=DistributedConfig(tp_plan="auto") if tensor_parallel else None,
        ignore_mismatched_sizes=True,
        output_loading_info=True,
        **settings,
        **({"num_labels": n_new_labels} if n_new_labels else {}),
    )
    return model, _leave_out_head(report) if n_new_labels else report


def _silence_transformers() -> None:
    """Turn off the warnings of `transformers`, which are about what is checked here."""
    from transformers.utils import logging

    logging.disable_progress_bar()  # type: ignore[no-untyped-call]
    logging.set_verbosity_error()  # type: ignore[no-untyped-call]


def _leave_out_head(report: Mapping[str, Any]) -> dict[str, Any]:
    """Return a report of loading without what it says of a classification head."""
    missing = {name for name in report["missing_keys"] if not name.startswith(HEADS)}
    mismatched = {each for each in report["mismatched_keys"] if not each[0].startswith(HEADS)}
    return {**report, "missing_keys": missing, "mismatched_keys": mismatched}


def _check_complete(folder: Path, report: Mapping[str, Any]) -> None:
    """Refuse weights that are not all of their model; `transformers` would put random numbers in their place.

    Args:
        folder: Where they come from.
        report: What `from_pretrained` says with `output_loading_info`.

    Raises:
        UserError: naming one of those that are missing, or that have another shape.
    """
    reason = ""
    if report["missing_keys"]:
        reason = f"{len(report['missing_keys'])} are missing, such as {min(report['missing_keys'])}"
    elif report["mismatched_keys"]:
        name, there, wanted = min(report["mismatched_keys"])
        reason = f"{name} is {list(there)} and should be {list(wanted)}"
    if reason:
        raise UserError(
            f"the weights do not fit config.json: {reason}",
            where=str(folder),
            fix="Fetch the model again, or choose the kind of model that the weights are of.",
        )


def _warn_of_left_out(model: Any, folder: Path, names: Collection[str]) -> None:
    """Warn of weights that the model has no place for."""
    if names:
        logger.warning(
            "{} of the weights in {} have no place in a {} and are left out, such as {}",
            len(names),
            folder,
            type(model).__name__,
            min(names),
        )


def _explain(error: Exception, folder: Path, place: str) -> UserError:
    """Build the error for weights that do not load, or that the memory cannot hold."""
    if not is_out_of_memory(error):
        return _explain_not_loaded(folder, error)
    return UserError(
        f"the weights do not fit into the memory of {place} ({first_line(error)})",
        where=str(folder),
        fix=f"Spread them over all GPUs with {named('device_map')} auto, or use {named('dtype')} bfloat16, "
        f"{named('quantization_bit')} 4, or a smaller model.",
    )


def _explain_not_loaded(folder: Path, error: Exception) -> UserError:
    """Build the error for weights that do not load; it names a damaged file."""
    from safetensors import SafetensorError, safe_open

    if isinstance(error, UnpicklingError):
        return UserError(
            "the weights do not load: a .bin file is damaged, or holds what could be code",
            where=str(folder),
            fix="Fetch the model again, with *.safetensors where there are any.",
        )
    for path in sorted(folder.glob("*.safetensors")):
        try:
            with safe_open(path, framework="np"):
                pass
        except SafetensorError as damage:
            return UserError(
                f"the weights do not load: this file of {path.stat().st_size} bytes is damaged ({first_line(damage)})",
                where=str(path),
                fix="Fetch it again.",
            )
    packed = "Fetch it again; what transformers does not know runs on llama.cpp's server, by its address."
    fix = packed if folder.suffix == SUFFIX else ""
    return UserError(f"the weights do not load: {first_line(error)}", where=str(folder), fix=fix)
