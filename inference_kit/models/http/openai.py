"""OpenAI: any server that speaks OpenAI's protocol: vLLM, SGLang, llama.cpp, hosted services.

Why: whoever has a server has weights, speed and batching already; it is asked over one HTTP session.
Promises: torch is not imported; each completion has its own seed and is handed on as it comes; a partial answer is
continued only where the server can (docs/servers.md says how), and exactly as it stands; keys come from the
environment and go nowhere but to the server.
"""

import asyncio
import threading
from collections.abc import AsyncIterator, Sequence
from contextlib import aclosing
from typing import Annotated

from inference_kit.budget import Prices
from inference_kit.errors import named
from inference_kit.models.base import Capabilities, Engine, choose_concurrency
from inference_kit.models.http.address import find_openai_address, parse_endpoint
from inference_kit.models.http.blocking import run_blocking
from inference_kit.models.http.client import CompletionClient
from inference_kit.models.http.extras import RequestSettings, identify, merge_fields
from inference_kit.models.http.kinds import KINDS, Server, contact
from inference_kit.models.http.replies import FirstTokens
from inference_kit.models.http.requests import Api, join_contents
from inference_kit.models.http.session import HttpSession, ServerSettings
from inference_kit.records import Completion, GenerationConfig, Message, Prompt
from inference_kit.registry import flatten_settings, unknown


class OpenAI(Engine):
    """A server that speaks OpenAI's protocol, by its address.

    Args:
        separator: Text that ends a step.
        api_model: The model's name on the server; the first one served where it is not given.
        api_key_env: The environment variable that holds the key.
        api: chat, or completions: plain text continued, for models without a chat template.
        server_kind: auto asks the server; else vllm, sglang, llama.cpp, ollama, openai, mistral, hosted or other.
        n_per_request: Completions in one request; 0 is all of a prompt where child i gets the seed + i (vLLM), else 1.
        prompt_price: Dollars for a million tokens read.
        completion_price: Dollars for a million tokens written.
        reasoning_effort: How long a reasoning model thinks, such as low; its server's own where it is not given.
        thinking: Whether a local model thinks (chat_template_kwargs); its template's own where it is not given.
        model_name: The model's name in folders and tables, and wherever it is served; the server's own if not given.
    """

    @flatten_settings
    def __init__(
        self,
        model_path: str = "",
        api_key: str = "",  # instead of the variable's; no setting, because keys do not belong on a command line
        setting: str = "model_path",  # what gave the address, for messages
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
        reasoning_effort: str | None = None,
        thinking: bool | None = None,
        request: RequestSettings = RequestSettings(),
        model_name: str | None = None,
    ) -> None:
        if server_kind not in ("auto", *KINDS):
            raise unknown(server_kind, ("auto", *KINDS), "kind of server", where=named("server_kind"))
        self.separator, self.concurrency = separator, choose_concurrency(server.server_concurrency)
        if prompt_price is not None or completion_price is not None:
            self.prices = Prices(prompt_price or 0.0, completion_price or 0.0)
        endpoint = parse_endpoint(model_path or find_openai_address(setting), setting=setting)
        self._address, self._query, self._setting = endpoint.url, endpoint.query, setting
        self._headers = request.read_headers()
        api_model = api_model or _find_deployment(self._address)
        self._model_name = model_name
        kwargs = {"chat_template_kwargs": {"enable_thinking": thinking, "thinking": thinking}}
        self._fields = merge_fields(
            kwargs if thinking is not None else None,
            {"reasoning_effort": reasoning_effort} if reasoning_effort else None,
            request.extra_body,
        )
        self._api_model, self._key_env, self._api, self._kind = api_model, api_key_env, api, server_kind
        self._api_key = api_key
        self._session = HttpSession(
            self._address,
            key_env=api_key_env,
            key=api_key,
            server=server,
            setting=setting,
            query=self._query,
            headers=self._headers,
        )
        self._client = CompletionClient(self._session, api, n_per_request, self._fields)
        self._lock = threading.Lock()
        self._server: Server | None = None

    @property
    def identity(self) -> str:  # type: ignore[override]
        """Address, interface and name of the model; the server is asked where the name was not given.

        A model that the user names is itself at every address. Fields that were added belong to it.
        """
        if self._model_name:
            return f"openai:{self._api}:{self._model_name}{identify(self._fields)}"
        return f"openai:{self._address}:{self._api}:{self.served_name}{identify(self._fields)}"

    @property
    def served_name(self) -> str:  # type: ignore[override]
        """The name of the model, by the user or else on the server."""
        return self._model_name or self._api_model or self._ask_server().model

    @property
    def capabilities(self) -> Capabilities:  # type: ignore[override]
        """What this kind of server cannot do."""
        kind = self._ask_server().kind
        refused = kind.refused if kind.continues else kind.refused | {"branch_first"}
        return Capabilities(
            refused_settings=refused,
            prefix_blind_settings=kind.prefix_blind_settings,
            prefix=kind.continues,
            certainty=False,
            images=self._api == "chat",
            shares_prompt=False,
        )

    @property
    def context_length(self) -> int | None:
        """The longest prompt and completion together, as far as the server tells."""
        return self._ask_server().context_length

    @property
    def served_models(self) -> tuple[str, ...]:
        """The names of all models of the server; empty where it does not list them."""
        return self._ask_server().served

    def as_known_here(self) -> Engine | None:
        """Return this engine once the server was asked; before, nothing is known of it."""
        return self if self._server else None

    def render(self, messages: Sequence[Message]) -> str:
        """Join the messages as they are sent as plain text; a chat is rendered by the server."""
        return join_contents(messages)

    def check(self, config: GenerationConfig) -> None:
        """Refuse what the server cannot do, and say at once where there is none."""
        self._ask_server()
        super().check(config)

    async def generate(self, prompt: Prompt, config: GenerationConfig) -> AsyncIterator[tuple[int, Completion]]:
        """Write the completions of one prompt, each as its request is answered."""
        server = await self._await_server()
        async with aclosing(self._client.generate(server, prompt, config)) as answers:
            async for found in answers:
                yield found

    async def stream(self, prompt: Prompt, config: GenerationConfig) -> AsyncIterator[tuple[int, str | Completion]]:
        """Write the completions of one prompt, and show their texts as the server sends them."""
        if config.branch_first:
            async for found in super().stream(prompt, config):
                yield found
            return
        server = await self._await_server()
        async with aclosing(self._client.stream(server, prompt, config)) as answers:
            async for piece in answers:
                yield piece

    async def ask_first_tokens(self, prompt: Prompt) -> FirstTokens:
        """Ask for the likeliest first tokens of a reply with their log-probabilities at temperature 1."""
        config = GenerationConfig(temperature=1.0, token_details=True)
        return await self._client.ask_first_tokens(await self._await_server(), prompt, config)

    async def close(self) -> None:
        """Close the connections."""
        await self._session.close()

    async def _await_server(self) -> Server:
        """Return what the server says of itself, without blocking."""
        # Known after the first time, and a thread for each prompt would cost more than its request.
        return self._server if self._server is not None else await asyncio.to_thread(self._ask_server)

    def _ask_server(self) -> Server:
        """Ask the server what it says of itself, once; blocking."""
        with self._lock:
            if self._server is None:
                names = {"key_env": self._key_env, "key": self._api_key, "kind": self._kind, "setting": self._setting}
                asked = contact(self._address, self._api_model, **names, query=self._query, headers=self._headers)
                self._server = run_blocking(asked)
            return self._server


def _find_deployment(address: str) -> str | None:
    """Find the model that an address names, as Azure's do: /openai/deployments/NAME."""
    _, found, rest = address.partition("/deployments/")
    return rest.partition("/")[0] or None if found else None
