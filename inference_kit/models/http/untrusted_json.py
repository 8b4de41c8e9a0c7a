"""JSON that a server sent, checked piece by piece.

Why: what comes over the network is foreign; where it is not what a protocol says, that is found here and nowhere later.
Promises: every check raises `Malformed`, whose text is one shorten printable line.
"""

import json
import re
from collections.abc import Mapping
from typing import Any

LARGEST_COUNT = 2**53
"""Beyond it JSON numbers of other languages are not exact."""

_PAGE = re.compile(r"\s*(?:<\?xml[^>]{0,80}>\s*)?<(?:!doctype\s+html|html|head|body)\b", re.IGNORECASE)


class Malformed(Exception):
    """An answer that is not what the protocol says; it is asked for again."""


class ErrorAnswer(Malformed):
    """An error in the place of an answer, or in the middle of one: `answer` is all that was said of it."""

    def __init__(self, answer: Mapping[str, Any]) -> None:
        super().__init__(f"it broke off with {shorten(str(answer.get('error') or answer), 160)}")
        self.answer = answer


class WebPage(Malformed):
    """A page for people in the place of an answer."""


def parse_json(content: bytes | str) -> Any:
    """Parse JSON that is not trusted."""
    try:
        return json.loads(content)
    except UnicodeDecodeError:  # of another century's encoding
        return parse_json(content.decode("latin-1") if isinstance(content, bytes) else "")
    except (ValueError, RecursionError) as error:
        text = content if isinstance(content, str) else content[:400].decode("utf-8", "replace")
        kind = WebPage if _PAGE.match(text[:400]) else Malformed
        raise kind(f"no JSON in {shorten(text, 80)!r}") from error


def as_object(value: Any, what: str) -> Mapping[str, Any]:
    """Check that `value` is a JSON object and return it; `what` names it in the error."""
    if not isinstance(value, dict):
        raise Malformed(f"{what} is {shorten(repr(value), 40)}")
    return value


def as_list(value: Any, what: str) -> list[Any]:
    """Check that `value` is a list and return it; `what` names it in the error."""
    if not isinstance(value, list):
        raise Malformed(f"{what} is {shorten(repr(value), 40)}")
    return value


def as_text(value: Any) -> str:
    """Check that `value` is a text and return it; null is an empty one."""
    if value is None:
        return ""
    if not isinstance(value, str):
        raise Malformed(f"{shorten(repr(value), 40)} instead of a text")
    return value


def as_count(value: Any) -> int | None:
    """Check that `value` is a count and return it; null is None, and 8.0 and "8" are 8, as some servers write it."""
    if value is None:
        return None
    if (isinstance(value, float) and value.is_integer()) or (
        isinstance(value, str) and re.fullmatch("[0-9]{1,9}", value)
    ):
        value = int(value)
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value < LARGEST_COUNT:
        raise Malformed(f"{shorten(repr(value), 40)} instead of a count")
    return value


def shorten(text: str, most: int = 300) -> str:
    """Shorten a foreign text to one printable line of at most `most` characters."""
    line = " ".join("".join(sign if sign.isprintable() else " " for sign in text[: 4 * most]).split())
    return line if len(line) <= most else f"{line[:most]}..."
