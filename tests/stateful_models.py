"""Models of a few thousand random weights whose architectures keep something else than keys and values."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import tiny_models


def _mamba() -> Any:
    from transformers import MambaConfig

    return MambaConfig(**_ids(), hidden_size=32, num_hidden_layers=2, state_size=4)


def _lfm2() -> Any:
    from transformers import Lfm2Config

    return Lfm2Config(**_sizes(), layer_types=["conv", "full_attention"], block_auto_adjust_ff_dim=False)


def _qwen3_5() -> Any:
    from transformers import Qwen3_5TextConfig

    return Qwen3_5TextConfig(
        **_sizes(),
        layer_types=["linear_attention", "full_attention"],
        linear_num_value_heads=4,
        linear_num_key_heads=2,
        linear_key_head_dim=8,
        linear_value_head_dim=8,
    )


def _granitemoehybrid() -> Any:
    from transformers import GraniteMoeHybridConfig

    return GraniteMoeHybridConfig(
        **_sizes(),
        layer_types=["mamba", "attention"],
        num_local_experts=2,
        num_experts_per_tok=1,
        shared_intermediate_size=32,
        mamba_n_heads=8,
        mamba_d_head=8,
        mamba_d_state=8,
        mamba_n_groups=1,
        mamba_chunk_size=8,
    )


def _llama4() -> Any:
    from transformers import Llama4TextConfig

    return Llama4TextConfig(
        **_sizes(),
        intermediate_size_mlp=48,
        num_local_experts=2,
        num_experts_per_tok=1,
        attention_chunk_size=16,
        no_rope_layers=[1, 0],
    )


def _bloom() -> Any:
    from transformers import BloomConfig

    return BloomConfig(**_ids(), hidden_size=32, n_layer=2, n_head=4)


def _gpt_neo() -> Any:
    from transformers import GPTNeoConfig

    return GPTNeoConfig(
        **_ids(),
        hidden_size=32,
        num_layers=2,
        num_heads=4,
        max_position_embeddings=tiny_models.CONTEXT,
        attention_types=[[["global", "local"], 1]],
        window_size=tiny_models.WINDOW,
    )


def _openai_gpt() -> Any:
    from transformers import OpenAIGPTConfig

    return OpenAIGPTConfig(**_ids(), n_positions=tiny_models.CONTEXT, n_embd=32, n_layer=2, n_head=4)


def _t5() -> Any:
    from transformers import T5Config

    return T5Config(
        vocab_size=len(tiny_models.tokenizer()),
        eos_token_id=2,
        pad_token_id=0,
        decoder_start_token_id=0,
        d_model=32,
        d_kv=8,
        d_ff=48,
        num_layers=2,
        num_heads=4,
        initializer_factor=4.0,
    )


CONFIGS: dict[str, Callable[[], Any]] = {
    "mamba": _mamba,
    "lfm2": _lfm2,
    "qwen3_5": _qwen3_5,
    "granitemoehybrid": _granitemoehybrid,
    "llama4": _llama4,
    "bloom": _bloom,
    "gpt_neo": _gpt_neo,
    "openai-gpt": _openai_gpt,
    "t5": _t5,
}
"""States alone, states and attention in turn, attention in chunks, ALiBi, own windows, no cache, and an encoder."""


def write(folder: Path, kind: str) -> Path:
    """Write a model of `kind`."""
    import torch
    import transformers

    config = CONFIGS[kind]()
    auto_class = "AutoModelForSeq2SeqLM" if config.is_encoder_decoder else "AutoModelForCausalLM"
    with torch.random.fork_rng():
        torch.manual_seed(0)
        model = getattr(transformers, auto_class).from_config(config)
    model.save_pretrained(folder)
    tiny_models.tokenizer().save_pretrained(folder)
    return folder


def _ids() -> dict[str, Any]:
    return {
        "vocab_size": len(tiny_models.tokenizer()),
        "bos_token_id": 1,
        "eos_token_id": 2,
        "pad_token_id": 0,
        "initializer_range": 0.4,
    }


def _sizes() -> dict[str, Any]:
    return _ids() | {
        "hidden_size": 32,
        "intermediate_size": 48,
        "num_hidden_layers": 2,
        "num_attention_heads": 4,
        "num_key_value_heads": 2,
        "head_dim": 8,
        "max_position_embeddings": tiny_models.CONTEXT,
    }
