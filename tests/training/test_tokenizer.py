"""The tokenizer holds its promises, and the bundled copies are the ones it builds."""

from itertools import chain, islice
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING

import pytest

from training.problems import BENCHMARK_MIX, draw_problems, write_solution
from training.publish import POLICY, REWARD_MODEL
from training.tokenizer import INSTRUCTION, build_tokenizer

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerFast

STRANGE = [
    "naïve café, 日本語 🙂",
    " both ends ",
    "tabs\tand\r\nreturns\n\n",
    "▁ <0x41> \u00a0 \\boxed{x^2}",
    "",
    "e\u0301\u2028 12 345.6",
]


@pytest.fixture(scope="module")
def tokenizer() -> "PreTrainedTokenizerFast":
    return build_tokenizer()


@pytest.mark.parametrize("text", STRANGE)
def test_any_text_makes_the_round_trip(tokenizer: "PreTrainedTokenizerFast", text: str) -> None:
    assert tokenizer.decode(tokenizer(text).input_ids) == text


def test_text_cut_at_newlines_has_the_ids_of_the_whole(tokenizer: "PreTrainedTokenizerFast") -> None:
    rng = Random(0)
    for problem in islice(draw_problems(8, "train", BENCHMARK_MIX), 2000):
        text = "\n".join([problem.question + INSTRUCTION, *write_solution(problem, rng)])
        parts = tokenizer(text.splitlines(keepends=True)).input_ids
        assert list(chain.from_iterable(parts)) == tokenizer(text).input_ids


def test_a_problem_needs_no_bytes_and_one_token_a_digit(tokenizer: "PreTrainedTokenizerFast") -> None:
    for problem in islice(draw_problems(9, "train", BENCHMARK_MIX), 300):
        pieces = tokenizer.tokenize(problem.question + INSTRUCTION)
        assert not any(piece.startswith("<0x") for piece in pieces)
        assert all(len(piece.strip()) == 1 for piece in pieces if piece.strip().isdigit())


def test_the_chat_template_writes_turns_system_messages_and_partial_replies(
    tokenizer: "PreTrainedTokenizerFast",
) -> None:
    turns = [
        {"role": "system", "content": "S"},
        {"role": "user", "content": "Q"},
        {"role": "assistant", "content": "A\n"},
        {"role": "user", "content": "R"},
    ]
    whole = tokenizer.apply_chat_template(turns, tokenize=False, add_generation_prompt=True)
    assert whole == "<|bos|><|user|>S\n\nQ<|assistant|>A\n<|eos|><|user|>R<|assistant|>"
    partial = tokenizer.apply_chat_template(turns[1:3], tokenize=False, continue_final_message=True)
    assert partial == "<|bos|><|user|>Q<|assistant|>A\n"


@pytest.mark.parametrize("folder", [POLICY, REWARD_MODEL], ids=lambda folder: folder.name)
def test_the_bundled_tokenizers_are_the_ones_that_are_built(tokenizer: "PreTrainedTokenizerFast", folder: Path) -> None:
    from transformers import AutoTokenizer

    bundled = AutoTokenizer.from_pretrained(folder)
    assert bundled.get_vocab() == tokenizer.get_vocab()
    assert bundled.chat_template == tokenizer.chat_template
    assert [bundled(text).input_ids for text in STRANGE] == [tokenizer(text).input_ids for text in STRANGE]
