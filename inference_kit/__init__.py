"""inference_kit measures how much a language model gains from thinking longer."""

__version__ = "0.1.0"
