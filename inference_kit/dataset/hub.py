"""Hub: the table of a data set of the Hugging Face hub, or of a folder that was fetched from it.

Why: without a network the `datasets` package tries again for half a minute and logs a page; one line within seconds,
which says how to fetch the data elsewhere, is of more use.
Promises: what is cached needs no network; a folder needs none either.
"""

import os
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import Any
from urllib.error import HTTPError
from urllib.request import Request, urlopen

from inference_kit.dataset.files import is_data_file
from inference_kit.errors import UserError, first_line, named

SECONDS_TO_ANSWER = 5.0
SECONDS_TO_LOOK_UP = 3.0
"""How much longer the look-up of the hub's name may take, which has no time limit of its own."""

SPLIT = re.compile(r"(?<![a-z])(train|training|test|testing|validation|valid|val|dev|eval|evaluation)(?![a-z])")
"""A word in the path of a data file that says which split it is of."""


def load_table(place: str, subset: str | None, split: str, *, where: str) -> Any:
    """Load a split of a data set, which is a sequence of rows in a memory map.

    Args:
        place: A hub id, or the folder of a snapshot.
        subset: The configuration, where there are several.
        split: The split, or several with `+`.
        where: What error lines call it.

    Raises:
        UserError: where it cannot be had.
    """
    from huggingface_hub import constants

    is_folder = Path(place).is_dir()
    reason = "" if is_folder or constants.HF_HUB_OFFLINE else _find_why_unreachable(constants.ENDPOINT)
    why = f"{constants.ENDPOINT} does not answer: {reason}" if reason else ""
    if reason and not _may_be_cached(place):  # said before the seconds that the import of `datasets` takes
        raise _explain_not_loaded(place, why, where, is_folder=is_folder)

    import datasets
    from datasets.exceptions import DatasetsError

    try:
        with _offline() if reason else nullcontext():
            return datasets.load_dataset(place, subset, split=split)
    except (OSError, ValueError, RuntimeError, DatasetsError) as error:
        why = why or first_line(error).rstrip(".")
        raise _explain_not_loaded(place, why, where, is_folder=is_folder) from error


def _explain_not_loaded(place: str, why: str, where: str, *, is_folder: bool) -> UserError:
    fix = f"Check {named('split')} and {named('subset')}"
    if is_folder:
        return UserError(f"the snapshot cannot be loaded ({why})", where=where, fix=f"{fix}.")
    fetch = f"hf download {place} --repo-type dataset --local-dir FOLDER"
    return UserError(
        f"cannot be loaded from the hub ({why})",
        where=where,
        fix=f"{fix}, or fetch it where the hub can be reached ({fetch}) and give {named('dataset_path')} FOLDER; "
        f"a local file does as well: {named('dataset_path')} FILE.jsonl.",
    )


def _may_be_cached(hub_id: str) -> bool:
    """Return whether a cache has anything of the owner of a data set; how `datasets` spells its name is its own."""
    from huggingface_hub import constants

    owner = hub_id.partition("/")[0]
    prepared = Path(os.environ.get("HF_DATASETS_CACHE") or Path(constants.HF_HOME) / "datasets").expanduser()
    fetched = Path(constants.HF_HUB_CACHE)
    return any(prepared.glob(f"{owner}___*")) or any(fetched.glob(f"datasets--{owner}--*"))


def find_snapshot(folder: Path) -> Path | None:
    """Return the folder that holds the data files of a snapshot, None where `folder` is no snapshot of a data set.

    A snapshot has a data file whose path names a split. Its folder may be one of the hub's cache, which keeps
    snapshots by revision.
    """
    revision = folder / "refs" / "main"
    if revision.is_file():
        return find_snapshot(folder / "snapshots" / revision.read_text().strip())
    files = (each.relative_to(folder) for each in folder.rglob("*") if is_data_file(each))
    return folder if any(SPLIT.search(str(each).lower()) for each in files) else None


def _find_why_unreachable(address: str) -> str:
    """Return why nothing answers at an address; empty where something does, whatever it says."""
    found = [f"nothing within {SECONDS_TO_ANSWER:g} s"]

    def look() -> None:
        """Ask for nothing but an answer."""
        try:
            with urlopen(Request(address, method="HEAD"), timeout=SECONDS_TO_ANSWER):
                found[0] = ""
        except HTTPError:
            found[0] = ""
        except (OSError, ValueError) as error:
            found[0] = str(getattr(error, "reason", error))

    asking = threading.Thread(target=look, daemon=True)  # a look-up of a name that hangs must not hold the process
    asking.start()
    asking.join(SECONDS_TO_ANSWER + SECONDS_TO_LOOK_UP)
    return found[0]


@contextmanager
def _offline() -> Iterator[None]:
    """Let `datasets` look at its cache only."""
    from datasets import config
    from huggingface_hub import constants

    before = constants.HF_HUB_OFFLINE, config.HF_HUB_OFFLINE
    constants.HF_HUB_OFFLINE = config.HF_HUB_OFFLINE = True
    try:
        yield
    finally:
        constants.HF_HUB_OFFLINE, config.HF_HUB_OFFLINE = before
