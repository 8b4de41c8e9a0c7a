"""Refusals: what a server says in an answer other than success.

Why: servers put their reasons and their wishes (Retry-After) in different places.
Promises: `message` is one short printable line of the server's own; what is no number of seconds is none.
"""

import contextlib
import json
import re
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from email.utils import parsedate_to_datetime
from typing import Any

from inference_kit.errors import EngineError, PromptRefused, UserError, named
from inference_kit.models.http.retries import LONGEST_THROTTLE_SECONDS
from inference_kit.models.http.untrusted_json import shorten

RETRIED = frozenset({408, 409, 425, 500, 502, 503, 504, 520, 521, 522, 523, 524, 529})
"""Statuses that may pass."""
MOST_QUOTES = 4
"""How deep one refusal may quote another."""

_SPENT_CODES = ("insufficient_quota", "insufficient_balance", "insufficient_credits", "billing_hard_limit_reached")
_SPENT = re.compile(
    r"per.?day|daily|tomorrow|per.?month|monthly|this (?:month|week)|per.?week|weekly"
    r"|insufficient.{1,3}(?:quota|balance|credit|fund)|(?:out of|no) credit|credits? (?:are|have|left|exhaust)",
    re.IGNORECASE,
)
_UNPAID = re.compile(
    r"credit balance|account balance|balance is|balance too|arrear|overdue|good standing|unpaid|past invoice"
    r"|余额|欠费|充值"
    r"|usage limits?\b|spending limit|hard limit|budget.{0,20}exceed|exceed.{0,20}budget|over (?:the )?budget"
    r"|(?:account|organi[sz]ation|team|consumer|subscription|project)\b.{0,40}?\b"
    r"(?:suspended|restricted|disabled|deactivated|blocked|not active|inactive)",
    re.IGNORECASE,
)
"""Said of an account, with whatever status."""
_QUOTA = re.compile(r"quota|billing|top up|recharge", re.IGNORECASE)
_SOON = re.compile(r"per.?(?:minute|second)|\b[RT]PM\b|e\.g\. check quota", re.IGNORECASE)
_BAD_KEY = re.compile(
    r"(?:incorrect|invalid|expired|missing|no|wrong) (?:[\w-]+ ){0,2}(?:api|access|auth\w*)[ _-]?(?:key|token)"
    r"|(?:api|access)[ _-]?(?:key|token)(?: \S+){0,3} "
    r"(?:not valid|invalid|expired|not found|missing|required|revoked|disabled)",
    re.IGNORECASE,
)
_NO_MODEL = re.compile(
    r"\bmodel\b(?:(?!param|argument|\bfield|tokens|requires).){0,80}?"
    r"(?:does not exist|not exist|not found|decommissioned|no longer|removed|retired|deprecated)"
    r"|(?:invalid|unknown|no such|not a valid) model\b|\bno models? (?:is |are )?loaded",
    re.IGNORECASE | re.DOTALL,
)
_NO_MODEL_CODES = re.compile(
    r"(?:model|deployment)[ _]?(?:not[ _]?(?:found|available|supported)|decommissioned|deprecated|unavailable|retired)",
    re.IGNORECASE,
)
_MEANINGS = {
    401: re.compile(r"api.?key|authenticat|unauthori[sz]ed", re.IGNORECASE),
    402: re.compile("|".join(_SPENT_CODES)),
    403: re.compile(r"permission|forbidden", re.IGNORECASE),
    404: re.compile(r"not.?found", re.IGNORECASE),
    429: re.compile(r"rate.?limit|resource.?exhausted|too.?many", re.IGNORECASE),
    400: re.compile(
        r"invalid.?(?:request|argument|parameter|prompt)|bad.?request|context.?length|content.?filter|data.?inspection",
        re.IGNORECASE,
    ),
}
"""What a code in words means as a status; the first that fits."""
_PARTS_OF_AN_ERROR = frozenset({"code", "data", "detail", "msg", "request_id", "status", "success", "type"})
"""All that an answer holds which is an error though it does not call itself one."""
_FILTERED = re.compile(
    r"moderat|(?<!account )(?<!account has been )(?<!account was )flagged|content.?(?:management.?)?(?:polic|filter)"
    r"|content exists risk|responsible.?ai|(?:usage|safety) polic|safety (?:system|filter|check|reason|guideline)"
    r"|unsafe|inappropriate|harmful|high risk|prohibited.content|guardrail|data.?inspection|敏感|不安全|违规",
    re.IGNORECASE,
)
_OF_A_FIELD = re.compile(
    r"(?:unknown|unrecogni[sz]ed|unexpected|unsupported|invalid) (?:\w+ )?(?:param|field|argument|key|value)"
    r"|not (?:permitted|supported)",
    re.IGNORECASE,
)
_LOGIN = re.compile(r"/(?:log|sign)[-_]?in\b|/(?:oauth2?|sso|saml|auth)\b", re.IGNORECASE)
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


class Filtered(Refused, PromptRefused):
    """The server's content filter refuses the prompt."""


class Denied(UserError):
    """The server forbids what it is asked, and would forbid every other request (403)."""


@dataclass(frozen=True, slots=True)
class Refusal:
    """What the server says: status, message, its code for what is wrong, and how long it wants to be left alone.

    `fields` are those of the request that it points at, `location` is where it sends the client, and `kind` the type
    of the error in its words.
    """

    status: int
    message: str
    code: str
    wait_seconds: float
    fields: tuple[str, ...] = ()
    location: str = ""
    kind: str = ""

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
        if 400 <= self.status < 500 and _UNPAID.search(self.message):
            return not _SOON.search(self.message)
        if self.status != 429:
            return False
        if _SPENT.search(self.message) or self.wait_seconds > LONGEST_THROTTLE_SECONDS:
            return True
        return bool(_QUOTA.search(self.message)) and not self.wait_seconds and not _SOON.search(self.message)

    @property
    def is_of_key(self) -> bool:
        """Whether the server takes no request with this key."""
        if self.status == 403:
            return not self.is_of_prompt and not self.is_of_model
        return self.status == 401 or (self.status in (400, 422) and bool(_BAD_KEY.search(self.message)))

    @property
    def meant_status(self) -> int:
        """The status that an error means which came without one; 0 where it does not say."""
        if self.code.isdigit():
            return int(self.code)
        said = f"{self.code} {self.kind}"
        return next((status for status, words in _MEANINGS.items() if words.search(said)), 0)

    @property
    def is_of_prompt(self) -> bool:
        """Whether it is the prompt that a content filter refuses, and not the key or a field of the request."""
        if self.status not in (400, 403, 422, 451):
            return False
        said = f"{self.code} {self.kind} {self.message}"
        return bool(_FILTERED.search(said)) and not _OF_A_FIELD.search(self.message)

    @property
    def is_of_model(self) -> bool:
        """Whether the server has no such model, or no more."""
        if self.status not in (400, 403, 404, 422):
            return self.status == 410
        return bool(_NO_MODEL.search(self.message) or _NO_MODEL_CODES.search(self.code))


def read_refusal(status: int, headers: Mapping[str, str], content: str, *, hide: Callable[[str], str] = str) -> Refusal:
    """Read what the server says from where servers put it: JSON with `error`, `message` or `detail`, or plain text.

    `hide` takes out of the whole message what must not be shown, before it is shortened.
    """
    found = _Found(content)
    found.read(content)
    message = shorten(hide(found.text))
    wait = _read_wait_seconds(headers) or (_read_wait_in_words(message) if status in (429, 503) else 0.0)
    fields = tuple(dict.fromkeys(found.fields))
    location = shorten(hide(headers.get("Location", "")))
    return Refusal(status, message, found.code, wait, fields, location, found.kind)


def speaks_of_model(message: str) -> bool:
    """Tell whether a refusal is about a model, and not about the place that was asked."""
    return bool(re.search(r"model|deployment|endpoints found", message, re.IGNORECASE))


def is_error(answer: Any) -> bool:
    """Tell whether an answer of success is an error in its place, in one of the forms that servers give it."""
    if isinstance(answer, list):
        return bool(answer) and all(isinstance(each, dict) and each.get("error") for each in answer)
    if not isinstance(answer, dict) or answer.get("choices"):
        return False
    if answer.get("error") or answer.get("object") == "error" or answer.get("success") is False:
        return True
    return answer.keys() <= _PARTS_OF_AN_ERROR and any(isinstance(answer.get(name), str) for name in ("detail", "msg"))


def explain_spent(refusal: Refusal, where: str) -> UserError:
    """Build the error for an account that has nothing left."""
    if refusal.wait_seconds > LONGEST_THROTTLE_SECONDS:
        what = f"{refusal}; it asks to wait {refusal.wait_seconds:.0f} seconds"
        return UserError(what, where=where, fix="Run the same command then; what is finished is kept.")
    fix = "Top the account up, or run the same command later; what is finished is kept."
    return UserError(str(refusal), where=where, fix=fix)


def explain_wrong_address(refusal: Refusal, base_url: str, setting: str) -> UserError | None:
    """Build the error for an address that is another one's, such as a redirect; None where it is right."""
    if refusal.status // 100 == 3:
        what = f"HTTP {refusal.status}: the server sends elsewhere, and a key is sent nowhere but where it is given"
        there = refusal.location or "the address that it sends to"
        fix = f"Give {named(setting)} {there}."
        if _LOGIN.search(there):
            fix = f"Somebody on the way wants a login first: {there}."
        if there.rstrip("/") == base_url.rstrip("/"):
            what = f"HTTP {refusal.status}: the server redirects a request to where it came from"
            fix = "Look at the redirects of the server, or of the proxy before it."
        return UserError(what, where=base_url, fix=fix)
    if refusal.status == 405:
        return UserError(str(refusal), where=base_url, fix=f"The address of {named(setting)} usually ends in /v1.")
    if base_url.startswith("http://") and "HTTPS port" in refusal.message:
        fix = f"Its address is {base_url.replace('http://', 'https://', 1)}."
        return UserError(str(refusal), where=base_url, fix=fix)
    return None


def explain_web_page(base_url: str, setting: str) -> UserError:
    """Build the error for an address whose answers are pages for people, such as that of a login."""
    fix = f"The address of {named(setting)} usually ends in /v1; or somebody on the way wants a login first."
    return UserError("a web page came in the place of an answer", where=base_url, fix=fix)


@dataclass(slots=True)
class _Found:
    """What was found in a refusal: its text, its code, and the fields that it points at."""

    text: str
    code: str = ""
    kind: str = ""
    fields: list[str] = field(default_factory=list)

    def read(self, data: Any, depth: int = 0) -> None:
        """Read a refusal from the outside in; a gateway quotes another server's as a text within its own."""
        if isinstance(data, str):
            self._read_text(data, depth)
        elif isinstance(data, list):
            self._read_list(data, depth)
        elif isinstance(data, dict):
            self._read_object(data, depth)

    def _read_text(self, data: str, depth: int) -> None:
        """Read a text, which may be JSON again."""
        self.text = data
        if depth < MOST_QUOTES and data.lstrip().startswith(("{", "[")):
            with contextlib.suppress(ValueError, RecursionError):
                self.read(json.loads(data), depth + 1)

    def _read_list(self, data: list[Any], depth: int) -> None:
        """Read a list: pydantic's of what is wrong where, or one of refusals."""
        complaints = [each for each in data if isinstance(each, dict) and isinstance(each.get("msg"), str)]
        if not complaints:
            self.read(data[0] if data else None, depth)
            return
        self.fields += [name for each in complaints for name in _read_fields(each)]
        self.text = "; ".join(f"{'.'.join(_read_fields(each))}: {each['msg']}" for each in complaints)

    def _read_object(self, data: Mapping[str, Any], depth: int) -> None:
        """Read an object, and what lies within it."""
        self.code = str(data.get("code") or self.code)
        self.kind = str(data.get("type") or data.get("status") or self.kind)
        self.fields += _read_fields(data)
        if isinstance(data.get("details"), list):
            self.fields += [name for each in data["details"] if isinstance(each, dict) for name in _read_fields(each)]
        inner = [data[name] for name in ("error", "errors", "message", "msg", "detail") if data.get(name)]
        texts = dict.fromkeys(self._read_part(each, depth) for each in inner)
        self.text = ": ".join(texts) or self.text
        quoted = data.get("metadata")
        if isinstance(quoted, dict) and isinstance(quoted.get("raw"), str):
            self.text = f"{self.text}: {self._read_part(quoted['raw'], depth)}"

    def _read_part(self, data: Any, depth: int) -> str:
        """Read a part of an object, and return its text."""
        self.text = str(data)
        self.read(data, depth)
        return self.text


def _read_fields(data: Mapping[str, Any]) -> list[str]:
    """Read which fields of the request are pointed at: `seed`, `body.seed`, `/seed`, `["body", "seed"]`."""
    places = [data.get(name) for name in ("param", "parameter", "field", "path", "loc")]
    parts = [part for each in places for part in (each if isinstance(each, list) else [each]) if isinstance(part, str)]
    return [name for part in parts for name in re.findall(r"\w+", part)]


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
