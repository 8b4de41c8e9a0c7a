"""inference_kit measures how much a language model gains from thinking longer."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from inference_kit.decoders import BestOfN, Decoder, Greedy, InferenceBase, SelfImprove

__version__ = "0.1.0"
__all__ = ["BestOfN", "Decoder", "Greedy", "InferenceBase", "SelfImprove", "__version__"]


def __getattr__(name: str) -> Any:
    """The decoders, imported when they are asked for, so that `--help` stays quick."""
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from inference_kit import decoders

    return getattr(decoders, name)
