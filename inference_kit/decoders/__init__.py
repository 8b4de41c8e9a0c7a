"""Decoders: the search methods as a library, one text in and one text out.

Why: a notebook or a service wants `BestOfN(model).forward(text)`, not a command line.
Promises: they are thin: solver, methods and engines are those of `run`; a subclass that writes `score` decides the
choice.
"""

from inference_kit.decoders.base import InferenceBase
from inference_kit.decoders.faces import BestOfN, Decoder, Greedy, SelfImprove

__all__ = ["BestOfN", "Decoder", "Greedy", "InferenceBase", "SelfImprove"]
