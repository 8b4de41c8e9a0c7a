"""Connection: the proxy on the way to a server, where it redirects to, and what is wrong with a secure connection.

Why: machines of institutes reach the world through a proxy only; and "certificate" is the wrong word for most of what
goes wrong with https.
Promises: http_proxy, https_proxy, all_proxy and no_proxy are obeyed; this machine is never asked through a proxy; the
password of a proxy is shown nowhere.
"""

import contextlib
import ipaddress
import os
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import unquote, urlsplit
from urllib.request import getproxies, proxy_bypass

from inference_kit.errors import UserError
from inference_kit.models.http.untrusted_json import shorten


@dataclass(frozen=True, slots=True)
class Proxy:
    """A proxy of the environment; its user and password are empty where it wants none."""

    url: str
    user: str = ""
    password: str = field(default="", repr=False)


def find_proxy(url: str) -> Proxy | None:
    """Find the proxy that the environment names for an address; None where there is none for it.

    Raises:
        UserError: for one of another kind than http.
    """
    parts = urlsplit(url)
    host = parts.hostname or ""
    proxies = getproxies()
    if _is_this_machine(host) or proxy_bypass(parts.netloc) or _is_in_networks(host, proxies.get("no", "")):
        return None
    given = proxies.get(parts.scheme) or proxies.get("all")
    if not given:
        return None
    found = urlsplit(given if "://" in given else f"http://{given}")
    place = found.netloc.rpartition("@")[2]
    if found.scheme not in ("http", "https") or not found.hostname:
        raise UserError(
            f"the proxy {found.scheme}://{place} is none for http",
            where=f"{parts.scheme}_proxy",
            fix="Name one that begins with http://, or name the server in no_proxy.",
        )
    return Proxy(f"{found.scheme}://{place}", unquote(found.username or ""), unquote(found.password or ""))


def explain_proxy(status: int, proxy: str) -> UserError | None:
    """Say why a proxy lets nothing through; None where it may do so later."""
    if status == 407:
        fix = "Put them into its address: http://USER:PASSWORD@HOST:PORT."
        return UserError(f"HTTP 407: the proxy {proxy} wants a user and a password", where="http_proxy", fix=fix)
    if status // 100 == 4 and status not in (408, 425, 429):
        fix = "Ask for permission there, or name the server in no_proxy."
        return UserError(f"HTTP {status}: the proxy {proxy} lets nothing through to the server", fix=fix)
    return None


def find_moved_path(base_url: str, here: str, there: str) -> str:
    """Find the path below `base_url` of a redirect that differs by a slash at its end only; empty for any other."""
    base, asked, wanted = (url.partition("?")[0] for url in (base_url, here, there))
    is_moved = asked != wanted and asked.rstrip("/") == wanted.rstrip("/") and wanted.startswith(base)
    return wanted.removeprefix(base) if is_moved else ""


def read_reason(error: Exception) -> str:
    """Read the operating system's own words where there are any: `Connection refused`."""
    number = getattr(error, "errno", None)
    return os.strerror(number) if number and number > 0 else shorten(str(error) or type(error).__name__, 120)


def explain_tls(error: Exception, url: str) -> UserError:
    """Say why there is no secure connection, and what helps."""
    text = str(error)
    if "WRONG_VERSION" in text or "RECORD_LAYER" in text or "record layer" in text or "UNEXPECTED_EOF" in text:
        plain = url.replace("https://", "http://", 1)
        return UserError("the server does not speak https there", where=url, fix=f"Its address may be {plain}.")
    if "mismatch" in text or "not valid for" in text:
        return UserError(
            f"the server's certificate is for another name ({_shorten(text)})",
            where=url,
            fix=f"Give the name that it is for; openssl s_client -connect {_find_place(url)} shows it.",
        )
    if "expired" in text or "not yet valid" in text:
        return UserError(
            f"the server's certificate is out of date ({_shorten(text)})",
            where=url,
            fix="Renew it, or set this machine's clock.",
        )
    if "Missing" in text or "not marked critical" in text or "too weak" in text or "too small" in text:
        return UserError(
            f"the server's certificate is not as rules of today want it ({_shorten(text)})",
            where=url,
            fix="Have it made anew.",
        )
    if "CERTIFICATE_VERIFY_FAILED" in text:
        return UserError(
            f"nobody known here vouches for the server's certificate ({_shorten(text)})",
            where=url,
            fix=_advise_authority(),
        )
    return UserError(f"no secure connection ({_shorten(text)})", where=url, fix="Look at the server's TLS settings.")


def _advise_authority() -> str:
    """Say how to name who vouches for a server, by what the environment names already."""
    if (given := os.environ.get("SSL_CERT_FILE")) and not Path(given).is_file():
        return f"SSL_CERT_FILE={given} is no file; it is to name the certificate of its authority, or its own."
    others = (os.environ.get(name, "") for name in ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"))
    known = next((each for each in others if each and not given and Path(each).is_file()), "/path/to/ca.pem")
    return f"Name that of its authority, or its own: SSL_CERT_FILE={known}."


def _find_place(url: str) -> str:
    """Return host and port of an address."""
    parts = urlsplit(url)
    return f"{parts.hostname}:{parts.port or 443}"


def _is_in_networks(host: str, no_proxy: str) -> bool:
    """Tell whether a host is an address in one of the networks that no_proxy names, such as 10.0.0.0/8."""
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return False
    for each in no_proxy.split(","):
        with contextlib.suppress(ValueError):
            if "/" in each and address in ipaddress.ip_network(each.strip(), strict=False):
                return True
    return False


def _is_this_machine(host: str) -> bool:
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return False
    return address.is_loopback or address.is_unspecified


def _shorten(text: str) -> str:
    """Shorten the text of a TLS error to what it says in words."""
    return text.rpartition("] ")[2].partition(" (_ssl")[0][-160:]
