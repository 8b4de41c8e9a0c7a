"""Models of a few thousand random weights, one of each kind of attention, written as folders in Hugging Face layout."""

from collections.abc import Callable
from functools import lru_cache
from pathlib import Path
from typing import Any

CONTEXT = 160
WINDOW = 12
TEMPLATE = (
    "{% for message in messages %}<|{{ message['role'] }}|>{{ message['content'] }}"
    "{% if message['role'] == 'assistant' %}<|end|>{% endif %}{% endfor %}"
    "{% if add_generation_prompt %}<|assistant|>{% endif %}"
)
SPECIAL = ["<|pad|>", "<|begin|>", "<|end|>", "<|system|>", "<|user|>", "<|assistant|>"]
CORPUS = "So the sum is 12 + 30 = 42.\n\nThe answer is \\boxed{42}. Ada has three apples; how many are left? ки"


@lru_cache
def tokenizer() -> Any:
    """A byte-level tokenizer of about 300 entries with a chat template; it can say any text, and halves of a sign."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
    from transformers import PreTrainedTokenizerFast

    raw = Tokenizer(models.BPE())
    raw.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    raw.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=320,
        special_tokens=SPECIAL,
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    raw.train_from_iterator([CORPUS] * 4, trainer)
    made = PreTrainedTokenizerFast(
        tokenizer_object=raw, bos_token="<|begin|>", eos_token="<|end|>", pad_token="<|pad|>", padding_side="left"
    )
    made.chat_template = TEMPLATE
    return made


def _sizes(**more: Any) -> dict[str, Any]:
    return {
        "vocab_size": len(tokenizer()),
        "hidden_size": 32,
        "intermediate_size": 48,
        "num_hidden_layers": 2,
        "num_attention_heads": 4,
        "head_dim": 8,
        "max_position_embeddings": CONTEXT,
        "initializer_range": 0.4,
        "bos_token_id": 1,
        "eos_token_id": 2,
        "pad_token_id": 0,
        "tie_word_embeddings": False,
    } | more


def _llama() -> Any:
    from transformers import LlamaConfig

    return LlamaConfig(**_sizes(num_key_value_heads=4))


def _qwen3() -> Any:
    from transformers import Qwen3Config

    return Qwen3Config(**_sizes(num_key_value_heads=2))


def _mistral() -> Any:
    from transformers import MistralConfig

    return MistralConfig(**_sizes(num_key_value_heads=2, sliding_window=WINDOW))


def _gemma3() -> Any:
    from transformers import Gemma3TextConfig

    layers = ["sliding_attention", "full_attention", "sliding_attention"]
    return Gemma3TextConfig(
        **_sizes(num_key_value_heads=2, sliding_window=WINDOW, num_hidden_layers=3, layer_types=layers),
        query_pre_attn_scalar=8,
    )


def _gpt2() -> Any:
    from transformers import GPT2Config

    return GPT2Config(
        vocab_size=len(tokenizer()),
        n_positions=CONTEXT,
        n_embd=32,
        n_layer=2,
        n_head=4,
        initializer_range=0.4,
        bos_token_id=1,
        eos_token_id=2,
        pad_token_id=0,
    )


CONFIGS: dict[str, Callable[[], Any]] = {
    "llama": _llama,
    "qwen3": _qwen3,
    "mistral": _mistral,
    "gemma3": _gemma3,
    "gpt2": _gpt2,
}
"""One of each: plain, grouped queries, a sliding window, sliding and full layers in turn, absolute positions."""


def write(folder: Path, kind: str = "llama", *, seed: int = 0, chat: bool = True) -> Path:
    """Write a model of `kind` with weights from `seed`; without `chat` its tokenizer has no chat template."""
    import torch
    from transformers import AutoModelForCausalLM

    config = CONFIGS[kind]()
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        model = AutoModelForCausalLM.from_config(config)
    model.save_pretrained(folder)
    tokenizer().save_pretrained(folder)
    if not chat:
        (folder / "chat_template.jinja").unlink()
    return folder
