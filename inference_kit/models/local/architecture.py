"""Architecture: which kinds of attention layers a model has, and whether they keep plain keys and values.

Why: caches of keys and values, of engines and of reward models, hold what most architectures keep, but not all.
Promises: an architecture that keeps something else is refused by name, with an error of its own class, so that whoever
knows another way to run it can take that.
"""

from typing import Any, NoReturn

from inference_kit.errors import UserError, named


class OtherState(UserError):
    """An architecture that a cache of plain keys and values cannot hold."""


NOT_KEYS_AND_VALUES = ("mamba", "mamba2", "rwkv", "falcon_mamba", "recurrent_gemma", "bloom", "mpt", "xlstm")
"""Architectures with a recurrent state, or with positions that only a two-dimensional mask can tell (ALiBi)."""


def read_windows(config: Any) -> dict[str, int | None]:
    """Read the kinds of attention layers and their sliding windows, None for full attention.

    Raises:
        OtherState: for an architecture that keeps something else than keys and values.
    """
    if config.is_encoder_decoder:
        refuse_architecture(config, "it has an encoder")
    config = config.get_text_config()
    window = getattr(config, "sliding_window", None)
    kinds = set(getattr(config, "layer_types", None) or ["sliding_attention" if window else "full_attention"])
    known = {"full_attention": None, "sliding_attention": window}
    if not kinds <= set(known) or config.model_type in NOT_KEYS_AND_VALUES:
        refuse_architecture(config, "it has another kind of state")
    if "local" in getattr(config, "attention_layers", ()):  # GPT-Neo; its layers count from the end of the whole cache
        refuse_architecture(config, f"its windows of {config.window_size} tokens are its own")
    return {kind: known[kind] for kind in sorted(kinds)}


def refuse_architecture(config: Any, reason: str) -> NoReturn:
    """Refuse an architecture that the slot cache cannot hold.

    Raises:
        OtherState: with the reason.
    """
    kind = config.get_text_config().model_type
    raise OtherState(
        f"architecture {kind!r} does not keep plain keys and values for each token ({reason})",
        where=named("model_path"),
        fix=f"Leave out {named('tensor_parallel_size')}, for the slower path, or use a server or vLLM.",
    )
