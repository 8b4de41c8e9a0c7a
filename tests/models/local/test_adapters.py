"""LoRA adapters change what a model says as the merged weights do, and say so where they belong to another."""

import asyncio
import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import tiny_models
import torch
from loguru import logger

from inference_kit.errors import UserError
from inference_kit.models.decode.huggingface import HuggingFace
from inference_kit.models.local.adapters import Adapter, apply_adapters
from inference_kit.models.local.weights import Weights
from inference_kit.models.vllm.engine import VLLM
from inference_kit.records import Completion, GenerationConfig, Message, Prompt

GREEDY = GenerationConfig(max_new_tokens=20, temperature=0.0)
Folder = Callable[[str], Path]


def write(
    folder: Path, base: Path, *, seed: int = 0, targets: tuple[str, ...] = ("q_proj", "v_proj", "down_proj")
) -> Path:
    """An adapter with random matrices, large enough to be heard."""
    from peft import LoraConfig, get_peft_model
    from transformers import AutoModelForCausalLM

    model = AutoModelForCausalLM.from_pretrained(base)
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        config = LoraConfig(r=4, lora_alpha=8, target_modules=list(targets), init_lora_weights=False)
        get_peft_model(model, config).save_pretrained(folder)
    return folder


def merged(folder: Path, base: Path, *adapters: Path) -> Path:
    """The base with the adapters multiplied out by hand."""
    from peft import load_peft_weights
    from transformers import AutoModelForCausalLM

    model = AutoModelForCausalLM.from_pretrained(base)
    for adapter in adapters:
        tensors = load_peft_weights(str(adapter), device="cpu")
        for key, low in tensors.items():
            if key.endswith("lora_A.weight"):
                layer = model.get_submodule(key.removeprefix("base_model.model.").removesuffix(".lora_A.weight"))
                layer.weight.data += 2.0 * tensors[key.replace("lora_A", "lora_B")] @ low
    model.save_pretrained(folder)
    tiny_models.tokenizer().save_pretrained(folder)
    return folder


@pytest.fixture(scope="module")
def adapter(model_folder: Folder, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write(tmp_path_factory.mktemp("adapter"), model_folder("llama"))


def answer(engine: HuggingFace) -> Completion:
    async def one() -> Completion:
        prompt = Prompt((Message("user", "The sum is 12 + 30, so?"),))
        (found,) = [completion async for _, completion in engine.generate(prompt, GREEDY)]
        return found

    return asyncio.run(one())


def same(a: Completion, b: Completion) -> bool:
    return replace(a, logprob=None) == replace(b, logprob=None) and a.logprob == pytest.approx(b.logprob, abs=1e-3)


def test_an_adapter_says_what_the_merged_weights_say(model_folder: Folder, adapter: Path, tmp_path: Path) -> None:
    """LF-03: given as the model, whose base it names, or on top of it; merged or beside."""
    base = str(model_folder("llama"))
    expected = answer(HuggingFace(str(merged(tmp_path, model_folder("llama"), adapter))))
    assert not same(expected, answer(HuggingFace(base)))
    for engine in (
        HuggingFace(str(adapter)),
        HuggingFace(base, adapter_path=str(adapter)),
        HuggingFace(base, adapter_path=str(adapter), merge_adapter=False),
        HuggingFace(str(adapter), base_model=base),
    ):
        assert same(answer(engine), expected)


@pytest.mark.parametrize("merge", [True, False])
def test_several_adapters_add_up(merge: bool, model_folder: Folder, adapter: Path, tmp_path: Path) -> None:
    """LF-03."""
    base = model_folder("llama")
    other = write(tmp_path / "other", base, seed=1, targets=("q_proj", "o_proj"))
    expected = answer(HuggingFace(str(merged(tmp_path / "merged", base, adapter, other))))
    both = HuggingFace(str(base), adapter_path=f"{adapter}, {other}", merge_adapter=merge)
    assert same(answer(both), expected)
    assert same(answer(HuggingFace(str(adapter), adapter_path=str(other), merge_adapter=merge)), expected)


def test_an_adapter_works_on_grouped_queries_and_transposed_layers(model_folder: Folder, tmp_path: Path) -> None:
    for kind, targets in (("qwen3", ("k_proj", "gate_proj")), ("gpt2", ("c_attn",))):
        found = write(tmp_path / kind, model_folder(kind), targets=targets)
        assert not same(answer(HuggingFace(str(found))), answer(HuggingFace(str(model_folder(kind)))))


def test_the_identity_holds_base_and_adapters(model_folder: Folder, adapter: Path, tmp_path: Path) -> None:
    base = str(model_folder("llama"))
    engine = HuggingFace(str(adapter))
    assert engine.identity == HuggingFace(base, adapter_path=str(adapter)).identity != HuggingFace(base).identity
    other = write(tmp_path / adapter.name, model_folder("llama"), seed=5)
    assert HuggingFace(str(other)).identity != engine.identity
    assert engine.context_length == tiny_models.CONTEXT


def test_an_adapter_for_another_base_is_refused_with_both_names_and_the_shape(
    model_folder: Folder, adapter: Path
) -> None:
    """GRPO-41."""
    with pytest.raises(UserError) as caught:
        answer(HuggingFace(str(model_folder("gpt2")), adapter_path=str(adapter)))
    assert f"adapter {adapter.name} does not fit {model_folder('gpt2').name}" in str(caught.value)
    assert "the base has no such layer" in str(caught.value)
    with pytest.raises(UserError, match=r"self_attn\.v_proj\.lora_B is \[32, 4\] and the base's layer is \[32, 16\]"):
        answer(HuggingFace(str(adapter), base_model=str(model_folder("qwen3"))))


@pytest.mark.parametrize("engine", [HuggingFace, VLLM])
def test_an_adapter_for_a_base_of_the_same_shapes_is_told_once_before_anything_loads(
    engine: type[HuggingFace | VLLM],
    model_folder: Folder,
    adapter: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Only its name says that it belongs elsewhere, and a base may have been renamed."""
    monkeypatch.setattr("inference_kit.models.vllm.engine.require_vllm", lambda flag: "python")
    elsewhere = shutil.copytree(adapter, tmp_path / "elsewhere")
    config = json.loads((elsewhere / "adapter_config.json").read_text())
    config["base_model_name_or_path"] = "acme/other-7b"
    (elsewhere / "adapter_config.json").write_text(json.dumps(config))
    base, said = model_folder("llama"), list[str]()
    sink = logger.add(said.append, level="WARNING", format="{message}")
    engine(str(base), adapter_path=str(adapter)).check(GREEDY)
    made = engine(str(base), adapter_path=f"{elsewhere}")
    made.check(GREEDY)
    if isinstance(made, HuggingFace):
        answer(made)
    logger.remove(sink)
    assert said == [f"adapter elsewhere was made for acme/other-7b, not for {base.name}\n"]


def test_an_adapter_for_fewer_layers_is_refused(model_folder: Folder, tmp_path: Path) -> None:
    """What would be a model that is fine-tuned in its lower half only."""
    base = model_folder("gemma3")
    found = write(tmp_path, base)
    from safetensors.torch import load_file, save_file

    kept = {name: each for name, each in load_file(found / "adapter_model.safetensors").items() if ".2." not in name}
    save_file(kept, found / "adapter_model.safetensors")
    with pytest.raises(UserError, match=r"the base has model\.layers\.2\.\S+, and the adapter has nothing for it"):
        answer(HuggingFace(str(found)))


def test_what_is_missing_is_named(model_folder: Folder, adapter: Path, tmp_path: Path) -> None:
    """LF-53, GRPO-40."""
    base = model_folder("llama")
    with pytest.raises(UserError, match=r"no adapter in this folder.*config\.json.*wants adapter_config\.json"):
        answer(HuggingFace(str(base), adapter_path=str(base)))
    with pytest.raises(UserError, match="no such folder"):
        answer(HuggingFace(str(base), adapter_path=str(tmp_path / "nowhere")))
    copy = Path(shutil.copytree(adapter, tmp_path / "copy"))
    config: dict[str, Any] = json.loads((copy / "adapter_config.json").read_text())
    (copy / "adapter_config.json").write_text(json.dumps(config | {"base_model_name_or_path": None}))
    with pytest.raises(UserError, match=r"does not say which model it belongs to\. Set --base-model"):
        _ = HuggingFace(str(copy)).identity
    (copy / "adapter_config.json").write_text(json.dumps(config | {"peft_type": "PREFIX_TUNING"}))
    with pytest.raises(UserError, match="an adapter of kind PREFIX_TUNING; this engine loads LORA"):
        _ = HuggingFace(str(copy)).identity
    (copy / "adapter_config.json").write_text(json.dumps(config | {"base_model_name_or_path": "/gone/base"}))
    with pytest.raises(UserError, match=r"no such folder\. Set --base-model"):
        _ = HuggingFace(str(copy)).identity
    (copy / "adapter_config.json").write_text("{")
    with pytest.raises(UserError, match="cannot be read"):
        _ = HuggingFace(str(copy)).identity


def test_a_base_model_lends_its_tokenizer(model_folder: Folder, tmp_path: Path) -> None:
    """GRPO-10: weights that were saved without one."""
    folder = tmp_path / "bare"
    folder.mkdir()
    for name in ("config.json", "model.safetensors", "generation_config.json"):
        shutil.copy(model_folder("llama") / name, folder)
    expected = answer(HuggingFace(str(model_folder("llama"))))
    assert same(answer(HuggingFace(str(folder), base_model=str(model_folder("qwen3")))), expected)


def test_an_adapter_that_is_damaged_or_for_a_larger_vocabulary_is_one_line(
    model_folder: Folder, adapter: Path, tmp_path: Path
) -> None:
    from safetensors.torch import load_file, save_file

    base = str(model_folder("llama"))
    copy = Path(shutil.copytree(adapter, tmp_path / "copy"))
    weights = copy / "adapter_model.safetensors"
    config: dict[str, Any] = json.loads((copy / "adapter_config.json").read_text())
    (copy / "adapter_config.json").write_text(json.dumps(config | {"modules_to_save": ["lm_head"]}))
    larger = {"base_model.model.lm_head.weight": torch.ones(500, 32)}
    save_file(load_file(weights) | larger, weights)
    with pytest.raises(UserError, match=r"does not fit .*: size mismatch for .*lm_head\S* copying .*\[500, 32\]"):
        answer(HuggingFace(base, adapter_path=str(copy)))
    weights.write_bytes(weights.read_bytes()[:100])
    with pytest.raises(UserError, match=r"copy: the adapter's weights do not load: .*Fetch the adapter again"):
        answer(HuggingFace(base, adapter_path=str(copy)))
    (copy / "adapter_config.json").write_text("[]")
    with pytest.raises(UserError, match="holds no JSON object"):
        answer(HuggingFace(str(copy)))


def read_logits(model: Any) -> torch.Tensor:
    with torch.inference_mode():
        logits: torch.Tensor = model(input_ids=torch.arange(10, 40)[None]).logits
    return logits


def save(folder: Path, base: Path, **settings: Any) -> torch.Tensor:
    """Write an adapter with these settings; return what peft says with it."""
    from peft import LoraConfig, get_peft_model
    from transformers import AutoModelForCausalLM

    with torch.random.fork_rng():
        torch.manual_seed(3)
        adapted = get_peft_model(
            AutoModelForCausalLM.from_pretrained(base), LoraConfig(r=4, lora_alpha=8, **settings)
        ).eval()
        for name, parameter in adapted.named_parameters():
            if "lora_" in name or "modules_to_save" in name:
                parameter.data.copy_(torch.randn_like(parameter) * 0.3)  # in place: some share their numbers
    adapted.save_pretrained(folder)
    return read_logits(adapted)


@pytest.mark.parametrize("merge", [True, False])
@pytest.mark.parametrize(
    "settings",
    [
        {"target_modules": ["lm_head"]},
        {"target_modules": ["embed_tokens"]},
        {"target_modules": ["lm_head", "q_proj", "embed_tokens"]},
        {"target_modules": ["embed_tokens"], "ensure_weight_tying": True},
        {"target_modules": ["q_proj"], "modules_to_save": ["lm_head"]},
    ],
)
def test_adapters_of_tied_layers_say_what_peft_says(settings: dict[str, Any], merge: bool, tmp_path: Path) -> None:
    """Issue 13, F5: merged into the head, the adapter changed the embeddings too."""
    from transformers import AutoModelForCausalLM

    base = tiny_models.write(tmp_path / "base", tie_word_embeddings=True)
    expected = save(tmp_path / "adapter", base, **settings)
    model = AutoModelForCausalLM.from_pretrained(base).eval()
    ours = apply_adapters(model, Weights(str(base)), [Adapter(str(tmp_path / "adapter"))], merge=merge).eval()
    torch.testing.assert_close(read_logits(ours), expected, atol=1e-3, rtol=1e-3)


@pytest.mark.parametrize("merge", [True, False])
def test_adapters_with_biases_say_what_peft_says(merge: bool, model_folder: Folder, tmp_path: Path) -> None:
    """Issue 13, F7."""
    from transformers import AutoModelForCausalLM

    base = model_folder("llama")
    with pytest.warns(UserWarning, match="lora_bias"):
        expected = save(tmp_path, base, target_modules=["q_proj", "down_proj"], lora_bias=True)
        model = AutoModelForCausalLM.from_pretrained(base).eval()
        ours = apply_adapters(model, Weights(str(base)), [Adapter(str(tmp_path))], merge=merge).eval()
    torch.testing.assert_close(read_logits(ours), expected, atol=1e-3, rtol=1e-3)


def _write_experts(folder: Path, kind: str) -> Path:
    import transformers

    experts = {"num_experts": 4, "moe_intermediate_size": 32, "decoder_sparse_step": 1}
    sizes = {name: value for name, value in tiny_models._sizes().items() if name != "max_position_embeddings"}
    sizes |= {"num_key_value_heads": 2, "num_experts_per_tok": 2}
    sizes |= {"num_local_experts": 4} if kind == "GptOss" else experts
    with torch.random.fork_rng():
        torch.manual_seed(0)
        config = getattr(transformers, f"{kind}Config")(**sizes)
        getattr(transformers, f"{kind}ForCausalLM")(config).save_pretrained(folder)
    return folder


@pytest.mark.parametrize("merge", [True, False])
@pytest.mark.parametrize("kind", ["GptOss", "Qwen3Moe"])
def test_adapters_of_experts_say_what_peft_says(kind: str, merge: bool, tmp_path: Path) -> None:
    """Issue 13, F6: `target_parameters` ended in an AttributeError."""
    from transformers import AutoModelForCausalLM

    base = _write_experts(tmp_path / "base", kind)
    expected = save(
        tmp_path / "adapter",
        base,
        target_modules=["q_proj"],
        target_parameters=["mlp.experts.gate_up_proj", "mlp.experts.down_proj"],
    )
    model = AutoModelForCausalLM.from_pretrained(base).eval()
    ours = apply_adapters(model, Weights(str(base)), [Adapter(str(tmp_path / "adapter"))], merge=merge).eval()
    torch.testing.assert_close(read_logits(ours), expected, atol=1e-3, rtol=1e-3)


def test_two_adapters_that_each_bring_a_head_are_one_line(model_folder: Folder, tmp_path: Path) -> None:
    """Issue 13, F8."""
    from transformers import AutoModelForCausalLM

    base = model_folder("llama")
    for name in ("one", "two"):
        save(tmp_path / name, base, target_modules=["q_proj"], modules_to_save=["lm_head"])
    adapters = [Adapter(str(tmp_path / name)) for name in ("one", "two")]
    with pytest.raises(UserError, match="adapters one and two each bring a whole lm_head; one can hold"):
        apply_adapters(AutoModelForCausalLM.from_pretrained(base), Weights(str(base)), adapters, merge=True)
