"""The address of a server, as users may write it.

Promises: an address with a password or a part behind ? is refused, because addresses end up in files.
"""

from urllib.parse import urlsplit

from inference_kit.errors import UserError, named


def parse_address(address: str, *, setting: str = "model_path", default_path: str = "/v1") -> str:
    """Parse the address of a server, and return it without a slash at its end; `default_path` stands in for no path.

    Raises:
        UserError: where it is no address, or holds a password, which would end up in files.
    """
    try:
        parts = urlsplit(address.strip())
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
    if parts.query or parts.fragment:
        raise UserError(
            "the address has a part behind ? or #", where=named(setting), fix="It looks like http://HOST:PORT/v1."
        )
    return f"{parts.scheme}://{parts.netloc}{parts.path.rstrip('/') or default_path}"


def _explain_no_address(address: str, setting: str) -> UserError:
    shown = address.rpartition("@")[2]  # what stands before may be a password
    return UserError(
        f"{shown!r} is no address of a server", where=named(setting), fix="It looks like http://HOST:PORT/v1."
    )
