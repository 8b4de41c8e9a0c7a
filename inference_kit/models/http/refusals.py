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
from typing import Any

from inference_kit.errors import EngineError, UserError
from inference_kit.models.http.retries import LONGEST_THROTTLE_SECONDS
from inference_kit.models.http.untrusted_json import shorten

RETRIED = frozenset({408, 409, 425, 500, 502, 503, 504, 520, 521, 522, 523, 524, 529})
"""Statuses that may pass."""


_SPENT_CODES = ("insufficient_quota", "insufficient_balance", "insufficient_credits", "billing_hard_limit_reached")
_SPENT = re.compile(
    r"per.?day|daily|tomorrow|per.?month|monthly|this (?:month|week)|per.?week|weekly"
    r"|insufficient.{1,3}(?:quota|balance|credit|fund)|(?:out of|no) credit|credits? (?:are|have|left|exhaust)",
    re.IGNORECASE,
)
_QUOTA = re.compile(r"quota|billing|top up|recharge", re.IGNORECASE)
_SOON = re.compile(r"per.?(?:minute|second)|\b[RT]PM\b", re.IGNORECASE)
_NO_MODEL = re.compile(
    r"\bmodel\b.{0,80}?(?:does not exist|not exist|not found|decommissioned|no longer|removed|retired|deprecated)"
    r"|(?:invalid|unknown|no such|not a valid) model\b",
    re.IGNORECASE | re.DOTALL,
)
_WAIT = re.compile(
    r"(?:again|retry|wait)\D{0,12}(?:(\d{1,4}) ?m(?:in\w*)?(?![a-z]) ?)?(?:(\d{1,9}(?:\.\d{1,9})?) ?(ms|s))?",
    re.IGNORECASE,
)


class Unreachable(EngineError):
    """No connection to the server could be made."""


class Refused(EngineError):
    """The server refuses this request and would refuse it again; `status`, `message` and `fields` are its own."""

    def __init__(
        self, what: str, *, where: str, fix: str, status: int, message: str, fields: tuple[str, ...] = ()
    ) -> None:
        super().__init__(what, where=where, fix=fix)
        self.status, self.message, self.fields = status, message, fields


class Denied(UserError):
    """The server forbids what it is asked, and would forbid every other request (403)."""


@dataclass(frozen=True, slots=True)
class Refusal:
    """What the server says: status, message, its code for what is wrong, and how long it wants to be left alone.

    `fields` are those of the request that it points at, and `location` is where it sends the client.
    """

    status: int
    message: str
    code: str
    wait_seconds: float
    fields: tuple[str, ...] = ()
    location: str = ""

    def __str__(self) -> str:
        return f"HTTP {self.status}" + (f": {self.message}" if self.message else "")

    @property
    def throttles(self) -> bool:
        """Whether the server has too much to do."""
        return self.status == 429 or (self.status == 503 and self.wait_seconds > 0)

    @property
    def is_spent(self) -> bool:
        """Whether an account has no money or no requests left, so that nothing passes within a run's time."""
        if self.status == 402 or self.code in _SPENT_CODES:
            return True
        if self.status != 429:
            return False
        if _SPENT.search(self.message) or self.wait_seconds > LONGEST_THROTTLE_SECONDS:
            return True
        return bool(_QUOTA.search(self.message)) and not self.wait_seconds and not _SOON.search(self.message)

    @property
    def is_of_prompt(self) -> bool:
        """Whether a ban is one of the prompt by moderation, and not of the key."""
        return bool(re.search(r"moderat|flagged|content.?(?:policy|filter)|unsafe|safety", self.message, re.IGNORECASE))

    @property
    def is_of_model(self) -> bool:
        """Whether the server has no such model, or no more."""
        return self.status == 410 or bool(self.status in (400, 403, 404, 422) and _NO_MODEL.search(self.message))


def read_refusal(status: int, headers: Mapping[str, str], content: str, *, hide: Callable[[str], str] = str) -> Refusal:
    """Read what the server says from where servers put it: JSON with `error`, `message` or `detail`, or plain text.

    `hide` takes out of the whole message what must not be shown, before it is shortened.
    """
    code = ""
    fields: tuple[str, ...] = ()
    try:
        data = json.loads(content)
    except (ValueError, RecursionError):
        data = None
    for name in ("error", "message", "detail"):
        if isinstance(data, dict) and name in data:
            code = str(data.get("code") or code)
            data = data[name]
            fields = fields or _read_fields(data)
    text = data if isinstance(data, str) else content
    message = shorten(hide(text))
    wait = _read_wait_seconds(headers) or (_read_wait_in_words(message) if status in (429, 503) else 0.0)
    return Refusal(status, message, code, wait, fields, shorten(hide(headers.get("Location", ""))))


def _read_fields(data: Any) -> tuple[str, ...]:
    """Read which fields of the request are pointed at: OpenAI's `param`, or the `loc` of pydantic."""
    if isinstance(data, dict) and isinstance(data.get("param"), str):
        return (data["param"],)
    if not isinstance(data, list):
        return ()
    places = [each["loc"] for each in data if isinstance(each, dict) and isinstance(each.get("loc"), list)]
    return tuple(str(part) for place in places for part in place)


def _read_wait_in_words(message: str) -> float:
    """Read how long the server wants to be left alone from its words: `try again in 1.5s`; 0 where it does not say."""
    for found in _WAIT.finditer(message):
        if found[1] or found[2]:
            seconds = float(found[2] or 0) * (0.001 if found[3] and found[3].lower() == "ms" else 1.0)
            return 60.0 * int(found[1] or 0) + seconds
    return 0.0


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
