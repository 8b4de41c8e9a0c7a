"""Endings: why a server says that an answer ended, in every spelling.

Why: the protocol has four words for it, and each server adds its own; a cut answer that passes for a whole one, or one
that a filter took away, would be graded as if the model had meant it.
Promises: an unknown word is an end like any other; `withheld` is what a filter took away or the model refused.
"""

import re
from collections.abc import Mapping
from typing import Any, Literal

Ending = Literal["stop", "length", "withheld", "broken"]

_KNOWN: Mapping[str, Ending] = {"length": "length", "content_filter": "withheld", "stop": "stop", "eos": "stop"}
"""What most servers say, so that few answers are searched for words."""
_EXCEPTIONS: Mapping[str, Ending] = {
    **dict.fromkeys(("error_limit", "incomplete"), "length"),
    **dict.fromkeys(("error_toxic", "spii", "recitation", "language"), "withheld"),
    **dict.fromkeys(("insufficient_system_resource", "malformed_function_call"), "broken"),
}
_WORDS: Mapping[Ending, re.Pattern[str]] = {
    "withheld": re.compile(r"filter|safety|refus|block|prohibit|sensitive|guardrail|moderat|toxic|unsafe|policy"),
    "broken": re.compile(r"error|abort|cancel|timeout|timed_out|fail|interrupt"),
    "length": re.compile(r"length|limit|truncat|max_|context_window|cut_?off|exceeded"),
}
"""What a word holds that says an ending, the first that it does."""


def read_ending(reason: Any) -> Ending:
    """Read a finish reason: a word in any case, with the name of its type before it, or an object with a `type`."""
    if isinstance(reason, dict):  # SGLang's own interface
        reason = reason.get("type")
    if not isinstance(reason, str):
        return "stop"
    if known := _KNOWN.get(reason):
        return known
    word = reason.strip().lower().replace("-", "_").replace(" ", "_")
    for prefix in ("finishreason.", "finish_reason_", "finishreason_"):
        word = word.removeprefix(prefix)
    found = _EXCEPTIONS.get(word) or next((ending for ending, each in _WORDS.items() if each.search(word)), None)
    return found or "stop"
