"""CompletionClient: completions of a server that speaks OpenAI's protocol, in as few requests as it allows.

Why: servers differ in what they take (n, log-probabilities, a prompt this long), and say so only when they are asked.
Promises: each completion is written with its own seed and counted once; what a server refuses is left out and said
once; of a prompt that one request holds for several completions, the first of them has all the tokens.
"""

import re
from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass, replace
from functools import partial
from types import MappingProxyType
from typing import Any, TypeVar, cast

from loguru import logger

from inference_kit.errors import EngineError, NoRoom, PromptRefused, UserError, named
from inference_kit.flow import merge
from inference_kit.models.http.kinds import OTHER, Server, ServerKind, name_model_setting
from inference_kit.models.http.refusals import Refused, speaks_of_model
from inference_kit.models.http.replies import (
    FirstTokens,
    Reply,
    TokenLogprob,
    read_count,
    read_first_tokens,
    read_reply,
)
from inference_kit.models.http.requests import Api, RequestBuilder
from inference_kit.models.http.session import MOST_BYTES, HttpSession
from inference_kit.models.http.stop_probe import StopProbe
from inference_kit.models.http.streams import EventReader, parse_answer
from inference_kit.models.http.transport.bodies import LineReader
from inference_kit.models.http.untrusted_json import as_object
from inference_kit.models.http.wording.adaptation import LENGTHS, WRONG_REQUEST, Adaptation, asks_for_details
from inference_kit.models.http.wording.room import Room, read_room, speaks_of_length
from inference_kit.records import Completion, GenerationConfig, Prompt

Result = TypeVar("Result")
Item = TypeVar("Item")
MOST_ASKS = 6
"""How often a request asks for fewer tokens."""
_NO_PROVIDER = re.compile(
    r"no (?:endpoints?|providers?)\b.{0,40}\b(?:support|handle|match|policy|allow)", re.IGNORECASE
)
"""What a service says of a model that it serves, but not with these settings."""
BYTES_OF_A_TOKEN, BYTES_OF_A_TOKEN_IN_DETAIL = 1 << 10, 1 << 13
"""What an answer may hold for each token asked for, on top of what every answer may."""


@dataclass(frozen=True, slots=True)
class _Task:
    """A prompt with its settings, and what builds requests for it."""

    requests: RequestBuilder
    prompt: Prompt
    config: GenerationConfig

    def list_seeds(self, places: Sequence[int]) -> list[int]:
        """Return the seeds of the completions at these places."""
        return [self.prompt.seeds[place] for place in places]


class CompletionClient:
    """Writes completions over one session; remembers what the server has shown that it cannot do.

    Args:
        session: Its connections.
        api: chat or completions.
        n_per_request: Completions in one request; 0 is as many as share one on this kind of server.
        own_fields: Further fields of each request.
    """

    def __init__(
        self, session: HttpSession, api: Api, n_per_request: int, own_fields: Mapping[str, Any] = MappingProxyType({})
    ) -> None:
        self._session, self._api, self._n_per_request = session, api, n_per_request
        self._path = "/chat/completions" if api == "chat" else "/completions"
        self._own_fields = own_fields
        self._adaptation = Adaptation(session.base_url, own_fields)
        self._counts_tokens = self._answers_all = True
        self._trusted = api == "completions"
        self._stop_probe = StopProbe(session.base_url)

    async def generate(
        self, server: Server, prompt: Prompt, config: GenerationConfig
    ) -> AsyncGenerator[tuple[int, Completion], None]:
        """Write the completions of one prompt, each as its request is answered."""
        task = self._begin(server, prompt, config)
        ask = partial(self._write_whole, task)
        if config.branch_first:
            try:
                ask = partial(self._write_branch, task, await self._ask_first_tokens(task))
            except PromptRefused as refusal:
                ask = partial(self._write_nothing, refusal)
        async with aclosing(self._ask_in_batches(task, ask)) as answers:
            async for found in answers:
                yield found

    async def stream(
        self, server: Server, prompt: Prompt, config: GenerationConfig
    ) -> AsyncGenerator[tuple[int, str | Completion], None]:
        """Write the completions of one prompt, and show their texts as the server sends them."""
        task = self._begin(server, prompt, config)
        async with aclosing(self._ask_in_batches(task, partial(self._write_pieces, task))) as answers:
            async for piece in answers:
                yield piece

    async def ask_first_tokens(self, server: Server, prompt: Prompt, config: GenerationConfig) -> FirstTokens:
        """Ask for the likeliest first tokens of a reply."""
        return await self._ask_first_tokens(self._begin(server, prompt, config))

    def _begin(self, server: Server, prompt: Prompt, config: GenerationConfig) -> _Task:
        """Begin a task; a partial answer only where the server can go on with it."""
        if prompt.prefix:
            self._check_continuation(server.kind)
        return _Task(RequestBuilder(server, self._api, self._own_fields), prompt, config)

    def _check_continuation(self, kind: ServerKind) -> None:
        """Refuse a partial answer where the server would begin anew; say once where that is not known."""
        if not kind.continues:
            raise EngineError("this server cannot go on with a partial answer", where=self._session.base_url)
        if kind is OTHER and not self._trusted:
            self._trusted = True
            logger.warning(
                "{} does not say what it is: it is taken for able to go on with a partial answer "
                "(continue_final_message); --server-kind says otherwise",
                self._session.base_url,
            )

    async def _ask_in_batches(
        self, task: _Task, ask: Callable[[list[int]], AsyncGenerator[tuple[int, Item], None]]
    ) -> AsyncGenerator[tuple[int, Item], None]:
        """Ask for the completions of a prompt in as few requests as may be, and yield what comes back.

        Where a server writes fewer than a request asks for, the others are asked for one by one.
        """
        missing = set(range(task.prompt.n))
        while missing:
            batches = self._plan_batches(task, sorted(missing))
            # No generator around another where one does: each costs as much as a good part of the answer.
            sources = [ask(each) if len(each) == 1 else _ask_for_all_or_one(ask, each) for each in batches]
            async with aclosing(sources[0] if len(sources) == 1 else merge(sources)) as answers:
                async for place, item in answers:
                    if isinstance(item, Completion):
                        missing.remove(place)
                    yield place, item
            if missing:
                self._ask_one_by_one()

    def _plan_batches(self, task: _Task, missing: Sequence[int]) -> list[list[int]]:
        """Split the places that are missing into those that each request asks for.

        Child i of a request has its seed + i, so only completions with seeds in a row may share one.
        """
        seeds = task.prompt.seeds
        together = self._n_per_request or (len(seeds) if task.requests.kind.shares_n else 1)
        if task.config.temperature == 0 or task.config.branch_first:
            together = 1
        batches: list[list[int]] = []
        for place in missing:
            if batches and seeds[place] == seeds[batches[-1][-1]] + 1 and len(batches[-1]) < together:
                batches[-1].append(place)
            else:
                batches.append([place])
        return batches

    def _ask_one_by_one(self) -> None:
        """Ask for one completion in a request from now on; said once."""
        if self._n_per_request != 1:
            self._n_per_request = 1
            logger.warning("{} writes one completion for a request, whatever n is", self._session.base_url)

    async def _write_whole(self, task: _Task, places: list[int]) -> AsyncGenerator[tuple[int, Completion], None]:
        """Write the completions at `places` in one request."""
        written = await self._write(task, task.list_seeds(places))
        for place, completion in zip(places, written, strict=False):  # a server may write fewer
            yield place, completion

    async def _write_pieces(self, task: _Task, places: list[int]) -> AsyncGenerator[tuple[int, str | Completion], None]:
        """Write the completions at `places` in one streamed request."""
        seeds = task.list_seeds(places)
        body = task.requests.build(task.prompt, task.config, seeds)
        body |= {"stream": True, "stream_options": {"include_usage": True}}
        begin = partial(EventReader, len(seeds), task.config)
        try:
            async with aclosing(self._stream(task.requests, body, begin)) as items:
                async for found in items:
                    if isinstance(found, Reply):
                        reply = await self._check_reply(found, task, seeds)
                        for place, completion in zip(places, reply.completions, strict=False):
                            yield place, completion
                    else:
                        yield places[found[0]], found[1]
        except PromptRefused as refusal:
            async for item in self._write_nothing(refusal, places):
                yield item

    async def _write_branch(
        self, task: _Task, first: FirstTokens, places: list[int]
    ) -> AsyncGenerator[tuple[int, Completion], None]:
        """Write the completion that begins with the first token of the rank asked for, which is its seed."""
        [place] = places
        rank, config = task.prompt.seeds[place], task.config
        if rank >= len(first.top):
            raise EngineError(f"the server names {len(first.top)} first tokens, and number {rank + 1} was asked for")
        text, logprob = first.top[rank]
        details = (TokenLogprob(text, logprob, first.top).to_token(),) if config.token_details else ()
        read = first.prompt_tokens if place == 0 else 0  # for all branches at once
        if config.max_new_tokens == 1:
            yield place, Completion(text, "length", 1, logprob, read, details=details)
            return
        rest = replace(config, branch_first=False, max_new_tokens=config.max_new_tokens - 1)
        longer = replace(task.prompt, prefix=task.prompt.prefix + text, prefix_tokens=())
        [written] = await self._write(_Task(task.requests, longer, rest), (0,))
        completion = replace(
            written,
            text=text + written.text,
            tokens=1 + written.tokens,
            logprob=None if written.logprob is None else logprob + written.logprob,
            prompt_tokens=read + written.prompt_tokens,
            details=details + written.details,
        )
        yield place, completion

    async def _write(self, task: _Task, seeds: Sequence[int]) -> tuple[Completion, ...]:
        """Write a completion with each of `seeds` in one request."""

        def read(data: Any) -> Reply:
            """Read the answer to this request."""
            return read_reply(data, len(seeds), task.config)

        try:
            reply = await self._post(task.requests, task.requests.build(task.prompt, task.config, seeds), read)
        except PromptRefused as refusal:
            return (self._withhold(refusal),) * len(seeds)
        return (await self._check_reply(reply, task, seeds)).completions

    async def _write_nothing(
        self, refusal: PromptRefused, places: list[int]
    ) -> AsyncGenerator[tuple[int, Completion], None]:
        """Write the completions at `places` of a prompt that the server refuses."""
        for place in places:
            yield place, self._withhold(refusal)

    def _withhold(self, refusal: PromptRefused) -> Completion:
        """Return the completion of a prompt that the server refuses; say once that there are such."""
        if self._answers_all:
            self._answers_all = False
            logger.warning("{} withholds answers: {}", self._session.base_url, refusal.what)
        return Completion("", "withheld", 0)

    async def _check_reply(self, reply: Reply, task: _Task, seeds: Sequence[int]) -> Reply:
        """Say once where tokens are not counted, and see whether the ends of steps are kept, which is counted too."""
        if not reply.counted and self._counts_tokens:
            self._counts_tokens = False
            logger.warning("{} does not count tokens: they are estimated from the text", self._session.base_url)
        if not task.config.boundary or task.requests.kind is not OTHER:
            return reply

        async def write_on(place: int) -> Completion:
            """Write one completion again, past the end of the step."""
            endless = replace(task.config, boundary="", logprobs=False, token_details=False)
            [completion] = await self._write(replace(task, config=endless), seeds[place : place + 1])
            return completion

        return reply.count(await self._stop_probe.check(reply.completions, task.config.boundary, write_on))

    async def _ask_first_tokens(self, task: _Task) -> FirstTokens:
        """Ask for the likeliest first tokens of the reply."""
        one = replace(task.config, max_new_tokens=1, boundary="", stop=())
        return await self._post(task.requests, task.requests.build(task.prompt, one, (0,)), read_first_tokens)

    async def _post(self, requests: RequestBuilder, body: dict[str, Any], read: Callable[[Any], Result]) -> Result:
        """Post a request, and where the server refuses a part of it, the request without that."""
        asked = _Asked(self._adaptation.apply(body), _limit_bytes(requests, body))
        while True:
            try:
                return asked.count(
                    await self._session.post(
                        self._path, asked.body, read, most_bytes=asked.most_bytes, parse=parse_answer
                    )
                )
            except Refused as refusal:
                await self._relax(requests.server, asked, refusal)

    async def _stream(
        self, requests: RequestBuilder, body: dict[str, Any], begin: Callable[[], LineReader[Item]]
    ) -> AsyncGenerator[Item, None]:
        """Post a streamed request like `_post`."""
        asked = _Asked(self._adaptation.apply(body), _limit_bytes(requests, body))
        while True:
            lines = self._session.stream_lines(self._path, asked.body, begin, most_bytes=asked.most_bytes)
            try:
                async with aclosing(lines) as items:
                    async for item in items:
                        yield asked.count(item)
                return
            except Refused as refusal:
                await self._relax(requests.server, asked, refusal)

    async def _relax(self, server: Server, asked: "_Asked", refusal: Refused) -> None:
        """Ask for less: without a field, or for fewer tokens, where that is what a server has refused.

        Raises:
            UserError: where nothing can be left out.
        """
        if isinstance(refusal, PromptRefused):
            raise refusal
        adapted = self._adaptation.learn(asked.body, refusal)
        if adapted is not None:
            asked.body = adapted
            return
        length = next(name for name in LENGTHS if name in asked.body)
        most = asked.body[length]
        room = _find_room(refusal, most)
        if room is None or room.tokens < 1 or most < 2 or asked.n_asks == MOST_ASKS:
            raise self._explain(server, refusal, room) from refusal
        asked.n_asks += 1
        fewer = min(room.tokens, most - 1)
        if not room.exact and (asked.n_asks > 1 or fewer == most - 1):
            # The server has not counted the whole prompt; it does where it reads it, for the least of replies.
            prompt_tokens = await self._measure_prompt(server, asked, length)
            measured = room.context - prompt_tokens if prompt_tokens else 0
            fewer = measured if 0 < measured < most else most // 2
        asked.body = asked.body | {length: fewer}

    async def _measure_prompt(self, server: Server, asked: "_Asked", length: str) -> int:
        """Measure a prompt by a reply of one token, once for each request; 0 where that does not tell.

        Raises:
            UserError: where not even that fits.
        """
        if asked.read_tokens:
            return 0
        little = {name: value for name, value in asked.body.items() if name not in ("stream", "stream_options", "n")}
        try:
            asked.read_tokens = await self._session.post(self._path, little | {length: 1}, _read_prompt_tokens)
        except Refused as refusal:
            raise self._explain(server, refusal, read_room(refusal.message, 1)) from refusal
        return asked.read_tokens

    def _explain(self, server: Server, refusal: Refused, room: Room | None) -> UserError:
        """Say how to mend a request that the server refuses."""
        if refusal.status == 404 and _NO_PROVIDER.search(refusal.message):
            fix = (
                "Leave out what it names, allow it in the account's settings, or choose another model with "
                f"{name_model_setting(self._session.setting)}."
            )
            return UserError(refusal.what, where=self._session.base_url, fix=fix)
        if refusal.status == 404 and server.model in server.served and not speaks_of_model(refusal.message):
            fix = f"It serves the model, but not there: look at {named(self._session.setting)} and {named('api')}."
            return UserError(refusal.what, where=self._session.base_url + self._path, fix=fix)
        if refusal.status == 404:
            asked = f"It was asked for model {server.model!r} and serves {server.shown}"
            fix = f"{asked}; choose with {name_model_setting(self._session.setting)}."
            return UserError(refusal.what, where=self._session.base_url + self._path, fix=fix)
        if room is not None or speaks_of_length(refusal.message):
            fix = "Shorten the prompt, or use a model with a longer context."
            return NoRoom(f"the prompt is too long: {refusal.message}", fix=fix)
        return refusal


@dataclass(slots=True)
class _Asked:
    """A request as it is asked now, and what its answer may hold.

    `n_asks` counts how often it has asked for fewer tokens, and `read_tokens` what was read to know how many.
    """

    body: dict[str, Any]
    most_bytes: int
    n_asks: int = 0
    read_tokens: int = 0

    def count(self, found: Item) -> Item:
        """Count what was read besides into a reply, which is paid for as well."""
        return cast("Item", found.count(self.read_tokens)) if isinstance(found, Reply) else found


def _find_room(refusal: Refused, asked: int) -> Room | None:
    """Find how many tokens a refusal leaves; one that speaks of the length without numbers tells only a bound."""
    if refusal.status not in WRONG_REQUEST:
        return None
    room = read_room(refusal.message, asked)
    return Room(asked - 1, exact=False) if room is None and speaks_of_length(refusal.message) else room


def _read_prompt_tokens(answer: Any) -> int:
    """Read the size of a prompt; 0 where it is not told."""
    return read_count(as_object(answer, "the answer"), "prompt_tokens") or 0


def _limit_bytes(requests: RequestBuilder, body: Mapping[str, Any]) -> int:
    """Return what the answer to a request may hold."""
    size = BYTES_OF_A_TOKEN_IN_DETAIL if asks_for_details(body) else BYTES_OF_A_TOKEN
    asked: int = body.get("n", 1) * body[requests.kind.max_tokens]
    return MOST_BYTES + asked * size


async def _ask_for_all_or_one(
    ask: Callable[[list[int]], AsyncGenerator[tuple[int, Item], None]], places: list[int]
) -> AsyncGenerator[tuple[int, Item], None]:
    """Ask for all of several `places`; where the server refuses that, for the first alone, as n may be to blame."""
    try:
        async with aclosing(ask(places)) as answers:
            async for found in answers:
                yield found
        return
    except Refused as refusal:
        if refusal.status not in WRONG_REQUEST:
            raise
    async with aclosing(ask(places[:1])) as answers:  # raises again where n is not to blame
        async for found in answers:
            yield found
