"""Extras: what a user adds to every request: fields of its body, and headers.

Why: servers have settings of their own, gateways want headers, and no list of flags can know them all.
Promises: a field that has a flag here is refused by its name; a header's value may name a variable of the environment,
and a key that stands in one all the same is masked wherever it is shown or stored; fields that change the text are part
of a model's identity.
"""

import json
import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from inference_kit.config import Resolved
from inference_kit.errors import UserError, named

OWN_FLAGS = {
    **{name: named(name) for name in ("temperature", "top_p", "top_k", "min_p", "stop", "seed")},
    **{name: named(name) for name in ("repetition_penalty", "frequency_penalty", "presence_penalty", "n")},
    **dict.fromkeys(("max_tokens", "max_completion_tokens"), named("max_new_tokens")),
    "random_seed": named("seed"),
    "model": named("api_model"),
    **dict.fromkeys(("messages", "prompt"), "the data set"),
    **dict.fromkeys(("stream", "stream_options", "logprobs", "top_logprobs"), "the method"),
    **dict.fromkeys(("options", "keep_alive", "truncate", "shift"), "flags of their own"),
}
"""What sets the fields that are no extras."""
MASK = "***"
_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_UNSET = re.compile(r"\$(?:[A-Za-z_]\w*|\{[^}]*\})")
"""What is left of a variable that the environment does not have."""
_SECRET_NAME = re.compile(r"auth|key|token|secret|cookie|pass|cred|sig", re.IGNORECASE)
_SECRET_VALUE = re.compile(r"(?:bearer|basic|token) |sk-", re.IGNORECASE)
_FLAG = re.compile(r"(--(?:[\w.-]+[._-])?header)(?:=(.*))?", re.DOTALL)


@dataclass(frozen=True, slots=True)
class RequestSettings:
    """What is added to every request.

    Args:
        extra_body: Further fields of each request, as a JSON object; part of the model's identity.
        header: A further header of each request, NAME: VALUE, or a JSON object of several; $NAME in it is a variable.
    """

    extra_body: dict[str, Any] | None = None
    header: dict[str, str] | None = None

    def __post_init__(self) -> None:
        for name in self.extra_body or ():
            if name in OWN_FLAGS:
                raise UserError(f"{name} is set by {OWN_FLAGS[name]}", where=named("extra_body"))
        try:
            json.dumps(self.extra_body, allow_nan=False)
        except ValueError as error:
            raise UserError("NaN and infinities are no JSON", where=named("extra_body")) from error
        for name, value in self.read_headers().items():
            if not _NAME.fullmatch(name) or any(sign in value for sign in "\r\n\0"):
                raise UserError(f"{name!r} is no header", where=named("header"), fix="It looks like 'X-Tenant: mine'.")
            if found := _UNSET.search(value):
                raise UserError(f"the variable {found[0]} is not set", where=named("header"), fix="Set and export it.")

    def read_headers(self) -> dict[str, str]:
        """Return the headers with their variables of the environment filled in."""
        return {name: os.path.expandvars(str(value)) for name, value in (self.header or {}).items()}


def mask_setting(name: str, setting: Resolved) -> Resolved:
    """Mask the keys in the headers of a setting; another one stays as it is."""
    return setting.map(_mask_headers) if name.endswith("header") else setting


def mask_words(words: Sequence[str]) -> list[str]:
    """Mask the keys in the headers of a command line."""
    masked: list[str] = []
    for word in words:
        flag = _FLAG.fullmatch(masked[-1]) if masked else None
        if flag and flag[2] is None:
            masked.append(_mask_word(word))
        elif (flag := _FLAG.fullmatch(word)) and flag[2] is not None:
            masked.append(f"{flag[1]}={_mask_word(flag[2])}")
        else:
            masked.append(word)
    return masked


def _mask_headers(headers: Any) -> Any:
    """Mask the values of headers that hold a key; the name of a variable is none."""
    if not isinstance(headers, Mapping):
        return headers
    return {name: _mask(str(name), str(value)) for name, value in headers.items()}


def _mask_word(word: str) -> str:
    """Mask what a flag for headers is given: NAME: VALUE, or a JSON object."""
    if word.lstrip().startswith("{"):
        try:
            return json.dumps(_mask_headers(json.loads(word)), ensure_ascii=False)
        except ValueError:
            return MASK
    name, colon, value = word.partition(":")
    return f"{name}{colon} {_mask(name, value.strip())}" if colon else word


def _mask(name: str, value: str) -> str:
    secret = "$" not in value and (_SECRET_NAME.search(name) or _SECRET_VALUE.match(value))
    return MASK if secret else value


def merge_fields(*fields: Mapping[str, Any] | None) -> dict[str, Any]:
    """Merge fields of requests, later ones over earlier; objects are merged field by field."""
    merged: dict[str, Any] = {}
    for each in fields:
        for name, value in (each or {}).items():
            both = isinstance(value, Mapping) and isinstance(merged.get(name), Mapping)
            merged[name] = {**merged[name], **value} if both else value
    return merged


def identify(fields: Mapping[str, Any]) -> str:
    """Return what an identity says of fields, empty where there are none."""
    return f":{json.dumps(fields, sort_keys=True, ensure_ascii=False)}" if fields else ""
