"""Refusals: what a server says in an answer other than success.

Why: servers put their reasons and their wishes (Retry-After) in different places.
Promises: `message` is one short printable line of the server's own; what is no number of seconds is none.
"""

import json
import re
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from email.utils import parsedate_to_datetime

from inference_kit.errors import EngineError
from inference_kit.models.http.untrusted_json import shorten

RETRIED = frozenset({408, 409, 425, 500, 502, 503, 504, 520, 521, 522, 523, 524, 529})
"""Statuses that may pass."""


class Unreachable(EngineError):
    """No connection to the server could be made."""


class Refused(EngineError):
    """The server refuses this request and would refuse it again; `status` and `message` are its own."""

    def __init__(self, what: str, *, where: str, fix: str, status: int, message: str) -> None:
        super().__init__(what, where=where, fix=fix)
        self.status, self.message = status, message


@dataclass(frozen=True, slots=True)
class Refusal:
    """What the server says: status, message, its code for what is wrong, and how long it wants to be left alone."""

    status: int
    message: str
    code: str
    wait_seconds: float

    def __str__(self) -> str:
        return f"HTTP {self.status}" + (f": {self.message}" if self.message else "")

    @property
    def throttles(self) -> bool:
        """Whether the server has too much to do."""
        return self.status == 429 or (self.status == 503 and self.wait_seconds > 0)


def read_refusal(status: int, headers: Mapping[str, str], content: str, *, hide: Callable[[str], str] = str) -> Refusal:
    """Read what the server says from where servers put it: JSON with `error`, `message` or `detail`, or plain text.

    `hide` takes out of the whole message what must not be shown, before it is shortened.
    """
    code = ""
    try:
        data = json.loads(content)
    except (ValueError, RecursionError):
        data = None
    for name in ("error", "message", "detail"):
        if isinstance(data, dict) and name in data:
            code = str(data.get("code") or code)
            data = data[name]
    text = data if isinstance(data, str) else content
    return Refusal(status, shorten(hide(text)), code, _read_wait_seconds(headers))


def _read_wait_seconds(headers: Mapping[str, str]) -> float:
    """Read how long the server wants to be left alone: seconds, milliseconds or a date; 0 where it does not say."""
    if milliseconds := _read_number(headers.get("retry-after-ms", "")):
        return milliseconds / 1000
    text = headers.get("Retry-After", "")
    if seconds := _read_number(text):
        return seconds
    try:
        return max(0.0, parsedate_to_datetime(text).timestamp() - time.time())
    except (TypeError, ValueError):
        return 0.0


def _read_number(text: str) -> float:
    return float(text) if re.fullmatch(r"\d{1,9}(\.\d{1,9})?", text.strip()) else 0.0
