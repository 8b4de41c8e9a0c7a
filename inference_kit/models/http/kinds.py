"""Server kinds: what is known of the programs and services that speak OpenAI's protocol, and how to tell them apart.

Why: a server ignores fields that it does not know and answers 200, so what it cannot do has to be known beforehand.
Promises: a server is recognised by what it says of itself or by its host name; one that says nothing is taken for able
to do what docs/servers.md asks of it.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import Any, Literal, TypeVar
from urllib.parse import urlsplit

from inference_kit.errors import EngineError, UserError, named
from inference_kit.models.http.address import parse_endpoint
from inference_kit.models.http.blocking import run_blocking
from inference_kit.models.http.refusals import Denied, Refused, Unreachable
from inference_kit.models.http.session import HttpSession, ServerSettings
from inference_kit.models.http.untrusted_json import Malformed

Protocol = Literal["openai", "ollama"]
EXTENSIONS = frozenset({"top_k", "min_p", "repetition_penalty"})
"""Settings that the official protocol does not have."""
COUNTING = frozenset({"frequency_penalty", "presence_penalty"})
"""Settings that count what was written, where servers do not count a partial answer."""
NO_LIST = frozenset({404, 405, 501})
"""How a server answers that does not list its models; one may also forbid it."""
PROBE = ServerSettings(request_seconds=20.0, max_retries=2)
"""How a server is probed before a run: long enough for a stumble, short enough for a wrong address."""
WITHOUT_SERVER = "What is finished can be seen without it: main.py evaluate."

Result = TypeVar("Result")


@dataclass(frozen=True, slots=True)
class ServerKind:
    """What a kind of server can do.

    `continues` is the continuation of a partial answer; `shares_n` that child i of a request with `n` has its seed + i;
    `wants_all` that every sampling setting is sent, because the server would put the model's own in the place of what
    is missing; `lists_all` that it serves what it lists and nothing else; `max_tokens` and `seed` are its names for
    those fields; `refused` are settings it does not know, and `prefix_blind_settings` those that take no notice of a
    partial answer.
    """

    name: str
    continues: bool = True
    shares_n: bool = False
    wants_all: bool = False
    lists_all: bool = True
    max_tokens: str = "max_tokens"
    seed: str = "seed"
    refused: frozenset[str] = field(default_factory=frozenset)
    prefix_blind_settings: frozenset[str] = COUNTING | {"repetition_penalty"}


VLLM = ServerKind("vllm", shares_n=True, wants_all=True, prefix_blind_settings=COUNTING)
SGLANG = ServerKind("sglang", wants_all=True)
LLAMA_CPP = ServerKind("llama.cpp", continues=False)
OLLAMA = ServerKind("ollama", continues=False, refused=EXTENSIONS)
HOSTED = ServerKind("hosted", continues=False, lists_all=False, refused=EXTENSIONS)
OPENAI = replace(HOSTED, name="openai", max_tokens="max_completion_tokens")
MISTRAL = replace(HOSTED, name="mistral", seed="random_seed")
OTHER = ServerKind("other")

KINDS = {kind.name: kind for kind in (VLLM, SGLANG, LLAMA_CPP, OLLAMA, HOSTED, OPENAI, MISTRAL, OTHER)}
OWNERS = {"vllm": VLLM, "sglang": SGLANG, "llamacpp": LLAMA_CPP, "library": OLLAMA}
"""What `owned_by` in the list of models says of the program that serves them."""
DOMAINS = {"openai.com": OPENAI, "azure.com": OPENAI, "mistral.ai": MISTRAL} | dict.fromkeys(
    [
        *("anthropic.com", "deepseek.com", "fireworks.ai", "googleapis.com", "groq.com"),
        *("openrouter.ai", "together.xyz", "x.ai", "cohere.ai", "cohere.com", "perplexity.ai", "aliyuncs.com"),
    ],
    HOSTED,
)


@dataclass(frozen=True, slots=True)
class Server:
    """What a server says of itself; the context's length is that of its model, None where it does not tell.

    `served` are the names of all its models, empty where it does not list them.
    """

    kind: ServerKind
    model: str
    context_length: int | None
    served: tuple[str, ...] = ()

    @property
    def shown(self) -> str:
        """The first of `served`, for a message."""
        return ", ".join(map(repr, self.served[:20])) or "what it does not list"


async def contact(
    base_url: str,
    model: str | None,
    *,
    key_env: str,
    key: str = "",
    kind: str = "auto",
    setting: str = "model_path",
    query: str = "",
    headers: Mapping[str, str] = MappingProxyType({}),
) -> Server:
    """Ask the server at `base_url` what it is and whether it serves `model`, the first one where that is None.

    Raises:
        UserError: where it cannot be reached, is no such server, wants another key, or does not serve the model.
    """
    session = HttpSession(
        base_url, key_env=key_env, key=key, server=PROBE, setting=setting, query=query, headers=headers
    )
    try:
        models = await ask_and_close(session, "/models", _read_models)
    except Unreachable:
        raise
    except (EngineError, Denied) as error:
        forbidden = isinstance(error, Denied)
        if forbidden and model is None:
            raise
        if model is None or not (forbidden or (isinstance(error, Refused) and error.status in NO_LIST)):
            raise UserError(
                f"the server does not say what it serves ({error.what})",
                where=f"{base_url}/models",
                fix=f"The address usually ends in /v1; or name the model with {name_model_setting(setting)}.",
            ) from error
        models = []
    owners = [str(each.get("owned_by")) for each in models]
    by_itself = _find_service(base_url) or next((OWNERS[owner] for owner in owners if owner in OWNERS), OTHER)
    its_kind = by_itself if kind == "auto" else KINDS[kind]
    names = tuple(str(each["id"]) for each in models)
    chosen = model or (names[0] if names else "")
    length = next((each.get("max_model_len") for each in models if each["id"] == chosen), None)
    server = Server(its_kind, chosen, length if isinstance(length, int) and length > 0 else None, names)
    if not chosen:
        raise UserError("the server serves no model", where=base_url)
    if names and chosen not in names and its_kind.lists_all:
        fix = f"It serves {server.shown}; choose with {name_model_setting(setting)}."
        raise UserError(f"model {chosen!r} is not served", where=base_url, fix=fix)
    return server


async def ask_and_close(session: HttpSession, path: str, read: Callable[[Any], Result]) -> Result:
    """Ask one question before a run, and close the session.

    Raises:
        Unreachable: with what there is to see without the server.
        UserError: like `HttpSession.get`.
    """
    try:
        return await session.get(path, read)
    except Unreachable as error:
        raise Unreachable(error.what, where=error.where, fix=f"{error.fix} {WITHOUT_SERVER}") from error
    finally:
        await session.close()


def name_model_setting(setting: str) -> str:
    """Name the setting that chooses a server's model, by the one that gives its address."""
    return named(setting.replace("model_path", "api_model"))


def detect_protocol(url: str) -> Protocol:
    """Detect whether a server is Ollama or OpenAI-compatible by asking it; blocking.

    Raises:
        EngineError: where no server can be reached at `url`.
    """
    root = parse_endpoint(url, default_path="").url
    parts = urlsplit(root)
    if _find_service(root):
        return "openai"
    session = HttpSession(f"{parts.scheme}://{parts.netloc}", server=PROBE)

    async def ask() -> Protocol:
        """Ask for the version of Ollama, which no other server gives."""
        try:
            return await ask_and_close(session, "/api/version", _read_protocol)
        except Unreachable:
            raise
        except UserError:
            return "openai"

    return run_blocking(ask())


def _find_service(url: str) -> ServerKind | None:
    """Find the kind of a service by its host name, of which it may be a subdomain."""
    labels = (urlsplit(url).hostname or "").split(".")
    return next((found for first in range(len(labels)) if (found := DOMAINS.get(".".join(labels[first:])))), None)


def _read_protocol(data: Any) -> Protocol:
    if not isinstance(data, dict) or not isinstance(data.get("version"), str):
        raise Malformed("it names no version")
    return "ollama"


def _read_models(data: Any) -> list[Mapping[str, Any]]:
    models = data.get("data") if isinstance(data, dict) else None
    if not isinstance(models, list) or not all(isinstance(each, dict) and "id" in each for each in models):
        raise Malformed("it is no list of models, as /v1/models gives it")
    return models
