"""config.json: what made the results of a folder, and the check that a resumed run is the same run.

Why: results of two settings in one file are worse than no results.
Promises: each method of a folder has its own entry. A run whose results would depend on other settings than the stored
ones stops before anything is written, and every difference is named.
"""

import json
import secrets
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

from loguru import logger

from inference_kit.errors import UserError, named
from inference_kit.records import SCHEMA
from inference_kit.store.atomic import write_atomically

NAME = "config.json"
DATA_CHANGED = "the content of the data set has changed"
FINAL_HEADER = ("dataset", "model", "reward_model", "method", "config")


def read_entries(folder: Path) -> list[dict[str, Any]]:
    """Read what final files of this folder say before their metrics, one entry for each method."""
    return [
        {key: value for key, value in entry.items() if key in FINAL_HEADER}
        for entry in _read(folder / NAME)["methods"].values()
    ]


def read_entry(folder: Path, method: str) -> dict[str, Any]:
    """Read the whole entry of one method; empty where it has none."""
    entry: dict[str, Any] = _read(folder / NAME)["methods"].get(method, {})
    return entry


def list_changes(stored: Mapping[str, Any], now: Mapping[str, Any]) -> list[str]:
    """List each setting that differs, with both values; of data, which is known by its digest, only that it does."""
    return [
        f"{name}: {stored.get(name)!r} -> {now.get(name)!r}" if name != "dataset" else DATA_CHANGED
        for name in sorted({*stored, *now})
        if stored.get(name) != now.get(name)
    ]


def check_same_run(
    folder: Path, method: str, depends_on: Mapping[str, Any], former: Mapping[str, Any] = MappingProxyType({})
) -> None:
    """Refuse to go on with a stored run whose results depend on other settings.

    Args:
        folder, method: The stored run.
        depends_on: What results depend on now.
        former: What earlier versions stored of some of it, where they meant the same.

    Raises:
        UserError: naming each setting, its stored and its new value.
    """
    entry = read_entry(folder, method)
    stored = dict(entry["config"]["depends_on"]) if entry else {}
    for name, value in former.items():
        if value and stored.get(name) == value:
            stored[name] = depends_on[name]
            logger.info("{} was stored by an earlier version; what is missing is generated anew", folder)
    if entry and (changed := list_changes(stored, depends_on)):
        old = "the data as they were" if changed == [DATA_CHANGED] else "the old settings"
        raise UserError(
            f"the stored run has other settings ({'; '.join(changed)})",
            where=str(folder),
            fix=f"Use {named('overwrite')} to start anew, another {named('exp_name')} to keep both, or {old} to go on.",
        )


def write_entry(folder: Path, method: str, entry: Mapping[str, Any], *, fresh: bool) -> str:
    """Store the entry of one method and return the run's id, 16 hexadecimal digits; a `fresh` run gets a new one.

    Raises:
        UserError: where the file there is no config of this program, or the disk refuses.
    """
    config = _read(folder / NAME)
    stored = config["methods"].get(method)
    run = secrets.token_hex(8) if fresh or stored is None else stored["run"]
    config["methods"][method] = {"run": run, **entry}
    with write_atomically(folder / NAME) as file:
        json.dump(config, file, ensure_ascii=False, indent=1)
        file.write("\n")
    return str(run)


def _read(path: Path) -> dict[str, Any]:
    if not path.exists():
        return {"schema": SCHEMA, "methods": {}}
    try:
        config: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        if config["schema"] > SCHEMA:
            raise UserError(f"schema {config['schema']} is newer than this program's {SCHEMA}", where=str(path))
        assert isinstance(config["methods"], dict)
    except (ValueError, KeyError, TypeError, AssertionError) as error:
        raise UserError(
            f"not a config of this program ({error})", where=str(path), fix="Move the file away."
        ) from error
    return config
