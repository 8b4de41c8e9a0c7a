r"""Wrappers that prompts ask for: `<answer>63</answer>`, `{"answer": 63}`, `<|begin_of_box|>63<|end_of_box|>`.

Why: what stands in one is the answer, whatever stands around it.
Promises: linear; the last wrapper counts, and nothing is read as JSON but the text of one value.
"""

import re
from typing import NamedTuple

LONGEST_VALUE = 2000
TAG = re.compile(
    r"<(?P<name>(?:final[ _-]?)?(?:answer|ans|solution|result))>|\[(?P<bracketed>(?:final[ _]?)?answer)\]"
    r"|<\|begin_of_(?P<token>box|solution|answer)\|>|\\begin\{(?P<environment>answer)\}",
    re.IGNORECASE,
)
CLOSINGS = {"name": "</{}>", "bracketed": "[/{}]", "token": "<|end_of_{}|>", "environment": "\\end{{{}}}"}
KEY = re.compile(
    r"[\"'](?:(?:final|correct)[ _-]?)?(?:answers?|ans|choice|option|result|solution|prediction)"
    r"(?:[ _-](?:value|letter|choice))?[\"']\s{0,9}:\s{0,9}",
    re.IGNORECASE,
)
BEHIND_KEY = re.compile(r":(?<=[\"'\s]:)")
"""The colon behind a key, in few other texts, and found faster than a key."""

VALUE = re.compile(
    r'"(?P<double>(?:[^"\\]|\\.){0,2000})"|\'(?P<single>(?:[^\'\\]|\\.){0,2000})\'|\[(?P<items>[^\[\]{}]{1,500})\]'
    r"|(?P<number>[-+]?\d[\d.]{0,400}(?:[eE][-+]?\d{1,6})?)(?=\s*[,}\n]|\s*$)|(?P<word>true|false)\b|(?P<null>null|none)\b",
    re.IGNORECASE | re.DOTALL,
)
MOST_FOUND = 8
"""Of tags and of keys: more often it is no wrapper, and the text is not to be searched forever."""

CODED = re.compile(r"\\u((?![dD][89a-fA-F])[0-9a-fA-F]{4})")
FENCE = re.compile(r"^[ \t]{0,3}```[\w-]{0,20}[ \t]*$", re.MULTILINE)


class Wrapped(NamedTuple):
    """What stands in a wrapper, and where the wrapper ends in the text."""

    content: str
    end: int


def find_wrapped(text: str) -> Wrapped | None:
    """Return the content of the last wrapper that has one."""
    tagged, in_json = _find_tagged(text), _find_in_json(text)
    if tagged and in_json:
        return max(tagged, in_json, key=lambda each: each.end)
    return tagged or in_json


def find_block(text: str) -> str | None:
    """Return what stands in the block of code that a text ends with."""
    if not text.rstrip().endswith("```"):
        return None
    fences = [*FENCE.finditer(text)][-2:]
    return text[fences[0].end() : fences[1].start()].strip() if len(fences) == 2 else None


def drop_fences(text: str) -> str:
    """Return a text without the lines that begin and end a block of code."""
    return FENCE.sub("", text) if "```" in text else text


def _find_tagged(text: str) -> Wrapped | None:
    """Return what stands behind the last opening tag that something follows, up to its closing one or the end."""
    if not ("<" in text or "[" in text or "\\" in text):
        return None
    lowered = text.lower()
    if not (
        ("answer" in lowered and ("answer>" in lowered or "answer]" in lowered or "answer|" in lowered))
        or ("ans>" in lowered or "result>" in lowered or "solution>" in lowered or "solution|" in lowered)
        or ("box|>" in lowered or "{answer}" in lowered)
    ):
        return None  # most texts, and quicker than the expression; in prose the words stand without a bracket
    if len(lowered) != len(text):  # some capitals have longer small forms, which would shift every place
        lowered = text
    for tag in reversed([*TAG.finditer(text)][-MOST_FOUND:]):
        kind = tag.lastgroup
        assert kind is not None
        closing = CLOSINGS[kind].format(tag.group(kind).lower())
        end = lowered.find(closing, tag.end())
        content = text[tag.end() : end if end >= 0 else None].strip()
        if content:
            return Wrapped(content, end + len(closing) if end >= 0 else len(text))
    return None


def _find_in_json(text: str) -> Wrapped | None:
    """Return the value of the last key that names the answer."""
    if not BEHIND_KEY.search(text):
        return None
    for key in reversed([*KEY.finditer(text)][-MOST_FOUND:]):
        value = VALUE.match(text, key.end(), key.end() + LONGEST_VALUE)
        if value:
            kind = value.lastgroup
            assert kind is not None
            content = _read_value(kind, value.group(kind)).strip()
            if content or kind == "null":
                return Wrapped(content, value.end())
    return None


def _read_value(kind: str, written: str) -> str:
    r"""Return a value without its quotes; a backslash that JSON doubles is single, and one that it forbids stays."""
    if kind == "items":
        return ", ".join(item.strip().strip("\"'") for item in written.split(","))
    if kind == "null":
        return ""
    if kind == "word":
        return written.capitalize()
    if "\\" not in written:
        return written
    written = CODED.sub(lambda code: chr(int(code.group(1), 16)), written)
    return re.sub(r"\\(?:n|t)(?![A-Za-z])", " ", re.sub(r"\\([\\\"'/])", r"\1", written))
