"""Endings: why a server says that an answer ended, in every spelling.

Why: the protocol has four words for it, and each server adds its own; a cut answer that passes for a whole one, or one
that a filter took away, would be graded as if the model had meant it.
Promises: an unknown word is an end like any other; `withheld` is what a filter took away or the model refused.
"""

from collections.abc import Mapping
from typing import Any, Literal

Ending = Literal["stop", "length", "withheld", "broken"]

_SPELLINGS: Mapping[Ending, tuple[str, ...]] = {
    "length": (
        *("length", "max_tokens", "max_output_tokens", "max_new_tokens", "max_completion_tokens", "max_length"),
        *("model_length", "context_length", "model_context_window_exceeded", "token_limit", "incomplete"),
    ),
    "withheld": (
        *("content_filter", "content_filtered", "contentfilter", "filtered", "filter", "safety", "refusal", "refused"),
        *("recitation", "blocklist", "prohibited_content", "spii", "sensitive", "blocked", "guardrail_intervened"),
        *("guardrails", "moderation", "error_toxic"),
    ),
    "broken": (
        *("error", "abort", "aborted", "cancelled", "canceled", "timeout", "failed", "network_error"),
        *("insufficient_system_resource", "malformed_function_call"),
    ),
}
_ENDINGS: Mapping[str, Ending] = {word: ending for ending, words in _SPELLINGS.items() for word in words}


def read_ending(reason: Any) -> Ending:
    """Read a finish reason: a word in any case, with the name of its type before it, or an object with a `type`."""
    if isinstance(reason, dict):  # SGLang's own interface
        reason = reason.get("type")
    if not isinstance(reason, str):
        return "stop"
    if known := _ENDINGS.get(reason):
        return known
    word = reason.strip().lower().replace("-", "_").replace(" ", "_")
    for prefix in ("finishreason.", "finish_reason_", "finishreason_"):
        word = word.removeprefix(prefix)
    return _ENDINGS.get(word, "stop")
