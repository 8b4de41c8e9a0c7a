"""Replies: from what a model wrote to what goes into the field.

Why: a model that was asked for code puts it between fences and talks around them.
Promises: what is inside the first whole fence comes out as it stands, its indentation and blank lines too; an empty
result is none.
"""

import re

_FENCE = re.compile(r"^(?P<indent>[ \t]*)(?P<mark>`{3,}|~{3,})[^\n`]*\n", re.MULTILINE)


def strip_fences(reply: str) -> str:
    """Return the code of the first fenced block of a reply.

    A fence that is not closed loses its opening line; without a fence blank lines around the text go.
    """
    opening = _FENCE.search(reply)
    if opening is None:
        return _strip_blank_lines(reply)
    rest = reply[opening.end() :]
    mark = opening["mark"]
    closing = re.search(rf"^[ \t]*{re.escape(mark[0])}{{{len(mark)},}}[ \t]*$", rest, re.MULTILINE)
    if closing is None:
        return _strip_blank_lines(rest)
    return rest[: closing.start()].removesuffix("\n")


def _strip_blank_lines(text: str) -> str:
    """Take the blank lines off both ends, and leave the indentation of the first line."""
    return re.sub(r"\A(?:[ \t]*\r?\n)+", "", text).rstrip()
