"""Decoders: the library face, thin over solver, methods and engines; `from inference_kit import BestOfN`."""

from inference_kit.decoders.interface import InferenceBase
from inference_kit.decoders.strategies import BestOfN, Decoder, Greedy, SelfImprove

__all__ = ["BestOfN", "Decoder", "Greedy", "InferenceBase", "SelfImprove"]
