"""Models of a few thousand random weights, one of each kind of attention, written as folders in Hugging Face layout."""

import copy
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


def write(
    folder: Path,
    kind: str = "llama",
    *,
    seed: int = 0,
    chat: bool = True,
    auto_class: str = "AutoModelForCausalLM",
    tokens: tuple[str, ...] = (),
    **settings: Any,
) -> Path:
    """Write a model of `kind` with weights from `seed`; without `chat` its tokenizer has no chat template.

    `tokens` are added to the vocabulary; `settings` are put into the configuration.
    """
    import torch
    import transformers

    words = tokenizer()
    if tokens:
        words = copy.deepcopy(words)
        words.add_tokens(list(tokens))
    config = CONFIGS[kind]()
    for name, value in {**settings, "vocab_size": len(words)}.items():
        setattr(config, name, value)
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        model = getattr(transformers, auto_class).from_config(config)
    model.save_pretrained(folder)
    words.save_pretrained(folder)
    if not chat:
        (folder / "chat_template.jinja").unlink()
    return folder


def write_head(folder: Path, layers: dict[str, tuple[int, int]], *, seed: int = 7) -> Path:
    """Put random linear layers {name: (outputs, inputs)} beside the weights in `folder`, as value heads are stored."""
    import torch
    from safetensors.torch import load_file, save_file

    stored = load_file(folder / "model.safetensors")
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        for name, (outputs, inputs) in layers.items():
            stored |= {f"{name}.weight": torch.randn(outputs, inputs), f"{name}.bias": torch.randn(outputs)}
    save_file(stored, folder / "model.safetensors", metadata={"format": "pt"})
    return folder


def write_llava(folder: Path, *, seed: int = 0) -> Path:
    """Write a model that reads images of 16 x 16 points as four tokens."""
    import copy

    import torch
    from transformers import CLIPVisionConfig, LlavaConfig, LlavaForConditionalGeneration, LlavaProcessor
    from transformers.models.clip.image_processing_pil_clip import CLIPImageProcessorPil

    words = copy.deepcopy(tokenizer())
    words.add_special_tokens({"additional_special_tokens": ["<image>"]})
    words.chat_template = (
        "{% for message in messages %}<|{{ message['role'] }}|>{% if message['content'] is string %}"
        "{{ message['content'] }}{% else %}{% for part in message['content'] %}"
        "{{ '<image>' if part['type'] == 'image' else part['text'] }}{% endfor %}{% endif %}{% endfor %}<|assistant|>"
    )
    text = _llama()
    text.vocab_size = len(words)
    eyes = CLIPVisionConfig(
        hidden_size=16,
        intermediate_size=24,
        num_hidden_layers=2,
        num_attention_heads=2,
        image_size=16,
        patch_size=8,
        projection_dim=16,
        initializer_range=0.4,
    )
    config = LlavaConfig(
        vision_config=eyes,
        text_config=text,
        image_token_index=words.convert_tokens_to_ids("<image>"),
        image_seq_length=4,
    )
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        model = LlavaForConditionalGeneration(config)
    model.save_pretrained(folder)
    LlavaProcessor(
        image_processor=CLIPImageProcessorPil(size={"shortest_edge": 16}, crop_size={"height": 16, "width": 16}),
        tokenizer=words,
        patch_size=8,
        vision_feature_select_strategy="default",
        num_additional_image_tokens=1,
    ).save_pretrained(folder)
    return folder
