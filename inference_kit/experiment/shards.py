"""Shards: parts of one run that were done apart, each in a folder of its own, and how they become the whole.

Why: machines that share nothing can split a run by `--shard i/k`; what they leave is copied together and merged.
Promises: no two shards write to the same folder; only whole runs of the same settings are merged, with every problem
once, in the order of the data; the merged folder is that of a run that was never split, and goes on like one; what it
has done since is kept.
"""

import re
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import zip_longest
from pathlib import Path
from typing import Any

from inference_kit.dataset.selection import Shard
from inference_kit.errors import UserError, named
from inference_kit.experiment.stored import StoredRun, find_stored_runs
from inference_kit.records import Record
from inference_kit.records.indices import canonical_index
from inference_kit.store.atomic import make_folder, write_atomically
from inference_kit.store.encoding import encode
from inference_kit.store.lock import FolderLock
from inference_kit.store.results import PartialFile
from inference_kit.store.run_config import list_changes, read_entry, write_entry

FOLDER = re.compile(r"(?P<whole>.+)\+shard-(?P<number>[1-9]\d*)-of-(?P<of>[1-9]\d*)")
SELECTION = ("limit", "index", "shuffle_seed")
"""Settings that choose problems; with others, a shard is no part of the same whole."""


@dataclass(frozen=True, slots=True)
class _Part:
    """One shard as it is stored, and where the whole belongs."""

    run: StoredRun
    shard: Shard
    whole: Path

    @property
    def folder(self) -> Path:
        return self.run.stem.parent

    @property
    def entry(self) -> Mapping[str, Any]:
        """What config.json says of it."""
        entry = read_entry(self.folder, str(self.run.header["method"]))
        if not entry:
            raise UserError("the settings of this shard are missing", where=str(self.folder), fix=_COPY_ALL)
        return entry


def merge_runs(
    paths: Sequence[Path], unreadable: list[UserError] | None = None, *, write: bool = True
) -> list[StoredRun]:
    """Return the runs at `paths`, shards that stand in folders merged; a shard's own file is a run like any other.

    Args:
        paths: Files and folders.
        unreadable: Gets the error of each file that cannot be read; without it the first one is raised.
        write: Where false, shards are read as a whole, which is not written.

    Raises:
        UserError: where shards do not make a whole.
    """
    runs: dict[Path, StoredRun] = {}
    parts: defaultdict[tuple[str, str, int], dict[Path, _Part]] = defaultdict(dict)
    for path in paths:
        for run in find_stored_runs(path, unreadable):
            found = FOLDER.fullmatch(run.stem.parent.name)
            if path.is_file() or not found:
                runs[run.stem.resolve()] = run
                continue
            shard = Shard(int(found["number"]), int(found["of"]))
            whole = run.stem.parent.with_name(found["whole"]) / run.stem.name
            key = (found["whole"], run.stem.name, shard.of)
            parts[key][run.stem.resolve()] = _Part(run, shard, whole)
    for each in parts.values():
        merged = _merge(sorted(each.values(), key=lambda part: part.shard.number), write=write)
        runs[merged.stem.resolve()] = merged
    return list(runs.values())


def _merge(parts: Sequence[_Part], *, write: bool) -> StoredRun:
    """Return the whole run, beside its first part: written now, or gone on from what was merged before."""
    first = parts[0]
    _check_numbers(parts)
    _check_settings(parts)
    _check_complete(parts)
    order = [canonical_index(record.index) for record in _take_turns(parts)]
    twice = [index for index, count in Counter(order).items() if count > 1]
    if twice:
        raise UserError(f"problem {twice[0]!r} is in two shards", where=str(first.folder), fix=_SPLIT_AGAIN)
    if not write:
        return StoredRun(lambda: _take_turns(parts), first.run.header, first.whole, first.run.votes)
    path = first.whole.with_name(f"{first.whole.name}.jsonl")
    make_folder(path.parent)
    with FolderLock(path.parent):
        if path.exists() and "shards" not in read_entry(path.parent, str(first.run.header["method"])):
            return _check_unsplit(parts, path)
        _write_whole(parts, path)
    whole = PartialFile(path)
    return StoredRun(lambda: whole.read_in_order(order), first.run.header, first.whole, first.run.votes)


def _take_turns(parts: Sequence[_Part]) -> Iterator[Record]:
    """Yield the records of all parts in the order of the data: the first of each part, the second, and so on."""
    for records in zip_longest(*(part.run.records() for part in parts)):
        yield from (record for record in records if record is not None)


_SPLIT_AGAIN = f"Run all shards by the same command but for {named('shard')}."
_COPY_ALL = "Copy its whole folder, config.json too."


def _check_numbers(parts: Sequence[_Part]) -> None:
    of, place = parts[0].shard.of, str(parts[0].folder)
    numbers = Counter(part.shard.number for part in parts)
    for number, count in numbers.items():
        if count > 1:
            places = " and ".join(str(part.folder) for part in parts if part.shard.number == number)
            raise UserError(f"shard {number}/{of} is there twice: {places}", where=place, fix="Name one of them.")
    missing = [f"{number}/{of}" for number in range(1, of + 1) if number not in numbers]
    if missing:
        raise UserError(
            f"shard {', '.join(missing)} of this run is missing",
            where=place,
            fix="Name the folders of all shards; a shard's .jsonl file may be judged alone.",
        )


def _check_settings(parts: Sequence[_Part]) -> None:
    first = _list_settings(parts[0])
    for part in parts[1:]:
        if changed := list_changes(first, _list_settings(part)):
            raise UserError(
                f"shard {part.shard} has other settings than shard {parts[0].shard} ({'; '.join(changed)})",
                where=str(part.folder),
                fix=_SPLIT_AGAIN,
            )


def _list_settings(part: _Part) -> dict[str, Any]:
    """List the settings that the results of the whole run depend on."""
    settings = part.entry["config"]["settings"]
    return _read_dependencies(part.entry) | {name: settings.get(name, {}).get("value") for name in SELECTION}


def _read_dependencies(entry: Mapping[str, Any]) -> dict[str, Any]:
    depends_on: dict[str, Any] = entry["config"].get("depends_on", {})
    return depends_on


def _check_complete(parts: Sequence[_Part]) -> None:
    for part in parts:
        stored, wanted = sum(1 for _ in part.run.records()), part.entry["problems"]
        if stored < wanted:
            raise UserError(
                f"shard {part.shard} has {stored} of its {wanted} problems",
                where=str(part.folder),
                fix="Its own command, again, goes on with the rest.",
            )


def _check_unsplit(parts: Sequence[_Part], path: Path) -> StoredRun:
    """Return a run without `--shard` that is there already, where it has finished all that the parts have."""
    [whole] = find_stored_runs(path)
    changed = list_changes(_read_dependencies(parts[0].entry), _read_dependencies(whole.header))
    finished = PartialFile(path).find_finished()
    missing = [
        record.index
        for record in _take_turns(parts)
        if record.error is None and canonical_index(record.index) not in finished
    ]
    if changed or missing:
        why = "; ".join(changed) or f"problem {missing[0]!r} is not done there"
        raise UserError(
            f"a run that was not split is there already, and is not the one that the shards make ({why})",
            where=str(path),
            fix=f"Move it away, or go on with it by the same command without {named('shard')}.",
        )
    return whole


def _write_whole(parts: Sequence[_Part], path: Path) -> None:
    first, method = parts[0], str(parts[0].run.header["method"])
    entry = {**first.run.header, "shards": [str(part.folder) for part in parts]}
    write_entry(path.parent, method, entry, fresh=True)
    with write_atomically(path) as lines:
        for record in _take_turns(parts):
            lines.write(encode(record.to_json()) + "\n")
