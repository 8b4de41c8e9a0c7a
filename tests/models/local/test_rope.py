"""Positions that depend on the length of a text: each is read as it would be alone."""

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
import tiny_models
import torch

from inference_kit.errors import UserError
from inference_kit.models.decode import decode_loop as decoding
from inference_kit.models.decode.decode_loop import DecodeLoop
from inference_kit.models.decode.sequences import SequenceState
from inference_kit.models.local.architecture import read_windows
from inference_kit.models.local.rope import LengthRope
from inference_kit.models.local.weights import Weights
from inference_kit.records import GenerationConfig
from inference_kit.reward_models.local.encoded_text import EncodedText
from inference_kit.reward_models.local.forward import BatchedForward
from inference_kit.reward_models.local.readout import build_logprob_forward, compare_tokens

BORDER, WRITTEN = 24, 12
GREEDY, SAMPLED = GenerationConfig(temperature=0.0), GenerationConfig(temperature=1.0)
PROMPTS = [tuple((5 * at + length) % 300 + 6 for at in range(length)) for length in (4, 20, 24, 25, 60, 17, 90, 23)]


def _long_rope() -> Any:
    from transformers import Phi3Config

    factors = {"short_factor": [1.0, 1.1, 1.2, 1.3], "long_factor": [1.0, 3.0, 7.0, 20.0]}
    rope = {"rope_type": "longrope", "rope_theta": 10000.0, "original_max_position_embeddings": BORDER, **factors}
    sizes = tiny_models.CONFIGS["llama"]().to_diff_dict()
    names = ("vocab_size", "hidden_size", "intermediate_size", "num_hidden_layers", "num_attention_heads")
    kept = {name: sizes[name] for name in (*names, "initializer_range", "pad_token_id", "bos_token_id", "eos_token_id")}
    return Phi3Config(
        **kept,
        num_key_value_heads=2,
        max_position_embeddings=tiny_models.CONTEXT,
        original_max_position_embeddings=BORDER,
        rope_parameters=rope,
        sliding_window=None,
    )


def _dynamic() -> Any:
    config = tiny_models.CONFIGS["llama"]()
    config.rope_parameters = {"rope_type": "dynamic", "rope_theta": 10000.0, "factor": 4.0}
    config.max_position_embeddings = BORDER
    return config


@pytest.fixture(scope="module", params=[_long_rope, _dynamic], ids=["long-rope", "dynamic"])
def build(request: pytest.FixtureRequest) -> Callable[[], Any]:
    """A function that builds the same model each time: one that has read nothing yet."""
    from transformers import AutoModelForCausalLM

    def build_model() -> Any:
        with torch.random.fork_rng():
            torch.manual_seed(0)
            return AutoModelForCausalLM.from_config(request.param()).eval()

    return build_model


def finish(loop: DecodeLoop, given: Sequence[SequenceState]) -> list[list[int]]:
    loop.waiting.extend(given)
    while loop.busy:
        loop.advance(8)
    return [each.token_ids for each in given]


def begin(prompts: Sequence[tuple[int, ...]], config: GenerationConfig = GREEDY) -> list[SequenceState]:
    return [SequenceState(ids, config, seed, WRITTEN) for seed, ids in enumerate(prompts)]


def generate(model: Any, ids: tuple[int, ...]) -> list[int]:
    """What `generate` writes; without a cache for long-rope, of which it loses the whole text at the border."""
    given = torch.tensor([ids])
    cached = model.config.rope_parameters["rope_type"] != "longrope"
    model.generation_config.eos_token_id = None
    found = model.generate(
        given, attention_mask=torch.ones_like(given), do_sample=False, max_new_tokens=WRITTEN, use_cache=cached
    )
    written: list[int] = found[0, len(ids) :].tolist()
    return written


@pytest.mark.parametrize("chunk", [7, 1024])
def test_greedy_ids_are_those_of_generate_alone(
    chunk: int, build: Callable[[], Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Issue 13, F3: rows on both sides of the border and across it, prompts in chunks."""
    monkeypatch.setattr(decoding, "CHUNK_TOKENS", chunk)
    expected = [generate(build(), ids) for ids in PROMPTS]
    assert finish(DecodeLoop(build(), slots=8, end_ids=frozenset()), begin(PROMPTS)) == expected


def test_a_row_is_sampled_alone_as_in_a_batch_and_behind_others(build: Callable[[], Any]) -> None:
    alone = [finish(DecodeLoop(build(), slots=1, end_ids=frozenset()), [row])[0] for row in begin(PROMPTS, SAMPLED)]
    loop = DecodeLoop(build(), slots=3, end_ids=frozenset())
    assert finish(loop, begin(PROMPTS, SAMPLED)) == alone
    assert finish(loop, begin(PROMPTS, SAMPLED)) == alone, "what was cached is used as it was read"


def test_long_rope_goes_on_from_a_step_as_from_a_prompt() -> None:
    """A step that ended at the border, before it and behind it."""
    model = _build(_long_rope)
    for n_tokens in (BORDER - 1, BORDER, BORDER + 1, BORDER + 2):
        loop = DecodeLoop(model, slots=4, end_ids=frozenset())
        [step] = [SequenceState(PROMPTS[0], SAMPLED, 5, n_tokens - len(PROMPTS[0]))]
        finish(loop, [step])
        path = (*step.prompt_ids, *step.token_ids)
        assert finish(loop, begin([path] * 3)) == [generate(_build(_long_rope), path)] * 3


def _build(config: Callable[[], Any]) -> Any:
    from transformers import AutoModelForCausalLM

    with torch.random.fork_rng():
        torch.manual_seed(0)
        return AutoModelForCausalLM.from_config(config()).eval()


@pytest.mark.parametrize("readout", ["logprobs", "verdicts"])
def test_a_reward_model_reads_a_text_alone_as_beside_a_longer_one(readout: str, build: Callable[[], Any]) -> None:
    texts = [EncodedText(ids, (len(ids) // 2, len(ids) - 1)) for ids in PROMPTS]

    def forward() -> BatchedForward:
        if readout == "logprobs":
            return build_logprob_forward(build(), 1 << 20)
        return BatchedForward(build(), compare_tokens((5, 6)), cache_bytes=1 << 20)

    with torch.inference_mode():
        together, one_by_one = forward().compute_raw_scores(texts), forward()
        alone = [scores for text in reversed(texts) for scores in one_by_one.compute_raw_scores([text])]
    for each, other in zip(together, reversed(alone), strict=True):
        assert each == pytest.approx(other, abs=1e-4)


def test_other_models_are_left_alone() -> None:
    rope = LengthRope(_build(tiny_models.CONFIGS["gemma3"]))
    assert rope.border is None
    assert {rope.find_range(length) for length in (1, 10**9)} == {0}


def test_windows_of_gpt_neo_are_refused() -> None:
    """Issue 13, F4: its local layers count their window from the end of the whole cache."""
    from transformers import GPTNeoConfig

    with pytest.raises(UserError, match="its windows of 256 tokens are its own"):
        read_windows(GPTNeoConfig())
    assert read_windows(GPTNeoConfig(attention_types=[[["global"], 24]])) == {"full_attention": None}


@pytest.mark.parametrize(
    ("rope", "length"),
    [
        ({"rope_type": "default"}, 64),
        ({"rope_type": "dynamic", "factor": 4.0}, 256),
        ({"rope_type": "yarn", "factor": 4.0}, 256),
        ({"type": "yarn", "factor": 4.0, "original_max_position_embeddings": 32}, 128),
        ({"rope_type": "yarn", "factor": 40, "original_max_position_embeddings": 1}, 64),  # the length is given scaled
        ({"rope_type": "linear", "factor": 8.0}, 64),
        ({"rope_type": "longrope", "original_max_position_embeddings": 32}, 64),
        ({"full_attention": {"rope_type": "yarn", "factor": 2.0}, "sliding_attention": {"rope_type": "default"}}, 128),
    ],
)
@pytest.mark.parametrize("name", ["rope_parameters", "rope_scaling"])
def test_the_context_is_what_positions_were_stretched_to(
    name: str, rope: dict[str, object], length: int, tmp_path: Path
) -> None:
    """Issue 13, F29: as vLLM reads it; linear scaling is in the length that models give."""
    (tmp_path / "config.json").write_text(json.dumps({"max_position_embeddings": 64, name: rope}))
    assert Weights(str(tmp_path)).context_length == length
