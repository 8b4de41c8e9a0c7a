"""Escape: texts in which no special token of a tokenizer stands.

Why: a solution that spells a tag, or the end of a turn, would forge a step or a verdict.
"""

import re
from collections.abc import Callable, Sequence
from typing import Any


def build_escape(tokenizer: Any, marks: Sequence[str] = ()) -> Callable[[str], str]:
    """Build what puts a space into each special token and mark of a text: `<|end|>` becomes `< |end|>`."""
    added = tokenizer.added_tokens_decoder.values()
    special = {str(token) for token in added if token.special and len(str(token)) > 1}
    names = sorted({*special, *marks}, key=len, reverse=True)
    reserved = re.compile("|".join(map(re.escape, names)) or r"(?!)")  # (?!) matches nothing

    def escape(text: str) -> str:
        """Put a space behind the first character of each reserved text."""
        return reserved.sub(lambda found: f"{found[0][0]} {found[0][1:]}", text)

    return escape
