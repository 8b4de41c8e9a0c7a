"""How many tokens a refusal leaves for a reply, in the words of many servers."""

import pytest

from inference_kit.models.http.wording.room import read_room

SAID = [
    (
        "'max_tokens' is too large. This model's maximum context length is 50 tokens: it has 45 input tokens",
        64,
        5,
    ),
    (
        "This model's maximum context length is 50 tokens. However, you requested 64 output tokens and "
        "your prompt contains at least 45 input tokens, for a total of at least 109 tokens.",
        64,
        5,
    ),
    (
        "This model's maximum context length is 50 tokens. However, you requested 109 tokens (45 in the "
        "messages, 64 in the completion).",
        64,
        5,
    ),
    (
        "Requested token count exceeds the model's maximum context length of 50 tokens. You requested a "
        "total of 109 tokens: 45 tokens from the input messages and 64 tokens for the completion.",
        64,
        5,
    ),
    (
        "This model's maximum context length is 256 tokens. However, your prompt contains at least 257 input tokens",
        64,
        -1,
    ),
    (
        "You passed 100 input tokens and requested 4000 output tokens. However, the model's context "
        "length is only 1000 tokens, resulting in a maximum input length of 0 tokens. Please reduce the "
        "length of the input prompt. (parameter=input_tokens, value=100)",
        4000,
        900,
    ),
    (
        "'max_tokens' or 'max_completion_tokens' is too large: 4000. This model's maximum context length "
        "is 1000 tokens and your request has 100 input tokens (4000 > 1000 - 100).",
        4000,
        900,
    ),
    (
        "Requested token count exceeds the model's maximum context length of 1000 tokens. You requested a"
        " total of 4100 tokens: 100 tokens from the input messages and 4000 tokens for the completion. "
        "Please reduce",
        4000,
        900,
    ),
    (
        "request (5000 tokens) exceeds the available context size (4096 tokens), try increasing it",
        100,
        -904,
    ),
    (
        "max_tokens: 4000 > 512, which is the maximum allowed number of output tokens for mock",
        4000,
        512,
    ),
    (
        "max_tokens is too large: 5000. This model supports at most 4096 completion tokens, whereas you provided 5000.",
        5000,
        4096,
    ),
    (
        "Invalid max_tokens value, the valid range of max_tokens is [1, 8192]",
        10000,
        8192,
    ),
    (
        "`max_tokens` must be less than or equal to `8192`, the maximum value for `max_tokens` is less "
        "than the `context_window` for this model",
        10000,
        8192,
    ),
    (
        "input length and `max_tokens` exceed context limit: 188240 + 21333 > 200000, decrease input "
        "length or `max_tokens` and try again",
        21333,
        11760,
    ),
    (
        "Input validation error: `inputs` tokens + `max_new_tokens` must be <= 4096. Given: 3000 `inputs`"
        " tokens and 2000 `max_new_tokens`",
        2000,
        1096,
    ),
    (
        "This endpoint's maximum context length is 32,768 tokens. However, you requested about 40,000 "
        "tokens (30,000 of text input, 10,000 in the output).",
        10000,
        2768,
    ),
    (
        "The model only takes 4096 tokens, you passed 600 prompt tokens and 4000 for the reply",
        4000,
        3496,
    ),
    (
        "Prompt has 600 tokens, but the context window has only 1024 tokens; max_tokens 600 is too many",
        600,
        424,
    ),
    (
        "Please reduce your prompt; your prompt length is at least 601, model limit 4096 tokens",
        4000,
        3495,
    ),
    (
        "This model's maximum context length is 4096 tokens. However, you requested 4600 tokens. Please reduce",
        4000,
        3496,
    ),
    (
        "Input is too long: 600 input tokens, only 4096 tokens fit",
        4000,
        3496,
    ),
    (
        "The prompt (600 tokens) and max_tokens (4000) together exceed the model's limit of 4096 tokens",
        4000,
        3496,
    ),
    (
        "Number of input tokens (600) plus max_tokens 4000 has exceeded max_seq_len 4096 limit",
        4000,
        3496,
    ),
    (
        "There are only 3496 tokens left for the reply",
        4000,
        3496,
    ),
    (
        "max_completion_tokens (4000) exceeds the remaining 3496 tokens",
        4000,
        3496,
    ),
]


@pytest.mark.parametrize(("said", "asked", "room"), SAID)
def test_the_room_that_a_prompt_leaves_is_read_in_every_wording(said: str, asked: int, room: int) -> None:
    found = read_room(said, asked)
    assert found is not None
    assert found.tokens == room


@pytest.mark.parametrize(
    "said",
    [
        "'temperature' does not support 0 with this model. Only the default (1) value is supported.",
        "property 'seed' is unsupported",
        "the request exceeds the available context size, try increasing it",
    ],
)
def test_a_text_without_counts_tells_of_no_room(said: str) -> None:
    assert read_room(said, 64) is None


def test_a_bound_is_a_bound() -> None:
    """Counted only as far as it had to be, or not at all: there may be less room."""
    said = "the model's context length is 100 tokens and your prompt contains at least 37 input tokens"
    assert (found := read_room(said, 64))
    assert (found.tokens, found.exact, found.context) == (63, False, 100)
    assert (found := read_room("The context window of 100 tokens is too small.", 64))
    assert (found.tokens, found.exact) == (63, False)
