"""How many tokens a refusal leaves for a reply, in the words of many servers."""

import pytest

from inference_kit.models.http.wording.room import read_room, speaks_of_length

SAID = [
    (
        "The maximum tokens you requested exceeds the model limit of 4096. Try again with a maximum tokens value that "
        "is lower than 4096.",
        8192,
        4095,
    ),
    (
        "The maximum tokens you requested exceeds the model limit of 4096. Try again with a maximum tokens value that "
        "is lower than 4096.",
        4096,
        4095,
    ),
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
    (
        "This model's maximum context length is 4097 tokens. However, you requested 4927 tokens (3927 in the "
        "messages, 1000 in the completion). Please reduce the length of the messages or completion.",
        1000,
        170,
    ),
    (
        "This model's maximum context length is 8192 tokens. However, your messages resulted in 9042 tokens. "
        "Please reduce the length of the messages.",
        1000,
        -850,
    ),
    (
        "Input tokens exceed the configured limit of 272000 tokens. Your messages resulted in 300000 tokens. "
        "Please reduce the length of the messages.",
        1000,
        -28000,
    ),
    (
        "This model's maximum context length is 4097 tokens. However, your messages resulted in 4100 tokens "
        "(4000 in the messages, 100 in the functions). Please reduce",
        1000,
        -3,
    ),
    (
        "You passed 3001 input tokens and requested 2000 output tokens. However, the model's context length "
        "is only 4096 tokens, resulting in a maximum input length of 2096 tokens. Please reduce the length "
        "of the input prompt.",
        2000,
        1095,
    ),
    (
        "The decoder prompt (length 5000) is longer than the maximum model length of 4096. Make sure that "
        "`max_model_len` is no smaller than the number of text tokens.",
        100,
        -904,
    ),
    (
        "The input (5000 tokens) is longer than the model's context length (4096 tokens).",
        100,
        -904,
    ),
    (
        "Input length (5000 tokens) exceeds the maximum allowed length (4090 tokens). Use a shorter input or "
        "enable --allow-auto-truncate.",
        100,
        -910,
    ),
    (
        "Input validation error: `inputs` must have less than 1024 tokens. Given: 2000",
        100,
        -976,
    ),
    (
        "Trying to keep the first 5000 tokens when context the overflows. However, the model is loaded with "
        "context length of only 4096 tokens, which is not enough. Try to load the model with a larger "
        "context length, or provide a shorter input",
        100,
        -904,
    ),
    (
        "The number of tokens to keep from the initial prompt is greater than the context length (n_keep: "
        "5000>= n_ctx: 4096). Try to load the model with a larger context length, or provide a shorter input.",
        100,
        -904,
    ),
    (
        "Prompt contains 40000 tokens and 0 draft tokens, too large for model with 32768 maximum context length",
        100,
        -7232,
    ),
    (
        "Prompt contains 30000 tokens, too large for model with 32768 maximum context length: max_tokens 4000",
        4000,
        2768,
    ),
    (
        "The number of tokens in the prompt plus max_tokens (4000) exceeds the maximum of 32768. Prompt has "
        "30000 tokens",
        4000,
        2768,
    ),
    (
        "This model's maximum context length is 65536 tokens. However, you requested 70000 tokens (66000 in "
        "the messages, 4000 in the completion). Please reduce the length of the messages or completion.",
        4000,
        -464,
    ),
    (
        "The input token count (1048577) exceeds the maximum number of tokens allowed (1048576).",
        100,
        -1,
    ),
    (
        "Unable to submit request because the input token count is 40000 but model only supports up to "
        "32768. Reduce the input token count and try again.",
        100,
        -7232,
    ),
    (
        "prompt is too long: 215000 tokens > 200000 maximum",
        100,
        -15000,
    ),
    (
        "input length and `max_tokens` exceed context limit: 199000 + 4000 > 200000, decrease input length "
        "or `max_tokens` and try again",
        4000,
        1000,
    ),
    (
        "max_tokens: 100000 > 8192, which is the maximum allowed number of output tokens for claude-3-5-sonnet",
        100000,
        8192,
    ),
    (
        "`inputs` tokens + `max_new_tokens` must be <= 8193. Given: 7000 `inputs` tokens and 2000 `max_new_tokens`",
        2000,
        1193,
    ),
    (
        "The input (5000 tokens) plus max_tokens (1000) is longer than the model's context length of 4096 tokens",
        1000,
        -904,
    ),
    (
        "This endpoint's maximum context length is 131072 tokens. However, you requested about 140000 tokens "
        "(100000 of text input, 40000 in the output). Please reduce the length of either one, or use the "
        '"middle-out" transform',
        40000,
        31072,
    ),
    (
        "The prompt is too long: 9000, model maximum context length: 8191",
        100,
        -809,
    ),
    (
        "prompt length 9000 exceeds maximum context length 8192",
        100,
        -808,
    ),
    (
        "This model's maximum prompt length is 131072 but the request contains 140000 tokens.",
        100,
        -8928,
    ),
    (
        "Current length is 9000 while limit is 8192",
        100,
        -808,
    ),
    (
        "Range of max_tokens should be [1, 8192]",
        10000,
        8192,
    ),
    (
        "the prompt is longer than the context window: 5000 tokens > 4096",
        100,
        -904,
    ),
    (
        "the number of input tokens 5000 cannot exceed the total tokens limit 4096 for this model",
        100,
        -904,
    ),
    (
        "too many tokens: total number of tokens in the prompt cannot exceed 4081 - received 5000. Try using "
        "a shorter prompt",
        100,
        -919,
    ),
    (
        "This model's maximum context length is 128000 tokens. However, you requested 128600 tokens (124504 "
        "in the messages, 4096 in the completion)",
        4096,
        3496,
    ),
    (
        "The sum of prompt length (600.0), query length (0) max_tokens (4000) should not exceed max_num_tokens (4096)",
        4000,
        3496,
    ),
    (
        "Prompt length (5000) + max_tokens(100) exceeds max_seq_len(4096)",
        100,
        -904,
    ),
    (
        "Prompt length 5000 is greater than max_seq_len 4096",
        100,
        -904,
    ),
    (
        "Request prompt has 5000 tokens in total, larger than the model input length limit 4096.",
        100,
        -904,
    ),
    (
        "Prompt is 5000 tokens but max context is 4096",
        100,
        -904,
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


@pytest.mark.parametrize(
    ("said", "of_length"),
    [
        ("the request exceeds the available context size, try increasing it", True),
        ("Please reduce the length of the messages or completion.", True),
        ("Range of input length should be [1, 30720]", True),
        ("'temperature' does not support 0 with this model. Only the default (1) value is supported.", False),
        ("property 'seed' is unsupported", False),
    ],
)
def test_a_refusal_that_is_about_the_length_is_known_without_numbers(said: str, of_length: bool) -> None:
    assert speaks_of_length(said) is of_length
