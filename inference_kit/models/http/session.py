"""HttpSession: questions to one server over one pool of connections; the only place that asks again.

Why: servers throttle, stumble and hang up. A run must neither lose an answer nor hide that one failed, and retries in
two layers multiply.
Promises: nothing is asked earlier than Retry-After allows, nor more often than `max_retries` beyond the first time;
what cannot succeed is asked once; an answer is read up to a size; the key stands in the request's header and nowhere
else.
"""

import asyncio
import json
import os
import random
import re
import threading
import time
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Coroutine, Iterable, Mapping
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass, field
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Annotated, Any, Protocol, TypeVar

from inference_kit.errors import EngineError, UserError
from inference_kit.models.http.fairness import FairQueue
from inference_kit.models.http.rate_limit import RateLimit
from inference_kit.models.http.untrusted_json import Malformed, decoded, short
from inference_kit.registry import flag_of

if TYPE_CHECKING:
    from aiohttp import ClientResponse, ClientSession

Result = TypeVar("Result")
Item = TypeVar("Item")
Read = TypeVar("Read", covariant=True)

MOST_BYTES = 1 << 24
"""What an answer may hold where nothing else is said."""
LONGEST_WAIT_SECONDS = 8.0
CONNECT_SECONDS = 5.0
KEEP_ALIVE_SECONDS = 4.0
"""Shorter than what servers keep an idle connection for (vLLM 5 s), so that few are reused as they are closed."""
PATIENCE_SECONDS = 300.0
"""How long the server may put one request off, in sum."""
TIMEOUT_WEIGHT = 4
"""A request that timed out has cost minutes, so it counts as so many failures."""
SECRET_LENGTH = 8
"""A shorter key, such as 0 or EMPTY, keeps nobody out; hiding it would only spoil messages."""
AGAIN = frozenset({408, 409, 425, 500, 502, 503, 504, 520, 521, 522, 523, 524, 529})


@dataclass(frozen=True, slots=True)
class ServerSettings:
    """How many requests a server gets at once, how long to wait for it, and how often to ask it again.

    Args:
        server_concurrency: Requests under way at once; fewer while the server refuses some.
        request_seconds: How long one request may take.
        max_retries: How often a request that failed is made again.
        retry_seconds: The first wait before that; each further one is twice as long, up to 8 seconds.
    """

    server_concurrency: int = 256
    request_seconds: float = 600.0
    max_retries: Annotated[int, 0] = 10
    retry_seconds: float = 0.25

    def __post_init__(self) -> None:
        for name, good in (
            ("request_seconds", self.request_seconds > 0),
            ("max_retries", self.max_retries >= 0),
            ("retry_seconds", self.retry_seconds >= 0),
        ):
            if not good:
                raise UserError(f"{name} is too small", where=flag_of(name))
        if self.server_concurrency < 1:
            raise UserError(
                f"server_concurrency must be at least 1, got {self.server_concurrency}", where="--server-concurrency"
            )


class _Trouble(Exception):
    """Why a request did not succeed this time."""

    def __init__(self, cause: str, *, weight: int = 1, throttled: bool = False, wait_seconds: float = 0.0) -> None:
        super().__init__(cause)
        self.weight, self.throttled, self.wait_seconds = weight, throttled, wait_seconds


class _Unreachable(_Trouble):
    """There is no connection to the server."""


class Unreachable(EngineError):
    """No connection to the server could be made."""


class Refused(EngineError):
    """The server refuses this request and would refuse it again; `status` and `message` are its own."""

    def __init__(self, what: str, *, where: str, fix: str, status: int, message: str) -> None:
        super().__init__(what, where=where, fix=fix)
        self.status, self.message = status, message


@dataclass(slots=True)
class _Tries:
    """How often one request was made, its failures and how long the server put it off."""

    n: int = 0
    failures: int = 0
    put_off_seconds: float = 0.0
    began: float = field(default_factory=time.monotonic)


@dataclass(slots=True)
class _Open:
    """What belongs to one event loop."""

    loop: asyncio.AbstractEventLoop
    client: "ClientSession"
    rate_limit: RateLimit
    fair_queue: FairQueue


class LineReader(Protocol[Read]):
    """Reads an answer that comes line by line; either method may raise `Malformed`."""

    def read(self, line: str) -> Iterable[Read]:
        """Return what one more line adds, where it adds anything."""

    def end(self) -> Iterable[Read]:
        """Return what is to be said once the last line has come."""


class HttpSession:
    """Asks the server at `base_url`; connections open at the first question."""

    def __init__(
        self,
        base_url: str,
        *,
        key_env: str = "",
        key: str = "",
        server: ServerSettings = ServerSettings(),
        flag: str = "--model-path",
    ) -> None:
        self.base_url, self.key_env, self.flag = base_url, key_env, flag
        self._given_key = key
        self._settings = server
        self._open: _Open | None = None
        self._down = False
        self._random = random.Random()

    async def get(self, path: str, read: Callable[[Any], Result]) -> Result:
        """Fetch `path` and return what `read` makes of its JSON; `read` may raise `Malformed`."""
        return await self._asked("GET", path, None, read, MOST_BYTES)

    async def post(
        self, path: str, body: Mapping[str, Any], read: Callable[[Any], Result], *, most_bytes: int = MOST_BYTES
    ) -> Result:
        """Post `body` and return what `read` makes of the JSON that comes back; `read` may raise `Malformed`.

        Raises:
            Refused: where the server says that the request is wrong.
            EngineError: where it did not succeed in as many tries as are allowed.
            UserError: where every other request would fail as well, such as one with a wrong key.
        """
        return await self._asked("POST", path, json.dumps(body).encode(), read, most_bytes)

    async def lines(
        self,
        path: str,
        body: Mapping[str, Any],
        begin: Callable[[], LineReader[Item]],
        *,
        most_bytes: int = MOST_BYTES,
    ) -> AsyncGenerator[Item, None]:
        """Post `body` and yield what a reader makes of each line as it comes; each try begins a reader.

        Asked again like `post` as long as nothing was yielded, because what was shown stays shown.

        Raises:
            EngineError: also where the answer breaks off.
        """
        data, tries, shown = json.dumps(body).encode(), _Tries(), False
        while True:
            try:
                async with (
                    self._answer("POST", path, data) as response,
                    aclosing(_read_lines(response, begin(), most_bytes)) as items,
                ):
                    async for item in items:
                        shown = True
                        yield item
            except Malformed as error:
                trouble = self._malformed(error)
            except _Trouble as error:
                trouble = error
            else:
                self._down = False
                return
            if shown:
                raise self._given_up(trouble, _Tries(1)) from trouble
            await self._wait(trouble, tries)

    async def close(self) -> None:
        """Close all connections."""
        if self._open is not None and self._open.loop is asyncio.get_running_loop():
            await self._open.client.close()
        self._open = None

    async def _asked(
        self, method: str, path: str, data: bytes | None, read: Callable[[Any], Result], most_bytes: int
    ) -> Result:
        tries = _Tries()
        while True:
            try:
                async with self._answer(method, path, data) as response:
                    content = await _content(response, most_bytes)
                await self._opened().fair_queue.wait_turn()
                found = read(decoded(content))
            except Malformed as error:
                trouble = self._malformed(error)
            except _Trouble as error:
                trouble = error
            else:
                self._down = False
                return found
            await self._wait(trouble, tries)

    async def _wait(self, trouble: _Trouble, tries: "_Tries") -> None:
        """Wait until a request may be made again.

        Raises:
            EngineError: where it was made often enough.
        """
        tries.n += 1
        wait = self._wait_seconds(trouble, tries.n)
        tries.failures += 0 if trouble.throttled else trouble.weight
        tries.put_off_seconds += wait if trouble.throttled else 0.0
        alone = isinstance(trouble, _Unreachable)
        given_up = tries.failures > self._settings.max_retries or tries.put_off_seconds > PATIENCE_SECONDS
        if given_up or (alone and self._down):
            self._down = alone
            raise self._given_up(trouble, tries) from trouble
        await asyncio.sleep(wait)

    def _wait_seconds(self, trouble: _Trouble, tries: int) -> float:
        """Exponential back-off with jitter; never less than the server asked for."""
        wait = min(LONGEST_WAIT_SECONDS, self._settings.retry_seconds * 2.0 ** min(tries - 1, 16))
        jitter = self._random.uniform(0.5, 1.0)
        if trouble.wait_seconds:
            return trouble.wait_seconds + min(wait, trouble.wait_seconds / 4) * jitter
        return wait * jitter

    @asynccontextmanager
    async def _answer(self, method: str, path: str, data: bytes | None) -> AsyncIterator["ClientResponse"]:
        """One request, once: its answer if it is a good one, else `_Trouble` or a final error."""
        import aiohttp

        opened = self._opened()
        ticket = await opened.rate_limit.acquire()
        try:
            async with opened.client.request(
                method, self.base_url + path, data=data, allow_redirects=False
            ) as response:
                if response.status // 100 != 2:
                    await self._refuse(response, opened.rate_limit, ticket)
                yield response
                opened.rate_limit.increase()
        except aiohttp.ClientSSLError as error:
            raise UserError(
                f"no secure connection: {error}", where=self.base_url, fix="Mend the certificate."
            ) from error
        except (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError) as error:
            raise _Unreachable(f"the server cannot be reached ({_reason(error)})") from error
        except TimeoutError as error:
            seconds = f"{self._settings.request_seconds:g}"
            raise _Trouble(f"no answer within {seconds} seconds", weight=TIMEOUT_WEIGHT) from error
        except aiohttp.ClientPayloadError as error:
            raise _Trouble("its answer was cut off") from error
        except (aiohttp.ClientError, ConnectionError, ValueError) as error:
            raise _Trouble(f"the connection broke ({_reason(error)})") from error
        finally:
            opened.rate_limit.release()

    async def _refuse(self, response: "ClientResponse", rate_limit: RateLimit, ticket: int) -> None:
        """Raise what an answer other than 200 means."""
        content = await _content(response, MOST_BYTES, cut=True)
        said, code = self._said(content)
        status = response.status
        shown = f"HTTP {status}" + (f": {said}" if said else "")
        wait = _retry_after(response.headers)
        if status in (429, 503):
            rate_limit.decrease(ticket)
        if status == 429 and code == "insufficient_quota":
            raise UserError(shown, where=self.base_url, fix="Top the account up; what is finished is kept.")
        if status == 429 or (status == 503 and wait):
            if wait > PATIENCE_SECONDS:
                raise EngineError(f"{shown}; it asks to wait {wait:.0f} seconds", where=self.base_url)
            raise _Trouble(shown, throttled=True, wait_seconds=wait)
        if status in AGAIN:
            raise _Trouble(shown)
        if status == 401:
            if self._given_key:
                raise UserError(f"{shown} (the key given)", where=self.base_url, fix="Give the right key.")
            key = f"the key in ${self.key_env}" if self._key() else f"no key: ${self.key_env} is empty"
            raise UserError(f"{shown} ({key})", where=self.base_url, fix=f"Put the right key into ${self.key_env}.")
        raise Refused(shown, where=self.base_url, fix="", status=status, message=said)

    def _said(self, content: bytes) -> tuple[str, str]:
        """The server's own words on what is wrong, printable and without the key, and its code for it."""
        text, code = content.decode("utf-8", "replace"), ""
        try:
            data = json.loads(text)
        except (ValueError, RecursionError):
            data = None
        for name in ("error", "message", "detail"):
            if isinstance(data, dict) and name in data:
                code = str(data.get("code") or code)
                data = data[name]
        text = data if isinstance(data, str) else text
        return short(self._without_key(text)), code

    def _without_key(self, text: str) -> str:
        """`text` without the key, of which a cut may have left only the beginning."""
        key = self._key()
        for length in range(len(key), SECRET_LENGTH - 1, -1):
            text = text.replace(key[:length], "***")
        return text

    def _malformed(self, error: Malformed) -> _Trouble:
        return _Trouble(f"its answer is malformed: {self._without_key(str(error))}")

    def _given_up(self, trouble: _Trouble, tries: "_Tries") -> EngineError:
        seconds = time.monotonic() - tries.began
        often = f"tried {tries.n} times in {seconds:.1f} s" if tries.n > 1 else "tried once"
        if isinstance(trouble, _Unreachable):
            return Unreachable(f"{trouble}; {often}", where=self.base_url, fix=f"Start it, or change {self.flag}.")
        return EngineError(f"{trouble}; {often}", where=self.base_url)

    def _headers(self) -> dict[str, str]:
        headers = {"Content-Type": "application/json"}
        key = self._key()
        return headers | {"Authorization": f"Bearer {key}"} if key else headers

    def _key(self) -> str:
        return self._given_key or (os.environ.get(self.key_env, "").strip() if self.key_env else "")

    def _opened(self) -> _Open:
        import aiohttp

        loop = asyncio.get_running_loop()
        if self._open is None or self._open.loop is not loop:
            client = aiohttp.ClientSession(
                headers=self._headers(),
                connector=aiohttp.TCPConnector(limit=0, keepalive_timeout=KEEP_ALIVE_SECONDS),
                timeout=aiohttp.ClientTimeout(
                    total=self._settings.request_seconds,
                    sock_connect=min(CONNECT_SECONDS, self._settings.request_seconds),
                ),
                cookie_jar=aiohttp.DummyCookieJar(),
            )
            self._open = _Open(loop, client, RateLimit(self._settings.server_concurrency), FairQueue())
        return self._open


def run_apart(coroutine: Coroutine[Any, Any, Result]) -> Result:
    """Run a coroutine to its end on a thread and loop of its own, for callers that cannot await."""
    outcome: list[Result | BaseException] = []

    def run() -> None:
        try:
            outcome.append(asyncio.run(coroutine))
        except BaseException as error:  # noqa: BLE001 - raised below, on the caller's thread
            outcome.append(error)

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    thread.join()
    if isinstance(outcome[0], BaseException):
        raise outcome[0]
    return outcome[0]


async def _content(response: "ClientResponse", most_bytes: int, *, cut: bool = False) -> bytes:
    """The body of an answer; a longer one is cut, or taken for malformed."""
    pieces: list[bytes] = []
    size = 0
    async for piece in response.content.iter_any():
        pieces.append(piece)
        size += len(piece)
        if size > most_bytes:
            response.close()
            if cut:
                break
            raise Malformed(f"it is longer than {most_bytes} bytes")
    return b"".join(pieces)


async def _read_lines(
    response: "ClientResponse", reader: LineReader[Item], most_bytes: int
) -> AsyncGenerator[Item, None]:
    """Read the body of an answer line by line; a longer one is taken for malformed."""
    size = 0
    async for line in response.content:
        size += len(line)
        if size > most_bytes:
            response.close()
            raise Malformed(f"it is longer than {most_bytes} bytes")
        for item in reader.read(line.decode("utf-8", "replace").strip()):
            yield item
    for item in reader.end():
        yield item


def _retry_after(headers: Mapping[str, str]) -> float:
    """Seconds that the server wants to be left alone; 0 where it does not say."""
    if milliseconds := _number(headers.get("retry-after-ms", "")):
        return milliseconds / 1000
    text = headers.get("Retry-After", "")
    if seconds := _number(text):
        return seconds
    try:
        return max(0.0, parsedate_to_datetime(text).timestamp() - time.time())
    except (TypeError, ValueError):
        return 0.0


def _number(text: str) -> float:
    return float(text) if re.fullmatch(r"\d{1,9}(\.\d{1,9})?", text.strip()) else 0.0


def _reason(error: Exception) -> str:
    """The operating system's own words where there are any: `Connection refused`."""
    number = getattr(error, "errno", None)
    return os.strerror(number) if number and number > 0 else short(str(error) or type(error).__name__, 120)
