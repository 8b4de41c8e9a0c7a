"""Credentials: the key that a server is sent, in which header, and how it is kept out of every text.

Why: a server may repeat the key in its answer, and messages are stored and shown around.
Promises: a key is read when it is sent; `hide` takes every key out of a text, one that was cut as well.
"""

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from inference_kit.errors import named

SECRET_LENGTH = 8
"""A shorter key, such as 0 or EMPTY, keeps nobody out; hiding it would only spoil messages."""
HEADER_OF_A_KEY = re.compile("auth|key|token|secret", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Credentials:
    """The key that is `given`, or else that in the variable `env`, and further headers, which may hold one."""

    env: str = ""
    given: str = field(default="", repr=False)
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)

    def build_headers(self, base_url: str) -> dict[str, str]:
        """Build the headers of every request; Azure takes a key in one of its own."""
        key, host = self._read_key(), urlsplit(base_url).hostname or ""
        keys = {"Authorization": f"Bearer {key}"} if key else {}
        if key and host.endswith(".azure.com"):
            keys["api-key"] = key
        names = {name.lower() for name in self.headers}
        own = {"Content-Type": "application/json", **keys}
        return {name: value for name, value in own.items() if name.lower() not in names} | dict(self.headers)

    def hide(self, text: str) -> str:
        """Replace keys in a text, of which a cut may have left only the beginning: those of headers as well."""
        for key in (self._read_key(), *(word for value in self.headers.values() for word in value.split())):
            for length in range(len(key), SECRET_LENGTH - 1, -1):
                text = text.replace(key[:length], "***")
        return text

    def explain(self) -> tuple[str, str]:
        """Say which key a server was sent, and where another is to be put."""
        if header := next((name for name in self.headers if HEADER_OF_A_KEY.search(name)), ""):
            return f"the key in the header {header}", f"Give {named('header')} the right one."
        if self.given:
            return "the key given", "Give the right key."
        key = f"the key in ${self.env}" if self._read_key() else f"no key: ${self.env} is empty"
        return key, f"Put the right key into ${self.env}."

    def _read_key(self) -> str:
        return self.given or (os.environ.get(self.env, "").strip() if self.env else "")
