"""The address of a server, as users may write it.

Promises: an address with a password or a key is refused, because addresses end up in files.
"""

import os
import re
from dataclasses import dataclass
from urllib.parse import parse_qsl, urlsplit

from inference_kit.errors import UserError, named

ENDPOINTS = (
    *("/chat/completions", "/completions", "/responses", "/embeddings", "/models", "/chat"),
    *("/api/chat", "/api/generate", "/api/tags"),
)
"""What the address of one endpoint ends with, where that of the server is meant."""
_NO_SCHEME = re.compile(r"(?:localhost|\d+(?:\.\d+){3}|\[[0-9a-fA-F:]+\]|[\w.-]+(?=:))(?::\d+)?(?:[/?].*)?")
"""A place without http:// before it: with a port, or this machine, or a number; a name alone may be a model's."""
OLLAMA_ADDRESS, OLLAMA_PORT = "http://localhost:11434", 11434
_SECRET = re.compile(r"key|token|secret|sig|pass|auth|code|cred", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Endpoint:
    """A server's address without a slash at its end, and the query that belongs to each of its requests."""

    url: str
    query: str = ""


def parse_address(address: str, *, setting: str = "model_path", default_path: str = "/v1") -> str:
    """Parse the address of a server that takes no query, and return it without a slash at its end.

    Raises:
        UserError: where it is no address, or holds a password, which would end up in files.
    """
    endpoint = parse_endpoint(address, setting=setting, default_path=default_path)
    if endpoint.query:
        raise UserError(
            "the address has a part behind ?", where=named(setting), fix="It looks like http://HOST:PORT/v1."
        )
    return endpoint.url


def parse_endpoint(address: str, *, setting: str = "model_path", default_path: str = "/v1") -> Endpoint:
    """Parse the address of a server, or of one of its endpoints; `default_path` stands in for no path.

    Raises:
        UserError: where it is no address, or holds a password or a key, which would end up in files.
    """
    plain = address.strip(" \t\r\n'\"<>")
    if _NO_SCHEME.fullmatch(plain):
        plain = f"http://{plain}"
    try:
        parts = urlsplit(plain)
        port = parts.port
    except ValueError as error:
        raise _explain_no_address(address, setting) from error
    if parts.username or parts.password:
        raise UserError(
            "the address holds a user name or password",
            where=named(setting),
            fix=f"Keep keys in the environment: {named('api_key_env')}.",
        )
    if parts.scheme not in ("http", "https") or not parts.hostname or port == 0:
        raise _explain_no_address(address, setting)
    if parts.fragment or any(_SECRET.search(name) for name, _ in parse_qsl(parts.query, keep_blank_values=True)):
        raise UserError(
            "the address has a key behind ?, or a part behind #",
            where=named(setting),
            fix=f"Keep keys in the environment: {named('api_key_env')}, or {named('header')} 'NAME: $VARIABLE'.",
        )
    return Endpoint(f"{parts.scheme}://{parts.netloc.rstrip(':')}{_read_path(parts.path) or default_path}", parts.query)


def find_openai_address(setting: str) -> str:
    """Find the address of a server that nobody has given: in OPENAI_BASE_URL.

    Raises:
        UserError: where that is not set.
    """
    for name in ("OPENAI_BASE_URL", "OPENAI_API_BASE"):
        if address := os.environ.get(name, "").strip():
            return address
    fix = f"Give {named(setting)} http://HOST:PORT/v1, or set OPENAI_BASE_URL."
    raise UserError("the server's address is missing", where=named(setting), fix=fix)


def find_ollama_address() -> str:
    """Find the address of Ollama that nobody has given: in OLLAMA_HOST, as Ollama itself reads it, or its usual one."""
    host = os.environ.get("OLLAMA_HOST", "").strip(" \t'\"")
    if not host:
        return OLLAMA_ADDRESS
    scheme, _, rest = host.rpartition("://")
    place, slash, path = rest.partition("/")
    found = re.fullmatch(r"(\[[^]]*\]|[^:]*)(?::(\w*))?", place)
    name, port = (found[1], found[2]) if found else (f"[{place}]", None)  # several colons are an address of IPv6
    if name in ("", "0.0.0.0", "[::]"):  # where a server listens, which is no place to ask
        name = "127.0.0.1"
    if port is None:
        port = {"https": "443", "http": "80"}.get(scheme, "")
    if not (port.isdecimal() and int(port) < 1 << 16):
        port = str(OLLAMA_PORT)
    return f"{scheme or 'http'}://{name}:{port}{slash}{path}".rstrip("/")


def _read_path(path: str) -> str:
    """Read the path of a server from that of one of its endpoints."""
    path = re.sub("/+", "/", path).rstrip("/")
    end = next((end for end in ENDPOINTS if path.lower().endswith(end)), "")
    return path[: len(path) - len(end)].rstrip("/")


def _explain_no_address(address: str, setting: str) -> UserError:
    shown = address.rpartition("@")[2]  # what stands before may be a password
    return UserError(
        f"{shown!r} is no address of a server", where=named(setting), fix="It looks like http://HOST:PORT/v1."
    )
