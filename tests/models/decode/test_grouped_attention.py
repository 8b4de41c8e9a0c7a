"""Models with grouped queries say what `generate` says, and those with a kernel of their own keep it."""

from typing import Any

import pytest
import tiny_models
import torch

from inference_kit.models.decode.decode_loop import DecodeLoop
from inference_kit.models.decode.masks import set_attention
from inference_kit.models.decode.sequences import SequenceState
from inference_kit.models.local.attention import GROUPED
from inference_kit.records import GenerationConfig

EXPERTS = {"num_experts": 4, "num_local_experts": 4, "num_experts_per_tok": 2, "moe_intermediate_size": 16}
ROPE = {"rope_type": "default", "rope_theta": 10000.0}
SLIDING = {"sliding_window": tiny_models.WINDOW}
IN_TURN = {**SLIDING, "layer_types": ["sliding_attention", "full_attention"]}
FAMILIES: dict[str, dict[str, Any]] = {
    "llama": {},
    "qwen2": {**IN_TURN, "use_sliding_window": True, "max_window_layers": 1},
    "qwen3_moe": EXPERTS,
    "mistral": SLIDING,
    "mixtral": {**EXPERTS, **SLIDING},
    "phi3": {},
    "gemma3_text": {**IN_TURN, "query_pre_attn_scalar": 8},
    "cohere2": IN_TURN,
    "olmo2": {},
    "olmo3": IN_TURN,
    "granite": {"attention_multiplier": 0.3},
    "glm4": {"partial_rotary_factor": 0.5},
    "smollm3": {},
    "starcoder2": {},
    "exaone4": IN_TURN,
    "stablelm": {"partial_rotary_factor": 0.5},
    "nemotron": {"partial_rotary_factor": 0.5},
    "helium": {},
    "ernie4_5": {},
    "hunyuan_v1_dense": {},
    "gpt_bigcode": {"n_embd": 32, "n_head": 4, "n_layer": 2, "n_positions": 160, "multi_query": True},
}
OWN = {
    "gpt_oss": {**EXPERTS, **IN_TURN, "rope_parameters": ROPE},  # sinks: a column that is in no mask
    "gemma2": {**IN_TURN, "query_pre_attn_scalar": 8, "attn_logit_softcapping": 2.0},  # scores are capped
}
"""Families whose scores sdpa cannot compute; with the kernel that they get by default."""
PROMPTS = [[10 + at for at in range(length)] for length in (3, 40, 17)]


def build(family: str, kernel: str | None, **settings: Any) -> Any:
    """Build a model of random weights with two key heads for four query heads."""
    from transformers import AutoConfig, AutoModelForCausalLM

    sizes = tiny_models._sizes(num_key_value_heads=2)
    config = AutoConfig.for_model(family, **sizes | settings)
    torch.manual_seed(0)
    return AutoModelForCausalLM.from_config(config, attn_implementation=kernel).eval()


def write(model: Any) -> list[list[int]]:
    loop = DecodeLoop(model, slots=3, end_ids=frozenset())
    loop.check()
    greedy = GenerationConfig(temperature=0.0)
    rows = [SequenceState(tuple(ids), greedy, 0, max_tokens=24) for ids in PROMPTS]
    loop.waiting.extend(rows)
    while loop.busy:
        loop.advance(8)
    return [row.token_ids for row in rows]


def generate(model: Any) -> list[list[int]]:
    asked = {"max_new_tokens": 24, "do_sample": False, "eos_token_id": None, "pad_token_id": 0}
    found = []
    for ids in PROMPTS:
        given = torch.tensor([ids])
        written = model.generate(given, attention_mask=torch.ones_like(given), **asked)
        found.append(written[0, len(ids) :].tolist())
    return found


@pytest.mark.parametrize("family", FAMILIES)
def test_grouped_queries_say_what_generate_says(family: str) -> None:
    model = build(family, None, **FAMILIES[family])
    expected = generate(model)
    set_attention(model, "auto")
    assert model.config._attn_implementation == GROUPED
    assert write(model) == expected
    assert generate(model) == expected  # a plain forward pass still has its own causal mask


@pytest.mark.parametrize("family", OWN)
def test_a_family_with_scores_of_its_own_keeps_its_kernel(family: str) -> None:
    model = build(family, "eager", **OWN[family])
    set_attention(model, "auto")
    assert model.config._attn_implementation == "eager"
    assert write(model) == generate(model)
