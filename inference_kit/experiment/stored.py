"""Stored runs, as users point at them: a final file, a partial file, or a folder of either."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from loguru import logger

from inference_kit.config import find_nearest
from inference_kit.errors import UserError
from inference_kit.evaluation import build_result_entry, judge
from inference_kit.experiment.files import name_final_file
from inference_kit.grader import GraderPool
from inference_kit.records import Index, Record
from inference_kit.records.indices import canonical_index
from inference_kit.search import METHODS
from inference_kit.store.call_files import CALLS
from inference_kit.store.results import PartialFile, read_final
from inference_kit.store.run_config import read_entries, read_entry
from inference_kit.voting import VOTES


@dataclass(frozen=True, slots=True)
class StoredRun:
    """The records of one run, what its final files say of it, and where those stand."""

    records: Callable[[], Iterable[Record]]
    header: Mapping[str, Any]
    stem: Path
    votes: tuple[str | None, ...]
    wanted: int | None = None
    """How many problems the run is of, where that is known."""

    def file(self, vote: str | None) -> Path:
        """Return where the final file of a vote stands."""
        return name_final_file(self.stem, vote)


def find_stored_runs(path: Path, unreadable: list[UserError] | None = None) -> list[StoredRun]:
    """Return the runs at `path`: of a final `.json`, of a partial `.jsonl`, or every run in and below a folder.

    Args:
        path: A file or a folder.
        unreadable: Gets the error of each file that cannot be read; without it the first one is raised.

    Raises:
        UserError: where nothing is there, or a file is not one of ours.
    """
    runs: list[StoredRun] = []
    for read, file in _find_files(path):
        try:
            runs.append(read(file))
        except UserError as error:
            if unreadable is None:
                raise
            unreadable.append(error)
    return runs


def _find_files(path: Path) -> list[tuple[Callable[[Path], StoredRun], Path]]:
    """Return each file of a run at `path`, and what reads it."""
    if not path.exists():
        raise UserError("no such file or folder", where=str(path), fix=find_nearest(path))
    if path.suffix == ".json":
        return [(_read_final_run, path)]
    if path.is_file():
        return [(_read_partial_run, path)]
    files = sorted(each for each in path.rglob("*.jsonl") if CALLS not in each.parts)
    if not files:
        raise UserError(
            "no results in this folder", where=str(path), fix="Results are .json and .jsonl files of a run."
        )
    return [(_read_partial_run, each) for each in files]


def read_entries_at(path: Path, grader: GraderPool) -> Iterator[Mapping[str, Any]]:
    """Yield the result entries of a final file as they stand there, or of a partial file, judged now."""
    if path.suffix == ".json":
        try:
            entries = read_final(path)[1]
        except UserError as error:
            run = _read_beside(path, error)
        else:
            yield from entries
            return
    else:
        runs = find_stored_runs(path)
        if len(runs) > 1:
            raise UserError(f"{len(runs)} runs are in this folder", where=str(path), fix="Name one of its files.")
        [run] = runs
    for record, judged in judge(run.records(), run.votes[:1], grader):
        yield build_result_entry(record, judged, run.votes[0], strict=False)


def _read_beside(path: Path, error: UserError) -> StoredRun:
    """Return the run whose final file at `path` cannot be read, from the partial file beside it.

    Raises:
        UserError: `error`, where there is none.
    """
    for vote in (None, *VOTES):
        stem = path.with_name(path.stem.removesuffix(f"-{vote}") if vote else path.stem)
        partial = stem.with_name(f"{stem.name}.jsonl")
        if path == name_final_file(stem, vote) and partial.is_file():
            logger.warning("{}: {}; its records are read from {}", error.where, error.what, partial.name)
            return replace(_read_partial_run(partial), votes=(vote,))
    raise UserError(error.what, where=error.where, fix="Run the same command again, which writes it anew.") from error


def _read_final_run(path: Path) -> StoredRun:
    try:
        header, entries = read_final(path)
    except UserError as error:
        return _read_beside(path, error)
    records = [Record.from_json(entry) for entry in entries]
    vote = header["vote"]
    stem = path.with_name(path.stem.removesuffix(f"-{vote}") if vote else path.stem)
    shown = {key: value for key, value in header.items() if key not in ("schema", "vote", "metrics")}
    return StoredRun(lambda: records, shown, stem, (vote,), _read_wanted(path.parent, header))


def _read_partial_run(path: Path) -> StoredRun:
    partial = PartialFile(path)
    first = next(iter(partial.read_records()), None)
    if first is None:
        raise UserError(
            "no record in this file", where=str(path), fix="Name a file of a run that has finished a problem."
        )
    stem = path.with_suffix("")
    header = next((each for each in read_entries(path.parent) if stem.name.endswith(f"-{each['method']}")), None)
    if header is None:
        header = {"dataset": stem.name, "model": None, "reward_model": None, "method": None, "config": {}}
    votes: list[str | None] = [name for name in VOTES if name_final_file(stem, name).exists()]
    if not votes:
        scored = any(candidate.step_scores for candidate in first.candidates)
        method = METHODS.get(str(header["method"]))
        alone = method is not None and method.one_solution
        votes = [None] if alone else ["best_last" if scored else "majority_vote"]
    order = _find_order(stem, votes, partial)
    wanted = _read_wanted(path.parent, header)
    return StoredRun(lambda: partial.read_in_order(order), header, stem, tuple(votes), wanted)


def _read_wanted(folder: Path, header: Mapping[str, Any]) -> int | None:
    """Read how many problems the last command of a run asked for."""
    wanted = read_entry(folder, str(header["method"])).get("problems")
    return wanted if isinstance(wanted, int) else None


def _find_order(stem: Path, votes: list[str | None], partial: PartialFile) -> list[Index]:
    """Find the order of the data set in a final file; else go by number where indices are numbers."""
    stored = [record.index for record in partial.read_records()]
    for vote in votes:
        final = name_final_file(stem, vote)
        if final.exists():
            try:
                known = [entry["index"] for entry in read_final(final)[1]]
            except UserError as error:
                logger.debug("{}: the order is not read from it", error)
                continue
            there = set(map(canonical_index, known))
            return [*known, *(index for index in stored if canonical_index(index) not in there)]
    return sorted(stored) if all(isinstance(index, int) for index in stored) else stored
