"""Engines: each one file; they run language models. One line here registers an engine by its own name."""

from inference_kit.models.base import Engine
from inference_kit.models.echo import Echo
from inference_kit.models.huggingface import HuggingFace

ENGINES: dict[str, type[Engine]] = {"echo": Echo, "huggingface": HuggingFace}
