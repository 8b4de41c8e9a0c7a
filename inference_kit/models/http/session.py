"""HttpSession: questions to one server over one pool of connections; the only place that asks again.

Why: an engine, or a reward model, says what it asks and how it reads the answer; what goes wrong on the way is the same
for all of them.
Promises: a request is made again where that can help, as `Retries` says, and once where it cannot; a server that is
busy is asked for less at once; nothing is sent once the run's budget is spent; an answer is read up to a size; the key
stands in the request's header and nowhere else.
"""

import asyncio
import json
import random
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Mapping
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import TYPE_CHECKING, Annotated, Any, NoReturn, TypeVar
from urllib.parse import urljoin

from inference_kit.budget import applied_budget
from inference_kit.errors import EngineError, UserError, named
from inference_kit.models.http.pacing.fairness import FairQueue
from inference_kit.models.http.pacing.open_files import limit_connections
from inference_kit.models.http.pacing.rate_limit import RateLimit
from inference_kit.models.http.refusals import (
    RETRIED,
    Denied,
    Filtered,
    Refusal,
    Refused,
    Unreachable,
    explain_spent,
    explain_web_page,
    explain_wrong_address,
    is_error,
    read_refusal,
)
from inference_kit.models.http.retries import LONGEST_THROTTLE_SECONDS, TIMEOUT_WEIGHT, Failure, NoConnection, Retries
from inference_kit.models.http.transport.bodies import LineReader, read_body, read_lines
from inference_kit.models.http.transport.connection import (
    explain_proxy,
    explain_tls,
    find_moved_path,
    find_proxy,
    read_reason,
)
from inference_kit.models.http.transport.credentials import Credentials
from inference_kit.models.http.untrusted_json import ErrorAnswer, Malformed, WebPage, parse_json
from inference_kit.registry import Above

if TYPE_CHECKING:
    from aiohttp import ClientResponse, ClientSession

Result = TypeVar("Result")
Item = TypeVar("Item")

MOST_BYTES = 1 << 24
"""What an answer may hold where nothing else is said."""
CONNECT_SECONDS = 5.0
ROUNDS_TO_COUNT = 3
"""Rounds of the event loop in which an answer that was read is counted."""
KEEP_ALIVE_SECONDS = 4.0
"""Shorter than what servers keep an idle connection for (vLLM 5 s), so that few are reused as they are closed."""


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
    request_seconds: Annotated[float, Above(0)] = 600.0
    max_retries: Annotated[int, 0] = 10
    retry_seconds: Annotated[float, 0] = 0.25

    def __post_init__(self) -> None:
        for name, good, bound in (
            ("server_concurrency", self.server_concurrency >= 1, "at least 1"),
            ("request_seconds", self.request_seconds > 0, "above 0"),
            ("max_retries", self.max_retries >= 0, "at least 0"),
            ("retry_seconds", self.retry_seconds >= 0, "at least 0"),
        ):
            if not good:
                raise UserError(
                    f"{name} is too small: it must be {bound}, got {getattr(self, name)}", where=named(name)
                )


@dataclass(slots=True)
class _Connections:
    """What belongs to one event loop."""

    loop: asyncio.AbstractEventLoop
    client: "ClientSession"
    rate_limit: RateLimit
    fair_queue: FairQueue
    proxy: str = ""


class HttpSession:
    """Asks the server at `base_url`; connections open at the first question.

    Args:
        base_url: The address that paths are added to.
        key_env: The environment variable that holds the key; without one, or where it is empty, no key is sent.
        key: The key itself, in the place of the variable's.
        server: How many requests at once, how long to wait, how often to ask again.
        setting: The setting that gave the address, for messages.
        query: What follows ? in the address of each request.
        headers: Further headers of each request.
    """

    def __init__(
        self,
        base_url: str,
        *,
        key_env: str = "",
        key: str = "",
        server: ServerSettings = ServerSettings(),
        setting: str = "model_path",
        query: str = "",
        headers: Mapping[str, str] = MappingProxyType({}),
    ) -> None:
        self._query, self._credentials = f"?{query}" if query else "", Credentials(key_env, key, headers)
        self.base_url, self.key_env, self.setting = base_url, key_env, setting
        self._settings = server
        self._connections: _Connections | None = None
        self._is_gone = self._has_answered = False
        self._moved: dict[str, str] = {}
        self._jitter = random.Random()

    async def get(self, path: str, read: Callable[[Any], Result]) -> Result:
        """Fetch `path` and return what `read` makes of its JSON.

        Args:
            path: What follows the base address.
            read: Checks the JSON and makes a value of it; where it raises `Malformed`, the request is made again.

        Raises:
            EngineError, UserError: like `post`.
        """
        return await self._request("GET", path, None, read, MOST_BYTES)

    async def post(
        self,
        path: str,
        body: Mapping[str, Any],
        read: Callable[[Any], Result],
        *,
        most_bytes: int = MOST_BYTES,
        parse: Callable[[bytes], Any] = parse_json,
    ) -> Result:
        """Post `body` as JSON and return what `read` makes of the JSON that comes back.

        Args:
            path: What follows the base address.
            body: The question.
            read: Checks the answer and makes a value of it; where it raises `Malformed`, the request is made again.
            most_bytes: A longer answer is malformed.
            parse: What makes JSON of an answer's bytes.

        Raises:
            Refused: where the server says that the request is wrong.
            EngineError: where it did not succeed in as many tries as are allowed.
            UserError: where every other request would fail as well, such as one with a wrong key.
        """
        return await self._request("POST", path, json.dumps(body).encode(), read, most_bytes, parse)

    async def stream_lines(
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
        data, retries, shown = json.dumps(body).encode(), Retries(self._settings, self._jitter), False
        while True:
            try:
                async with (
                    self._answer("POST", path, data) as response,
                    aclosing(read_lines(response, begin(), most_bytes)) as items,
                ):
                    async for item in items:
                        shown = True
                        yield item
            except Malformed as error:
                failure = self._fail_for(error)
            except Failure as error:
                failure = error
            else:
                self._is_gone, self._has_answered = False, True
                return
            if shown:
                raise self._explain(failure, "tried once") from failure
            await self._wait(failure, retries)

    async def close(self) -> None:
        """Close all connections."""
        if self._connections is not None and self._connections.loop is asyncio.get_running_loop():
            await self._connections.client.close()
        self._connections = None

    async def _request(
        self,
        method: str,
        path: str,
        data: bytes | None,
        read: Callable[[Any], Result],
        most_bytes: int,
        parse: Callable[[bytes], Any] = parse_json,
    ) -> Result:
        """Ask until the answer is read, or no further try is allowed."""
        retries = Retries(self._settings, self._jitter)
        while True:
            try:
                async with self._answer(method, path, data) as response:
                    content = await read_body(response, most_bytes)
                    await self._connect().fair_queue.wait_turn()
                    answer = parse(content)
                    self._check_error(answer)
                    found = read(answer)
            except Malformed as error:
                failure = self._fail_for(error)
            except Failure as error:
                failure = error
            else:
                self._is_gone, self._has_answered = False, True
                return found
            await self._wait(failure, retries)

    async def _wait(self, failure: Failure, retries: Retries) -> None:
        """Wait until a request may be made again.

        Once one request has found no server in all its tries, the others give up at their first, because hundreds are
        under way, and each would wait as long again.

        Raises:
            EngineError: where it was made often enough.
        """
        wait = retries.next_wait(failure)
        unconnected = isinstance(failure, NoConnection)
        if wait is None or (unconnected and self._is_gone):
            self._is_gone = unconnected
            raise self._explain(failure, str(retries)) from failure
        await applied_budget().pause(wait)

    @asynccontextmanager
    async def _answer(self, method: str, path: str, data: bytes | None) -> AsyncIterator["ClientResponse"]:
        """Make a request once, and give the answer if it is a good one; else raise `Failure` or a final error."""
        import aiohttp

        connections = self._connect()
        ticket = await connections.rate_limit.acquire()
        try:
            await _check_budget()
            place = self._moved.get(path, path) if self._moved else path
            async with connections.client.request(
                method, self.base_url + place + self._query, data=data, allow_redirects=False
            ) as response:
                if response.status // 100 != 2:
                    await self._raise_refusal(response, path, connections.rate_limit, ticket)
                yield response
                connections.rate_limit.increase()
        except aiohttp.ClientHttpProxyError as error:
            if final := explain_proxy(error.status, connections.proxy):
                raise final from error
            raise Failure(f"HTTP {error.status} by the proxy {connections.proxy}") from error
        except aiohttp.ClientSSLError as error:
            raise explain_tls(error, self.base_url) from error
        except (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError) as error:
            through = f" through the proxy {connections.proxy}" if connections.proxy else ""
            raise NoConnection(f"the server cannot be reached{through} ({read_reason(error)})") from error
        except TimeoutError as error:
            seconds = f"{self._settings.request_seconds:g}"
            raise Failure(f"no answer within {seconds} seconds", weight=TIMEOUT_WEIGHT) from error
        except aiohttp.ClientPayloadError as error:
            raise Failure("its answer was cut off") from error
        except (aiohttp.ClientError, ConnectionError, ValueError) as error:
            raise Failure(f"the connection broke ({read_reason(error)})") from error
        finally:
            connections.rate_limit.release()

    async def _raise_refusal(
        self, response: "ClientResponse", path: str, rate_limit: RateLimit, ticket: int
    ) -> NoReturn:
        """Raise what an answer other than success means."""
        content = (await read_body(response, MOST_BYTES, cut=True)).decode("utf-8", "replace")
        refusal = read_refusal(response.status, response.headers, content, hide=self._credentials.hide)
        if response.status == 407 and (error := explain_proxy(407, self._connect().proxy)):
            raise error
        if refusal.location:
            there = urljoin(str(response.url), refusal.location)
            self._follow_slash(str(response.url), there, path)
            refusal = replace(refusal, location=there.partition("?")[0].rstrip("/").removesuffix(path))
        if refusal.status in (429, 503):
            rate_limit.decrease(ticket)
        self._raise_for(refusal)

    def _follow_slash(self, here: str, there: str, path: str) -> None:
        """Ask for `path` from now on where the server redirects it to: only where that differs by a slash at its end.

        Raises:
            Failure: where it is to be asked for there.
        """
        moved = find_moved_path(self.base_url, here, there)
        if moved and self._moved.setdefault(path, moved) == moved:
            raise Failure("the server redirects in a circle", weight=0)

    def _raise_for(self, refusal: Refusal) -> NoReturn:
        """Raise what a refusal means."""
        if refusal.is_spent:
            raise explain_spent(refusal, self.base_url)
        if refusal.throttles:
            if refusal.wait_seconds > LONGEST_THROTTLE_SECONDS:
                what = f"{refusal}; it asks to wait {refusal.wait_seconds:.0f} seconds"
                raise EngineError(what, where=self.base_url)
            raise Failure(str(refusal), throttled=True, wait_seconds=refusal.wait_seconds)
        if refusal.status in RETRIED:
            raise Failure(str(refusal))
        if refusal.is_of_key:
            raise self._explain_key(refusal)
        if error := explain_wrong_address(refusal, self.base_url, self.setting):
            raise error
        kind = Filtered if refusal.is_of_prompt else Refused
        raise kind(
            str(refusal),
            where=self.base_url,
            fix="",
            status=404 if refusal.is_of_model else refusal.status,
            message=refusal.message,
            fields=refusal.fields,
        )

    def _check_error(self, answer: Any) -> None:
        """Raise what an error means that came as if it were an answer; one without a status may pass."""
        if not is_error(answer):
            return
        refusal = read_refusal(200, {}, json.dumps(answer), hide=self._credentials.hide)
        status = refusal.meant_status
        if not 400 <= status < 500:
            raise Failure(f"an error in the place of an answer: {refusal.message}")
        self._raise_for(replace(refusal, status=status))

    def _explain_key(self, refusal: Refusal) -> UserError:
        """Build the error for a key that the server does not take."""
        key, fix = self._credentials.explain()
        what = f"{refusal} ({key})"
        if refusal.status == 403:
            return Denied(what, where=self.base_url, fix="Give the key what it needs, or choose another model.")
        return UserError(what, where=self.base_url, fix=fix)

    def _explain(self, failure: Failure, often: str) -> EngineError:
        """Build the error for a request that is given up."""
        if isinstance(failure, NoConnection):
            return Unreachable(
                f"{failure}; {often}", where=self.base_url, fix=f"Start it, or change {named(self.setting)}."
            )
        return EngineError(f"{failure}; {often}", where=self.base_url)

    def _fail_for(self, error: Malformed) -> Failure:
        """Build the failure for a malformed answer, which may repeat the key; raise a final error that it tells of."""
        if isinstance(error, ErrorAnswer):
            try:
                self._check_error(error.answer)
            except Failure as failure:
                return failure
        if isinstance(error, WebPage) and not self._has_answered:
            raise explain_web_page(self.base_url, self.setting) from error
        return Failure(f"its answer is malformed: {self._credentials.hide(str(error))}")

    def _connect(self) -> _Connections:
        """Return the connections of this event loop; one of another loop cannot be used."""
        import aiohttp

        loop = asyncio.get_running_loop()
        if self._connections is None or self._connections.loop is not loop:
            proxy = find_proxy(self.base_url)
            client = aiohttp.ClientSession(
                headers=self._credentials.build_headers(self.base_url),
                connector=aiohttp.TCPConnector(limit=0, keepalive_timeout=KEEP_ALIVE_SECONDS),
                timeout=aiohttp.ClientTimeout(
                    total=self._settings.request_seconds,
                    sock_connect=min(CONNECT_SECONDS, self._settings.request_seconds),
                ),
                cookie_jar=aiohttp.DummyCookieJar(),
                proxy=proxy.url if proxy else None,
                proxy_auth=aiohttp.BasicAuth(proxy.user, proxy.password) if proxy and proxy.user else None,
            )
            rate_limit = RateLimit(limit_connections(self._settings.server_concurrency))
            self._connections = _Connections(loop, client, rate_limit, FairQueue(), proxy.url if proxy else "")
        return self._connections


async def _check_budget() -> None:
    """Stop a request that has got its place where the run's budget is spent.

    Whoever had the place before has read its answer, which is counted by then: its reader hands it on in this round of
    the event loop, and whoever counts it takes it in the next.
    """
    budget = applied_budget()
    for _ in range(ROUNDS_TO_COUNT if budget.counts else 0):
        await asyncio.sleep(0)
    budget.check()
