"""Hubs: model files by id, fetched from where models are published.

Why: what is done with a folder does not depend on where it came from, so each hub is one function from id to folder.
Promises: a file that is here already is not fetched again; without a network the error says how to use a local folder.
"""

from collections.abc import Callable, Sequence
from pathlib import Path

from inference_kit.errors import UserError

SMALL = ("*.json", "*.jinja", "*.model")
"""What is fetched to know a model without its weights."""

Fetch = Callable[[str, str | None, Sequence[str] | None, str], Path]
"""(id, revision, patterns or None for all, the flag that gave the id) to a folder; a `UserError` where it fails."""


def from_huggingface(repository: str, revision: str | None, patterns: Sequence[str] | None, flag: str) -> Path:
    """The folder of a Hugging Face id."""
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HfHubHTTPError, HFValidationError, LocalEntryNotFoundError

    try:
        return Path(
            snapshot_download(repository, revision=revision, allow_patterns=list(patterns) if patterns else None)
        )
    except (HfHubHTTPError, HFValidationError, LocalEntryNotFoundError, OSError) as error:
        raise _not_fetched(repository, "hub id", f"hf download {repository} --local-dir FOLDER", flag, error) from error


def from_modelscope(repository: str, revision: str | None, patterns: Sequence[str] | None, flag: str) -> Path:
    """The folder of a ModelScope id; what was fetched before is found without a network."""
    try:
        from modelscope import snapshot_download
        from modelscope_hub.errors import CacheError, HubError
    except ImportError as error:
        raise UserError(
            "the package modelscope is not installed",
            where="--model modelscope",
            fix="Install it (pip install -r requirements-modelscope.txt), or give a local folder.",
        ) from error

    def snapshot(*, here: bool) -> Path:
        allowed = list(patterns) if patterns else None
        return Path(snapshot_download(repository, revision=revision, allow_patterns=allowed, local_files_only=here))

    try:
        try:
            return snapshot(here=True)
        except (CacheError, ValueError):
            return snapshot(here=False)
    except (HubError, OSError, ValueError) as error:
        command = f"modelscope download {repository} --local_dir FOLDER"
        raise _not_fetched(repository, "ModelScope id", command, flag, error) from error


def is_local(path: str) -> bool:
    """Whether the path is a folder of this machine (or is meant to be one)."""
    return path.startswith((".", "/", "~")) or Path(path).expanduser().exists()


def _not_fetched(repository: str, kind: str, command: str, flag: str, error: Exception) -> UserError:
    reason = str(error).strip().split("\n", 1)[0]
    return UserError(
        f"{repository!r} is no folder here and could not be fetched as a {kind} ({reason})",
        where=flag,
        fix=f"Check the id and the network; or fetch it elsewhere ({command}) and give that folder as {flag} FOLDER.",
    )
