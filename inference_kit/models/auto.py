"""Auto: chooses the engine that runs a model by what its path is.

Why: a folder, a hub id and an address say by themselves who can run them; nobody should have to know the names.
Promises: the choice comes with its reason, so that it can be shown; a server is asked what it is; nothing is loaded.
"""

from dataclasses import dataclass
from urllib.parse import urlsplit

from inference_kit.models.http.address import OLLAMA_PORT
from inference_kit.models.http.kinds import detect_protocol
from inference_kit.models.local.weights import Weights
from inference_kit.models.vllm.process import find_vllm_python


@dataclass(frozen=True, slots=True)
class EngineChoice:
    """An engine's name, and why it was chosen, as half a sentence."""

    engine: str
    reason: str


def choose_engine(model_path: str, *, ask: bool = True) -> EngineChoice:
    """Choose the engine for a folder, a hub id or a server's address.

    Args:
        model_path: What is to run.
        ask: Ask a server what it is; else its address has to do.

    Raises:
        EngineError: where the server cannot be reached.
    """
    if "://" in model_path and not ask:
        looks_like_ollama = urlsplit(model_path).port == OLLAMA_PORT
        name = "ollama" if looks_like_ollama else "openai"
        return EngineChoice(name, "what the address looks like; a run asks the server")
    if "://" in model_path:
        kind = detect_protocol(model_path)
        return EngineChoice(
            kind, f"the server at {model_path} speaks {'Ollama' if kind == 'ollama' else 'OpenAI'}'s protocol"
        )
    weights = Weights(model_path)
    what = _describe(weights)
    if weights.is_local and _reads_images(weights):
        return EngineChoice("vision", f"{what} of a kind that reads images ({weights.whole_config['model_type']})")
    if weights.gguf:
        return EngineChoice("huggingface", f"{weights.gguf} is a GGUF file")
    if find_vllm_python() is None:
        return EngineChoice("huggingface", f"{what}; vllm is not installed")
    if not _has_gpu():
        return EngineChoice("huggingface", f"{what}; vllm is installed, but there is no GPU")
    return EngineChoice("vllm", f"{what}; vllm is installed and there is a GPU")


def _describe(weights: Weights) -> str:
    """Describe what the path is, for the reason."""
    if not weights.is_local:
        return f"{weights.path} is a hub id"
    return f"{weights.path} is a folder{' with an adapter' if weights.is_adapter else ''}"


def _reads_images(weights: Weights) -> bool:
    """Tell whether the model reads images and no engine for text knows it."""
    if weights.is_adapter or "vision_config" not in weights.whole_config:
        return False
    from transformers.models.auto.modeling_auto import MODEL_FOR_CAUSAL_LM_MAPPING_NAMES

    return weights.whole_config["model_type"] not in MODEL_FOR_CAUSAL_LM_MAPPING_NAMES


def _has_gpu() -> bool:
    """Tell whether there is a GPU that vLLM can use."""
    import torch

    return torch.cuda.is_available()
