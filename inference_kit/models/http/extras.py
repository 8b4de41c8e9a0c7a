"""Extras: what a user adds to every request: fields of its body, and headers.

Why: servers have settings of their own, gateways want headers, and no list of flags can know them all.
Promises: a field that has a flag here is refused by its name; a header's value may name a variable of the environment,
so that no key stands in a file; fields that change the text are part of a model's identity.
"""

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

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
        for name, value in self.read_headers().items():
            if not name.strip() or any(sign in name + value for sign in "\r\n"):
                raise UserError(f"{name!r} is no header", where=named("header"), fix="It looks like 'X-Tenant: mine'.")

    def read_headers(self) -> dict[str, str]:
        """Return the headers with their variables of the environment filled in."""
        return {name: os.path.expandvars(str(value)) for name, value in (self.header or {}).items()}


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
