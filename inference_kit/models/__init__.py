"""Engines: each one file; they run language models. One line here registers an engine by its own name."""

from collections.abc import Callable

from inference_kit.models.base import Engine
from inference_kit.models.echo import Echo
from inference_kit.models.huggingface import HuggingFace
from inference_kit.models.modelscope import ModelScope
from inference_kit.models.ollama import Ollama
from inference_kit.models.openai import OpenAI
from inference_kit.models.vision import Vision
from inference_kit.models.vllm import VLLM

ENGINES: dict[str, Callable[..., Engine]] = {
    "echo": Echo,
    "huggingface": HuggingFace,
    "modelscope": ModelScope,
    "ollama": Ollama,
    "openai": OpenAI,
    "vision": Vision,
    "vllm": VLLM,
}
