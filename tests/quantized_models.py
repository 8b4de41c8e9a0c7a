"""Tiny models whose weights are stored quantised, as FP8, MXFP4 and bitsandbytes checkpoints are published."""

import json
from pathlib import Path
from typing import Any

import tiny_models
import torch
from safetensors.torch import load_file, save_file

FP8_BLOCK = 16
MXFP4_BLOCK = 32
MXFP4_VALUES = (0.0, 0.5, 1.0, 1.5, 2.0, 3.0, 4.0, 6.0)
"""What the three lower bits of an MXFP4 number stand for; the fourth is its sign."""


def write_fp8(folder: Path, kind: str = "llama", **made: Any) -> tuple[Path, dict[str, torch.Tensor]]:
    """Write a model with FP8 blocks and their scales, as DeepSeek's and Qwen's; return it with its true weights."""
    tiny_models.write(folder, kind, **made)
    stored, true = load_file(folder / "model.safetensors"), {}
    for name in [each for each in stored if each.endswith("_proj.weight")]:
        weight = stored.pop(name)
        rows, columns = (-(-size // FP8_BLOCK) for size in weight.shape)
        scales = torch.empty(rows, columns)
        quantised, true[name] = torch.empty_like(weight, dtype=torch.float8_e4m3fn), torch.empty_like(weight)
        for row in range(rows):
            for column in range(columns):
                block = tuple(slice(at * FP8_BLOCK, (at + 1) * FP8_BLOCK) for at in (row, column))
                scales[row, column] = weight[block].abs().max() / 448
                quantised[block] = (weight[block] / scales[row, column]).to(torch.float8_e4m3fn)
                true[name][block] = quantised[block].float() * scales[row, column]
        stored |= {name: quantised, f"{name}_scale_inv": scales}
    save_file(stored, folder / "model.safetensors", metadata={"format": "pt"})
    _say_quantised(folder, quant_method="fp8", activation_scheme="dynamic", weight_block_size=[FP8_BLOCK, FP8_BLOCK])
    return folder, true


def write_mxfp4(folder: Path, *, seed: int = 0) -> tuple[Path, dict[str, torch.Tensor]]:
    """Write a gpt-oss whose experts are MXFP4, as the official ones; return it with its true weights."""
    from transformers import GptOssConfig, GptOssForCausalLM

    config = GptOssConfig(
        vocab_size=len(tiny_models.tokenizer()),
        hidden_size=64,
        intermediate_size=64,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=2,
        head_dim=16,
        num_local_experts=4,
        num_experts_per_tok=2,
        sliding_window=tiny_models.WINDOW,
        max_position_embeddings=tiny_models.CONTEXT,
        rope_parameters={"rope_type": "default", "rope_theta": 10000.0},
        initializer_range=0.4,
        bos_token_id=1,
        eos_token_id=2,
        pad_token_id=0,
    )
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        model = GptOssForCausalLM(config)
        model.save_pretrained(folder)
        tiny_models.tokenizer().save_pretrained(folder)
        stored, true = load_file(folder / "model.safetensors"), {}
        for name in [each for each in stored if each.endswith(("experts.gate_up_proj", "experts.down_proj"))]:
            # (experts, inputs, outputs) in the model, (experts, outputs, blocks of inputs, 16 bytes) in the file
            experts, inputs, outputs = stored.pop(name).shape
            blocks = torch.randint(0, 256, (experts, outputs, inputs // MXFP4_BLOCK, 16), dtype=torch.uint8)
            scales = torch.randint(122, 126, (experts, outputs, inputs // MXFP4_BLOCK), dtype=torch.uint8)
            stored |= {f"{name}_blocks": blocks, f"{name}_scales": scales}
            values = torch.tensor([*MXFP4_VALUES, *(-value for value in MXFP4_VALUES)])
            numbers = torch.stack((values[(blocks & 15).long()], values[(blocks >> 4).long()]), dim=-1).flatten(-2)
            scaled = numbers * torch.exp2(scales.float() - 127)[..., None]
            true[name] = scaled.flatten(2).transpose(1, 2).contiguous()
    save_file(stored, folder / "model.safetensors", metadata={"format": "pt"})
    skipped = ["model.layers.*.self_attn", "model.layers.*.mlp.router", "model.embed_tokens", "lm_head"]
    _say_quantised(folder, quant_method="mxfp4", modules_to_not_convert=skipped)
    return folder, true


def write_bitsandbytes(folder: Path, plain: Path, bits: int, auto_class: str = "AutoModelForCausalLM") -> Path:
    """Write the model in `plain` with its weights quantised to 4 or 8 bits."""
    import transformers

    setting = transformers.BitsAndBytesConfig(**{f"load_in_{bits}bit": True})  # type: ignore[arg-type]
    model = getattr(transformers, auto_class).from_pretrained(plain, quantization_config=setting, dtype=torch.float32)
    model.save_pretrained(folder)
    transformers.AutoTokenizer.from_pretrained(plain).save_pretrained(folder)
    return folder


def _say_quantised(folder: Path, **quantization: Any) -> None:
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps(config | {"quantization_config": quantization}))
