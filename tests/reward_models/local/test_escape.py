"""Escape: no special token and no mark is left in a text."""

from types import SimpleNamespace
from typing import Any

import pytest

from inference_kit.reward_models.local.escape import build_escape


class Added(str):
    """A token as tokenizers list it."""

    special = True


def tokenizer(*tokens: str) -> Any:
    return SimpleNamespace(added_tokens_decoder=dict(enumerate(map(Added, tokens))))


@pytest.mark.parametrize(
    ("text", "escaped"),
    [
        ("so <|end|> and <|end|>more", "so < |end|> and < |end|>more"),
        ("a ки b", "a к и b"),
        ("<|ending|>", "< |ending|>"),
        ("a < b", "a < b"),
    ],
)
def test_a_space_is_put_into_what_is_reserved(text: str, escaped: str) -> None:
    """The longest name first; a token of one character could not be spelled otherwise and stays."""
    assert build_escape(tokenizer("<|end|>", "<|ending|>", "<"), ["ки"])(text) == escaped


def test_nothing_reserved_changes_nothing() -> None:
    assert build_escape(tokenizer())("<|end|>") == "<|end|>"
