"""What vLLM loads, each in an engine of its own: adapters, reward models, and what it refuses."""

import asyncio
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import tiny_models
from vllm_asks import ABACUS, GREEDY, QUESTIONS, SMALL, ask, write

from inference_kit.errors import UserError
from inference_kit.models.decode.huggingface import HuggingFace
from inference_kit.models.vllm.engine import VLLM
from inference_kit.records import Message, Problem
from inference_kit.reward_models.formats.qwen_prm import QwenPRM
from inference_kit.reward_models.formats.sequence_orm import SequenceORM
from inference_kit.reward_models.formats.token_prm import TokenPRM
from inference_kit.reward_models.served.vllm_pooling import VllmPooling

pytestmark = pytest.mark.vllm


def test_an_adapter_changes_the_output_as_the_merged_weights_do(tmp_path: Path) -> None:
    """LF-03: on vLLM beside the base, on Hugging Face merged."""
    adapter = write_adapter(tmp_path / "adapter")
    prompts = [ask(question) for question in QUESTIONS[:4]]
    config = replace(GREEDY, max_new_tokens=24)
    ours = VLLM(str(adapter), separator="\n", engine_args=SMALL)
    merged = HuggingFace(str(adapter), separator="\n")
    try:
        texts = [completion.text for [completion] in write(ours, prompts, config)]
    finally:
        asyncio.run(ours.close())
    assert texts == [completion.text for [completion] in write(merged, prompts, config)]
    assert texts != [completion.text for [completion] in write(HuggingFace(ABACUS, separator="\n"), prompts, config)]
    assert ours.identity != VLLM(ABACUS, separator="\n", engine_args=SMALL).identity


def write_adapter(folder: Path) -> Path:
    import torch
    from peft import LoraConfig, get_peft_model
    from transformers import AutoModelForCausalLM

    with torch.random.fork_rng():
        torch.manual_seed(3)
        config = LoraConfig(r=4, lora_alpha=2, target_modules=["q_proj", "v_proj"], init_lora_weights=False)
        get_peft_model(AutoModelForCausalLM.from_pretrained(ABACUS), config).save_pretrained(folder)
    return folder


@pytest.mark.parametrize("kind", ["qwen_prm", "token_prm", "sequence_orm"])
def test_pooled_scores_equal_those_of_transformers(kind: str, tmp_path: Path) -> None:
    """MAIN-44: the same text, the same head, the same way from outputs to scores."""
    made: dict[str, Callable[[], Any]] = {
        "qwen_prm": lambda: QwenPRM(str(write_qwen_prm(tmp_path / kind))),
        "token_prm": lambda: TokenPRM(write_classifier(tmp_path / kind, "AutoModelForTokenClassification", 3)),
        "sequence_orm": lambda: SequenceORM(write_classifier(tmp_path / kind, "AutoModelForSequenceClassification", 1)),
    }
    expected = made[kind]()
    pooled = VllmPooling(str(tmp_path / kind))
    pooled.check()
    problem = Problem(0, (Message("user", "How many are left?"),))
    items = [(problem, ("So the sum is 42.", "The answer is 12.")), (problem, ("one", "two", "three and more"))]
    try:
        found = pooled.score_batch(items)
    finally:
        asyncio.run(pooled.close())
    for ours, theirs in zip(found, expected.score_batch(items), strict=True):
        assert ours.scores == pytest.approx(theirs.scores, abs=1e-4)
        assert ours.tokens == theirs.tokens


def write_classifier(folder: Path, auto_class: str, labels: int) -> str:
    sizes = {"head_dim": 32, "max_position_embeddings": 256}
    return str(tiny_models.write(folder, "llama", auto_class=auto_class, num_labels=labels, **sizes))


def write_qwen_prm(folder: Path) -> Path:
    """The architecture of Qwen2.5-Math-PRM; its head sizes are ones that vLLM has kernels for."""
    import torch
    from transformers import Qwen2Config, Qwen2ForCausalLM

    words = tiny_models.tokenizer().__class__(tokenizer_object=tiny_models.tokenizer()._tokenizer, eos_token="<|end|>")
    words.chat_template = tiny_models.TEMPLATE
    words.add_tokens(["<extra_0>"])
    sizes = {"hidden_size": 128, "intermediate_size": 48, "num_hidden_layers": 2, "num_attention_heads": 4}
    config = Qwen2Config(vocab_size=len(words), num_key_value_heads=2, max_position_embeddings=256, **sizes)
    with torch.random.fork_rng():
        torch.manual_seed(0)
        Qwen2ForCausalLM(config).save_pretrained(folder)
    words.save_pretrained(folder)
    tiny_models.write_head(folder, {"score.0": (128, 128), "score.2": (2, 128)})
    config_file = folder / "config.json"
    config_file.write_text(config_file.read_text().replace("Qwen2ForCausalLM", "Qwen2ForProcessRewardModel"))
    return folder


@pytest.mark.parametrize(
    ("further", "said"),
    [
        ("max_num_seq=4", r"--engine-args: unknown engine argument of vLLM 'max_num_seq'. Did you mean 'max_num_seqs'"),
        ("kv_cache_memory_bytes=1000", r"vLLM has too little memory for abacus: .* Lower --max-model-len"),
    ],
)
def test_an_engine_that_does_not_load_says_why(further: str, said: str) -> None:
    engine = VLLM(ABACUS, engine_args=(further,))
    with pytest.raises(UserError, match=said):
        write(engine, [ask("?")], GREEDY)
    asyncio.run(engine.close())
