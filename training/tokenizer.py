"""The tokenizer of the bundled models: whole words, single digits and newlines; any other text becomes bytes.

Why: a few hundred tokens let a tiny model spend its parameters on reasoning, and one digit a token makes arithmetic
learnable. A newline is always a token of its own, so step search cuts where the model expects a cut.
Promises: any text makes the round trip. Text cut at newlines and encoded in parts gives the ids of the whole.
"""

import re
from itertools import islice
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING

from training.problems import TRAINING_MIX, draw_problems, write_solution

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerFast

# What templates/prompt/cot_boxed.txt puts after a question.
INSTRUCTION = "\n\nPlease reason step by step, and put your final answer within \\boxed{}."
PIECE = r"\n| ?\\boxed\{| ?[A-Za-z]+| ?[0-9]| ?[^\sA-Za-z0-9]|\s"
PAD, BOS, EOS, USER, ASSISTANT = SPECIAL = ("<|pad|>", "<|bos|>", "<|eos|>", "<|user|>", "<|assistant|>")
MAX_TOKENS = 512
SEED = 11

# A system message is set above the first user message: the models know no third role.
CHAT_TEMPLATE = (
    "{{ bos_token }}"
    "{% set system = namespace(text='') %}"
    "{% for message in messages %}"
    "{% if message['role'] == 'system' %}{% set system.text = system.text + message['content'] + '\n\n' %}"
    "{% elif message['role'] == 'user' %}{{ '<|user|>' + system.text + message['content'] }}{% set system.text = '' %}"
    "{% else %}{{ '<|assistant|>' + message['content'] + eos_token }}{% endif %}"
    "{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|assistant|>' }}{% endif %}"
)


def build_tokenizer() -> "PreTrainedTokenizerFast":
    """Build the tokenizer from the words of the training problems; the vocabulary is the same each time."""
    from tokenizers import Regex, Tokenizer, decoders, models, pre_tokenizers
    from transformers import PreTrainedTokenizerFast

    byte_tokens = [f"<0x{byte:02X}>" for byte in range(256)]
    printable = [chr(code) for code in range(32, 127)]
    tokens = dict.fromkeys([*SPECIAL, *byte_tokens, "\n", *printable, *_collect_pieces()])
    bpe = models.BPE(
        vocab={token: i for i, token in enumerate(tokens)}, merges=[], byte_fallback=True, ignore_merges=True
    )
    tokenizer = Tokenizer(bpe)
    tokenizer.pre_tokenizer = pre_tokenizers.Split(Regex(PIECE), "isolated")
    tokenizer.decoder = decoders.Sequence([decoders.ByteFallback(), decoders.Fuse()])
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        pad_token=PAD,
        bos_token=BOS,
        eos_token=EOS,
        additional_special_tokens=[USER, ASSISTANT],
        chat_template=CHAT_TEMPLATE,
        clean_up_tokenization_spaces=False,
        model_max_length=MAX_TOKENS,
        padding_side="left",
    )


def save_tokenizer(folder: Path) -> None:
    """Write the tokenizer files in Hugging Face layout."""
    build_tokenizer().save_pretrained(folder)


def _collect_pieces() -> list[str]:
    rng = Random(SEED)
    pieces: set[str] = set()
    for problem in islice(draw_problems(SEED, "train", TRAINING_MIX), 3000):
        text = "\n".join([problem.question + INSTRUCTION, *write_solution(problem, rng)])
        pieces.update(re.findall(PIECE, text))
    return sorted(pieces)
