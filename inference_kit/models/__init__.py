"""Engines run language models. One line here registers an engine by its own name."""

from collections.abc import Callable

from inference_kit.models.base import Engine
from inference_kit.models.decode.huggingface import HuggingFace
from inference_kit.models.decode.modelscope import ModelScope
from inference_kit.models.decode.vision import Vision
from inference_kit.models.echo import Echo
from inference_kit.models.http.ollama import Ollama
from inference_kit.models.http.openai import OpenAI
from inference_kit.models.vllm.engine import VLLM

__all__ = [
    "ENGINES",
    "VLLM",
    "Echo",
    "Engine",
    "HuggingFace",
    "ModelScope",
    "Ollama",
    "OpenAI",
    "Vision",
]

ENGINES: dict[str, Callable[..., Engine]] = {
    "echo": Echo,
    "huggingface": HuggingFace,
    "modelscope": ModelScope,
    "ollama": Ollama,
    "openai": OpenAI,
    "vision": Vision,
    "vllm": VLLM,
}
