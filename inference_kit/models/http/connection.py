"""Connection: the proxy on the way to a server, and what is wrong with a secure connection.

Why: machines of institutes reach the world through a proxy only; and "certificate" is the wrong word for most of what
goes wrong with https.
Promises: http_proxy, https_proxy, all_proxy and no_proxy are obeyed; this machine is never asked through a proxy; the
password of a proxy is shown nowhere.
"""

import ipaddress
from dataclasses import dataclass, field
from urllib.parse import unquote, urlsplit
from urllib.request import getproxies, proxy_bypass

from inference_kit.errors import UserError


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
    if _is_this_machine(host) or proxy_bypass(host):
        return None
    proxies = getproxies()
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
            fix="Give the name that it is for.",
        )
    if "expired" in text or "not yet valid" in text:
        return UserError(
            f"the server's certificate is out of date ({_shorten(text)})",
            where=url,
            fix="Renew it, or set this machine's clock.",
        )
    if "CERTIFICATE_VERIFY_FAILED" in text:
        return UserError(
            f"nobody known here vouches for the server's certificate ({_shorten(text)})",
            where=url,
            fix="Name that of its authority, or its own: SSL_CERT_FILE=/path/to/ca.pem.",
        )
    return UserError(f"no secure connection ({_shorten(text)})", where=url, fix="Look at the server's TLS settings.")


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
