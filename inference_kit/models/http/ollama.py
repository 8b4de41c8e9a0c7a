"""Ollama: models served by Ollama, over its native API.

Why: the native API takes every setting and the length of the context; through Ollama's OpenAI-compatible one a long
prompt is cut without a word.
Promises: each completion is a request of its own, because Ollama has no n; the context is as long as what is asked
needs; a prompt that filled it is an error, not a cut prompt. A stop text and the model's own end look alike in its
answers, so a partial answer is not continued.
"""

import asyncio
import threading
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterator, Mapping
from contextlib import aclosing
from dataclasses import dataclass, replace
from typing import Any

from loguru import logger

from inference_kit.errors import EngineError, NoRoom, UserError, named
from inference_kit.flow import as_finished, merge
from inference_kit.models.base import Capabilities, Engine, choose_concurrency
from inference_kit.models.http.address import find_ollama_address, parse_address
from inference_kit.models.http.blocking import run_blocking
from inference_kit.models.http.extras import RequestSettings, identify, merge_fields
from inference_kit.models.http.kinds import PROBE, WITHOUT_SERVER, ask_and_close
from inference_kit.models.http.refusals import Refused, Unreachable
from inference_kit.models.http.replies import TOP_TOKENS, estimate_tokens, read_logprobs
from inference_kit.models.http.requests import encode_image
from inference_kit.models.http.session import MOST_BYTES, HttpSession, ServerSettings
from inference_kit.models.http.streams import IncrementalText, ReasoningTags
from inference_kit.models.http.untrusted_json import (
    Malformed,
    as_count,
    as_list,
    as_object,
    as_text,
    parse_json,
    shorten,
)
from inference_kit.records import Completion, GenerationConfig, Message, Prompt
from inference_kit.registry import flatten_settings

BYTES_OF_A_DETAIL = 1 << 13
BYTES_OF_A_LINE = 1 << 10
"""What a streamed token's line may hold besides details."""
WHOLE_CONTEXT = -1
"""How Ollama writes that repetition_penalty looks at all tokens, not at the last 64."""


class Ollama(Engine):
    """A model served by Ollama, by the server's address.

    Args:
        separator: Text that ends a step.
        api_model: The model's name, as `ollama list` shows it; the first one there where it is not given.
        num_ctx: Tokens of prompt and reply together; Ollama keeps them all in memory.
        keep_alive: How long the model stays loaded after a request, such as 30m.
        server_concurrency: Requests under way at once; Ollama queues what it cannot do at the same time.
        request_seconds: How long one request may take, queueing and loading included.
        think: Whether, or how long, a model thinks: true, false, low, medium or high; its own where it is not given.
        model_name: The model's name in folders and tables, and wherever it is served; Ollama's own if not given.
    """

    capabilities = Capabilities(
        refused_settings=frozenset({"branch_first"}), prefix=False, certainty=False, images=True, shares_prompt=False
    )

    @flatten_settings
    def __init__(
        self,
        model_path: str = "",
        *,
        separator: str = "\n\n",
        api_model: str | None = None,
        num_ctx: int = 8192,
        keep_alive: str = "30m",
        server: ServerSettings = ServerSettings(server_concurrency=8, request_seconds=1800.0),
        think: str | None = None,
        request: RequestSettings = RequestSettings(),
        model_name: str | None = None,
    ) -> None:
        if num_ctx < 1:
            raise UserError(f"num_ctx must be at least 1, got {num_ctx}", where=named("num_ctx"))
        self.separator, self.concurrency = separator, choose_concurrency(server.server_concurrency)
        address = parse_address(model_path or find_ollama_address(), default_path="")
        self._address = address.removesuffix("/v1").removesuffix("/api")
        self._headers, self._model_name = request.read_headers(), model_name
        thinks = {"true": True, "false": False}.get(str(think).lower(), think)
        self._fields = merge_fields({"think": thinks} if think is not None else None, request.extra_body)
        self._api_model, self._num_ctx, self._keep_alive = api_model, num_ctx, keep_alive
        self._session = HttpSession(self._address, server=server, headers=self._headers)
        self._lock = threading.Lock()
        self._found: _Model | None = None
        self._counts_tokens = True

    @property
    def identity(self) -> str:  # type: ignore[override]
        """Address, name and digest of the model, the length of the context, and what was added to requests.

        A model that the user names is itself at every address.
        """
        if self._model_name:
            return f"ollama:{self._model_name}:{self._num_ctx}{identify(self._fields)}"
        model = self._find_model()
        return f"ollama:{self._address}:{model.name}:{model.digest}:{self._num_ctx}{identify(self._fields)}"

    @property
    def served_name(self) -> str:  # type: ignore[override]
        """The name of the model, by the user or else on the server."""
        return self._model_name or self._find_model().name

    @property
    def context_length(self) -> int | None:
        """The longest prompt and completion together, in tokens."""
        return self._num_ctx

    @property
    def served_models(self) -> tuple[str, ...]:
        """The names of all models that Ollama has."""
        return self._find_model().served

    def check(self, config: GenerationConfig) -> None:
        """Refuse what Ollama cannot do, and say at once where it is not there or has no such model."""
        self._find_model()
        super().check(config)

    async def generate(self, prompt: Prompt, config: GenerationConfig) -> AsyncIterator[tuple[int, Completion]]:
        """Write the completions of one prompt, each in a request of its own."""
        model = await asyncio.to_thread(self._find_model)

        async def ask(position: int) -> tuple[int, Completion]:
            """Write one completion."""
            return position, await self._post(
                self._build_body(model.name, prompt, config, prompt.seeds[position]), config
            )

        async with aclosing(as_finished([ask(position) for position in range(prompt.n)])) as finished:
            async for found in finished:
                yield found

    async def stream(self, prompt: Prompt, config: GenerationConfig) -> AsyncIterator[tuple[int, str | Completion]]:
        """Write the completions of one prompt, each in a request of its own, and show their texts while they grow."""
        model = await asyncio.to_thread(self._find_model)
        texts = [self._stream_one(model.name, prompt, config, position) for position in range(prompt.n)]
        async with aclosing(merge(texts)) as answers:
            async for found in answers:
                yield found

    async def close(self) -> None:
        """Close the connections."""
        await self._session.close()

    def _build_body(self, model: str, prompt: Prompt, config: GenerationConfig, seed: int) -> dict[str, Any]:
        """Build the request for one completion."""
        if prompt.prefix:
            raise EngineError("Ollama cannot go on with a partial answer", where=self._address)
        asked = {
            "model": model,
            "messages": [_build_message(message) for message in prompt.messages],
            "stream": False,
            "keep_alive": self._keep_alive,
            # Newer versions then refuse a prompt that does not fit, and end a reply that fills the context.
            "truncate": False,
            "shift": False,
            "options": self._build_options(config, seed),
        }
        if config.logprobs or config.token_details:
            asked |= {"logprobs": True} | ({"top_logprobs": TOP_TOKENS} if config.token_details else {})
        return {**asked, **self._fields} if self._fields else asked

    def _build_options(self, config: GenerationConfig, seed: int) -> dict[str, Any]:
        """Build every sampling setting, because a model comes with settings of its own for what is missing."""
        return {
            "seed": seed,
            "num_ctx": self._num_ctx,
            "num_predict": config.max_new_tokens,
            "temperature": config.temperature,
            "top_p": config.top_p,
            "top_k": config.top_k,
            "min_p": config.min_p,
            "repeat_penalty": config.repetition_penalty,
            "repeat_last_n": WHOLE_CONTEXT,
            "presence_penalty": config.presence_penalty,
            "frequency_penalty": config.frequency_penalty,
            "stop": list(config.stop),
        }

    async def _post(self, body: dict[str, Any], config: GenerationConfig) -> Completion:
        """Post a request and read its completion."""

        def read(data: Any) -> Completion:
            """Read the answer with the settings it was asked for."""
            return self._read_completion(data, config)

        try:
            return await self._session.post("/api/chat", body, read, most_bytes=_limit_bytes(config))
        except Refused as refusal:
            raise self._explain(refusal) from refusal

    async def _stream_one(
        self, model: str, prompt: Prompt, config: GenerationConfig, position: int
    ) -> AsyncGenerator[tuple[int, str | Completion], None]:
        """Write one completion and show its text while it grows."""
        body = self._build_body(model, prompt, config, prompt.seeds[position]) | {"stream": True}
        most_bytes = _limit_bytes(config) + config.max_new_tokens * BYTES_OF_A_LINE

        def begin() -> _LineReader:
            """Begin to read one try."""
            return _LineReader(config, self._read_completion)

        try:
            async with aclosing(self._session.stream_lines("/api/chat", body, begin, most_bytes=most_bytes)) as lines:
                async for item in lines:
                    yield position, item
        except Refused as refusal:
            raise self._explain(refusal) from refusal

    def _explain(self, refusal: Refused) -> UserError:
        """Say how to mend a request that Ollama refuses."""
        if refusal.status == 404:
            return UserError(refusal.what, where=self._address, fix=f"See `ollama list`, and {named('api_model')}.")
        if "does not support" in refusal.message or refusal.status == 410:
            return UserError(refusal.what, where=self._address, fix="Leave out what it does not support.")
        if "context" in refusal.message:
            return NoRoom(
                f"the prompt does not fit the context of {self._num_ctx} tokens ({refusal.message})",
                where=self._address,
                fix=f"Raise {named('num_ctx')}, or shorten the prompt.",
            )
        return refusal

    def _read_completion(self, data: Any, config: GenerationConfig) -> Completion:
        """Read a whole answer.

        Raises:
            Malformed: where it is not what the API says.
            EngineError: where the prompt has filled the context, or what was asked for is missing.
        """
        answer = as_object(data, "the answer")
        thought, said = _split_thought(answer)
        if answer.get("done") is not True:
            raise Malformed(f"it is not done: {shorten(repr(answer), 80)}")
        if answer.get("done_reason") in ("load", "unload") and not thought + said:
            raise Malformed("it has loaded the model and written nothing")
        read, written = (as_count(answer.get(name)) for name in ("prompt_eval_count", "eval_count"))
        if (read or 0) >= self._num_ctx:
            raise EngineError(
                f"the prompt has {read} tokens or more, and the context {self._num_ctx}",
                where=self._address,
                fix=f"Raise {named('num_ctx')}, or shorten the prompt.",
            )
        if written is None and self._counts_tokens:
            self._counts_tokens = False
            logger.warning("{} does not count tokens: they are estimated from the text", self._address)
        tokens = read_logprobs({"content": answer.get("logprobs")})
        if config.token_details and not tokens and said:
            raise EngineError("this Ollama gives no log-probabilities", where=self._address, fix="Update it.")
        return Completion(
            f"<think>{thought}</think>{said}" if thought else said,
            "length" if answer.get("done_reason") == "length" else "stop",
            tokens=(len(tokens) or estimate_tokens(thought + said)) if written is None else written,
            logprob=sum(each.logprob for each in tokens) if tokens and config.logprobs else None,
            prompt_tokens=read or 0,
            details=tuple(each.to_token() for each in tokens) if config.token_details else (),
        )

    def _find_model(self) -> "_Model":
        """Find the model on the server, which is asked once; blocking."""
        with self._lock:
            if self._found is None:
                self._found = run_blocking(self._ask_for_models())
            return self._found

    async def _ask_for_models(self) -> "_Model":
        """Ask for the list of models, and choose the one that was named, or the first.

        Raises:
            UserError: where there is no such model, or no Ollama.
        """
        session = HttpSession(self._address, server=PROBE, headers=self._headers)
        try:
            models = await ask_and_close(session, "/api/tags", _read_models)
        except Unreachable as error:
            fix = f"Start it with `ollama serve`, or change {named('model_path')}. {WITHOUT_SERVER}"
            raise UserError(error.what, where=self._address, fix=fix) from error
        except EngineError as error:
            fix = f"Is it Ollama? For other servers there is {named('model')} openai."
            raise UserError(error.what, where=f"{self._address}/api/tags", fix=fix) from error
        wanted = {self._api_model, f"{self._api_model}:latest"}
        found = [each for each in models if self._api_model is None or each.name in wanted]
        if not found:
            names = ", ".join(each.name for each in models[:20]) or "none"
            what = f"model {self._api_model!r} is not there" if self._api_model else "there is no model"
            raise UserError(what, where=self._address, fix=f"It has {names}; `ollama pull NAME` fetches another.")
        return replace(found[0], served=tuple(each.name for each in models))


class _LineReader:
    """Reads the lines of a streamed answer: pieces while the text grows, and last the whole answer."""

    def __init__(self, config: GenerationConfig, completion: Callable[[Any, GenerationConfig], Completion]) -> None:
        self._config, self._completion = config, completion
        self._shown, self._tags = IncrementalText(config), ReasoningTags()
        self._text, self._logprobs = "", list[Any]()
        self._last: Mapping[str, Any] = {}

    def read(self, line: str) -> Iterator[str]:
        """Read one line.

        Raises:
            Malformed: where it is not what the protocol says, or tells of an error.
        """
        if not line:
            return
        self._last = as_object(parse_json(line), "a line")
        self._text += self._tags.join(*_split_thought(self._last))
        self._logprobs += as_list(self._last.get("logprobs") or [], "logprobs")
        if piece := self._shown.take_piece(self._text):
            yield piece

    def end(self) -> Iterator[str | Completion]:
        """Read the whole as if it had come at once."""
        self._text += self._tags.close()
        whole = {"message": {"content": self._text}, "logprobs": self._logprobs}
        completion = self._completion({**self._last, **whole}, self._config)
        yield self._shown.take_rest(completion.text)
        yield completion


@dataclass(frozen=True, slots=True)
class _Model:
    """A model that Ollama has; `served` are the names of all of them."""

    name: str
    digest: str
    served: tuple[str, ...] = ()


def _read_models(data: Any) -> list[_Model]:
    """Read the list of models."""
    models = as_list(as_object(data, "the answer").get("models"), "models")
    rows = [as_object(each, "a model") for each in models]
    return [_Model(as_text(each.get("name")), as_text(each.get("digest"))[:16]) for each in rows]


def _build_message(message: Message) -> dict[str, Any]:
    """Build a message with its images."""
    built: dict[str, Any] = {"role": message.role, "content": message.content}
    return built | {"images": [encode_image(each) for each in message.images]} if message.images else built


def _limit_bytes(config: GenerationConfig) -> int:
    """Return what an answer may hold."""
    return MOST_BYTES + config.max_new_tokens * (BYTES_OF_A_DETAIL if config.token_details else 0)


def _split_thought(data: Mapping[str, Any]) -> tuple[str, str]:
    """Split an answer, or a line of a streamed one, into its reasoning and its text."""
    if data.get("error"):
        raise Malformed(f"it broke off with {shorten(str(data['error']), 160)}")
    message = as_object(data.get("message", {}), "a message")
    return as_text(message.get("thinking")), as_text(message.get("content"))
