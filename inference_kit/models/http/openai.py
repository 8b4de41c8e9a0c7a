"""OpenAI: any server that speaks OpenAI's protocol: vLLM, SGLang, llama.cpp, hosted services.

Why: whoever has a server has weights, speed and batching already; it is asked over one HTTP session.
Promises: torch is not imported; each completion has its own seed and is handed on as it comes; a partial answer is
continued only where the server can (docs/servers.md says how), and exactly as it stands; keys come from the
environment and go nowhere but to the server.
"""

import asyncio
import re
import threading
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Coroutine, Sequence
from contextlib import aclosing
from dataclasses import replace
from typing import Annotated, Any, TypeVar

from loguru import logger

from inference_kit.budget import Prices
from inference_kit.errors import EngineError, NoRoom, UserError
from inference_kit.flow import as_finished
from inference_kit.models.base import Capabilities, Engine, problems_for
from inference_kit.models.http.address import api_address
from inference_kit.models.http.kinds import KINDS, OTHER, Server, ServerKind, contact, model_flag
from inference_kit.models.http.replies import FirstTokens, Pieces, Reply, TokenLogprob, read_first_tokens, read_reply
from inference_kit.models.http.requests import Api, Requests, plain_text
from inference_kit.models.http.session import MOST_BYTES, HttpSession, Refused, ServerSettings, run_apart
from inference_kit.models.http.stop_probe import StepEnds
from inference_kit.records import Completion, GenerationConfig, Message, Prompt
from inference_kit.registry import flatten_settings, unknown

Result = TypeVar("Result")
WRONG_REQUEST = (400, 422)
"""How a server answers to what it does not take, such as n."""
BYTES_OF_A_TOKEN, BYTES_OF_A_TOKEN_IN_DETAIL = 1 << 10, 1 << 13
"""What an answer may hold for each token asked for, on top of what every answer may."""


class OpenAI(Engine):
    """A server that speaks OpenAI's protocol, by its address.

    Args:
        separator: Text that ends a step.
        api_model: The model's name on the server; the first one served where it is not given.
        api_key_env: The environment variable that holds the key.
        api: chat, or completions: plain text continued, for models without a chat template.
        server_kind: auto asks the server; else vllm, sglang, llama.cpp, ollama, openai, hosted or other.
        n_per_request: Completions in one request; 0 is all of a prompt where child i gets the seed + i (vLLM), else 1.
        prompt_price: Dollars for a million tokens read.
        completion_price: Dollars for a million tokens written.
    """

    @flatten_settings
    def __init__(
        self,
        model_path: str,
        api_key: str = "",  # instead of the variable's; no setting, because keys do not belong on a command line
        flag: str = "--model-path",  # what gave the address, for messages
        *,
        separator: str = "\n\n",
        api_model: str | None = None,
        api_key_env: str = "OPENAI_API_KEY",
        api: Api = "chat",
        server_kind: str = "auto",
        n_per_request: Annotated[int, 0] = 0,
        server: ServerSettings = ServerSettings(),
        prompt_price: Annotated[float | None, 0] = None,
        completion_price: Annotated[float | None, 0] = None,
    ) -> None:
        if server_kind not in ("auto", *KINDS):
            raise unknown(server_kind, ("auto", *KINDS), "kind of server", where="--server-kind")
        self.separator, self.concurrency = separator, problems_for(server.server_concurrency)
        if prompt_price is not None or completion_price is not None:
            self.prices = Prices(prompt_price or 0.0, completion_price or 0.0)
        self._address, self._flag = api_address(model_path, flag=flag), flag
        self._api_model, self._key_env, self._api, self._kind = api_model, api_key_env, api, server_kind
        self._api_key = api_key
        self._n_per_request = n_per_request
        self._session = HttpSession(
            self._address,
            key_env=api_key_env,
            key=api_key,
            server=server,
            flag=flag,
        )
        self._lock = threading.Lock()
        self._server: Server | None = None
        self._gives_logprobs = self._counts_tokens = True
        self._trusted = api == "completions"
        self._step_ends = StepEnds(self._address)

    @property
    def identity(self) -> str:  # type: ignore[override]
        """Address, interface and name of the model; the server is asked where the name was not given."""
        model = self._api_model or self._contacted().model
        return f"openai:{self._address}:{self._api}:{model}"

    @property
    def capabilities(self) -> Capabilities:  # type: ignore[override]
        """What this kind of server cannot do."""
        kind = self._contacted().kind
        refused = kind.refused if kind.continues else kind.refused | {"branch_first"}
        return Capabilities(
            refused_settings=refused,
            begun_anew=kind.begun_anew,
            prefix=kind.continues,
            certainty=False,
            images=self._api == "chat",
        )

    @property
    def context_length(self) -> int | None:
        """The longest prompt and completion together, as far as the server tells."""
        return self._contacted().context_length

    @property
    def served_models(self) -> tuple[str, ...]:
        """The names of all models of the server; empty where it does not list them."""
        return self._contacted().served

    def render(self, messages: Sequence[Message]) -> str:
        """The prompt as it is sent; a chat is rendered by the server."""
        return plain_text(messages)

    def check(self, config: GenerationConfig) -> None:
        """Refuse what the server cannot do, and say at once where there is none."""
        self._contacted()
        super().check(config)

    async def generate(self, prompt: Prompt, config: GenerationConfig) -> AsyncIterator[tuple[int, Completion]]:
        """Write the completions of one prompt, each as its request is answered."""
        requests = await self._requests()
        if prompt.prefix:
            self._check_continuation(requests.kind)
        first = await self._first_tokens(requests, prompt, config) if config.branch_first else FirstTokens((), 0)
        read = first.prompt_tokens

        async def ask(positions: list[int]) -> dict[int, Completion]:
            seeds = [prompt.seeds[place] for place in positions]
            if config.branch_first:
                return {positions[0]: await self._branch(requests, prompt, config, first, seeds[0])}
            try:
                written = await self._write(requests, prompt, config, seeds)
            except Refused as refusal:
                if len(positions) == 1 or refusal.status not in WRONG_REQUEST:
                    raise
                written = await self._write(requests, prompt, config, seeds[:1])  # raises again where n is not to blame
            return dict(zip(positions, written, strict=False))

        missing = set(range(prompt.n))
        while missing:
            batches = self._batches(requests.kind, prompt.seeds, sorted(missing), config)
            async with aclosing(_answers(batches, ask)) as answers:
                async for written in answers:
                    read += max(each.prompt_tokens for each in written.values())
                    for place, completion in written.items():
                        same = completion.prompt_tokens == read
                        yield place, completion if same else replace(completion, prompt_tokens=read)
                    missing -= written.keys()
            if missing:
                self._ask_one_by_one()

    async def stream(self, prompt: Prompt, config: GenerationConfig) -> AsyncIterator[str]:
        """Write one completion and yield its text as the server sends it."""
        requests = await self._requests()
        body = requests.body(prompt, replace(config, logprobs=False, token_details=False), prompt.seeds[:1])
        read = Pieces()
        async with aclosing(self._session.lines(self._path, body | {"stream": True}, read.of)) as pieces:
            async for piece in pieces:
                yield piece
        if not read.began:
            raise EngineError("the server does not stream its answer", where=self._address, fix="Use best_of_n.")

    async def first_tokens(self, prompt: Prompt) -> FirstTokens:
        """The likeliest first tokens of a reply with their log-probabilities at temperature 1."""
        config = GenerationConfig(temperature=1.0, token_details=True)
        return await self._first_tokens(await self._requests(), prompt, config)

    async def close(self) -> None:
        """Close the connections."""
        await self._session.close()

    @property
    def _path(self) -> str:
        return "/chat/completions" if self._api == "chat" else "/completions"

    async def _requests(self) -> Requests:
        # Known after the first time, and a thread for each prompt would cost more than its request.
        server = self._server if self._server is not None else await asyncio.to_thread(self._contacted)
        return Requests(server.model, server.kind, self._api, self._gives_logprobs)

    def _check_continuation(self, kind: ServerKind) -> None:
        """Refuse a partial answer where the server would begin anew; say once where that is not known."""
        if not kind.continues:
            raise EngineError("this server cannot go on with a partial answer", where=self._address)
        if kind is OTHER and not self._trusted:
            self._trusted = True
            logger.warning(
                "{} does not say what it is: it is taken for able to go on with a partial answer "
                "(continue_final_message); --server-kind says otherwise",
                self._address,
            )

    def _batches(
        self, kind: ServerKind, seeds: Sequence[int], missing: Sequence[int], config: GenerationConfig
    ) -> list[list[int]]:
        """Of the positions that are missing, those that each request asks for; their seeds follow each other."""
        together = self._n_per_request or (len(seeds) if kind.shares_n else 1)
        if config.temperature == 0 or config.branch_first:
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
            logger.warning("{} writes one completion for a request, whatever n is", self._address)

    async def _write(
        self, requests: Requests, prompt: Prompt, config: GenerationConfig, seeds: Sequence[int]
    ) -> tuple[Completion, ...]:
        def read(data: Any) -> Reply:
            return read_reply(data, len(seeds), config)

        reply = await self._post(requests.body(prompt, config, seeds), requests.kind, read)
        if not reply.counted and self._counts_tokens:
            self._counts_tokens = False
            logger.warning("{} does not count tokens: they are estimated from the text", self._address)
        if config.boundary and requests.kind is OTHER:

            async def again(place: int) -> Completion:
                endless = replace(config, boundary="", logprobs=False, token_details=False)
                [completion] = await self._write(requests, prompt, endless, seeds[place : place + 1])
                return completion

            await self._step_ends.check(reply.completions, config.boundary, again)
        return reply.completions

    async def _first_tokens(self, requests: Requests, prompt: Prompt, config: GenerationConfig) -> FirstTokens:
        """The likeliest first tokens of the reply."""
        one = replace(config, max_new_tokens=1, boundary="", stop=())
        return await self._post(requests.body(prompt, one, (0,)), requests.kind, read_first_tokens)

    async def _branch(
        self, requests: Requests, prompt: Prompt, config: GenerationConfig, first: FirstTokens, rank: int
    ) -> Completion:
        """The completion that begins with the first token of that rank."""
        if rank >= len(first.top):
            raise EngineError(f"the server names {len(first.top)} first tokens, and number {rank + 1} was asked for")
        text, logprob = first.top[rank]
        detail = TokenLogprob(text, logprob, first.top).detail()
        begun = Completion(text, "length", 1, logprob, details=(detail,) if config.token_details else ())
        rest = replace(config, branch_first=False, max_new_tokens=config.max_new_tokens - 1)
        if not rest.max_new_tokens:
            return begun
        longer = replace(prompt, prefix=prompt.prefix + text, prefix_tokens=())
        [written] = await self._write(requests, longer, rest, (0,))
        return replace(
            written,
            text=text + written.text,
            tokens=1 + written.tokens,
            logprob=None if written.logprob is None else logprob + written.logprob,
            details=begun.details + written.details,
        )

    async def _post(self, body: dict[str, Any], kind: ServerKind, read: Callable[[Any], Result]) -> Result:
        asked = body[kind.max_tokens]
        detailed = body.get("top_logprobs") or (self._api == "completions" and body.get("logprobs"))
        size = BYTES_OF_A_TOKEN_IN_DETAIL if detailed else BYTES_OF_A_TOKEN
        try:
            return await self._session.post(self._path, body, read, most_bytes=MOST_BYTES + body["n"] * asked * size)
        except Refused as refusal:
            if "logprobs" in body and not detailed and "logprob" in refusal.message.lower():
                if self._gives_logprobs:
                    self._gives_logprobs = False
                    logger.warning("{} gives no log-probabilities: {}", self._address, refusal.message)
                return await self._post({name: body[name] for name in body if "logprobs" not in name}, kind, read)
            if 0 < (room := _room_left(refusal.message)) < asked:
                return await self._post(body | {kind.max_tokens: room}, kind, read)
            raise self._explained(refusal) from refusal

    def _explained(self, refusal: Refused) -> UserError:
        """What to do about a request that the server refuses."""
        if refusal.status == 404:
            server = self._contacted()
            asked = f"It was asked for model {server.model!r} and serves {server.shown}"
            fix = f"{asked}; choose with {model_flag(self._flag)}."
            return UserError(refusal.what, where=self._address + self._path, fix=fix)
        if "context" in refusal.message and "length" in refusal.message:
            fix = "Shorten the prompt, or use a model with a longer context."
            return NoRoom(f"the prompt is too long: {refusal.message}", fix=fix)
        return refusal

    def _contacted(self) -> Server:
        """What the server says of itself; it is asked once."""
        with self._lock:
            if self._server is None:
                names = {"key_env": self._key_env, "key": self._api_key, "kind": self._kind, "flag": self._flag}
                asked = contact(self._address, self._api_model, **names)
                self._server = run_apart(asked)
            return self._server


async def _answers(
    batches: Sequence[list[int]], ask: Callable[[list[int]], Coroutine[Any, Any, dict[int, Completion]]]
) -> AsyncGenerator[dict[int, Completion], None]:
    """Ask for all batches at once and yield each answer as it comes."""
    if len(batches) == 1:  # a task for it would cost more than all the rest here
        yield await ask(batches[0])
        return
    async with aclosing(as_finished([ask(batch) for batch in batches])) as finished:
        async for written in finished:
            yield written


def _room_left(message: str) -> int:
    """Tokens that a prompt leaves in the context, as far as a refusal tells; 0 where it does not."""
    context = re.search(r"maximum context length (?:is|of) (\d{1,9})", message)
    prompt = re.search(r"(\d{1,9}) (?:input tokens|in the messages|of text input|tokens from the input)", message)
    return max(0, int(context[1]) - int(prompt[1])) if context and prompt else 0
