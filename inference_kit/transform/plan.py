"""Plan: which files are read, and where each one's output goes.

Why: a folder of files becomes a folder of the same shape, and no input may ever be overwritten by accident.
Promises: files are in sorted order; what lies below the output, or in a folder whose name begins with a dot, is no
input; an output that is an input is refused, whatever links lead there; nothing is written here.
"""

import os
from collections.abc import Iterator
from dataclasses import dataclass
from fnmatch import fnmatch
from pathlib import Path

from inference_kit.config import find_nearest
from inference_kit.dataset.compression import split_suffix
from inference_kit.errors import UserError, named
from inference_kit.transform.rows import SUFFIXES

STATE_FOLDER = ".transform"
SHOWN = 8


@dataclass(frozen=True, slots=True)
class FilePlan:
    """One file: where it is read, where its output goes, and where what is being written stands until it is whole."""

    source: Path
    output: Path
    state_folder: Path
    name: str
    in_place: bool = False

    @property
    def part(self) -> Path:
        """The output while it grows; packed as the output is."""
        return self.state_folder / f"{self._stem}.part{split_suffix(self.output)[1]}"

    @property
    def state(self) -> Path:
        """How far the output is."""
        return self.state_folder / f"{self._stem}.state.json"

    @property
    def _stem(self) -> str:
        return self.name.replace("/", "+")


def plan_files(source: Path, glob: str | None, output: Path | None) -> list[FilePlan]:
    """List the files to transform.

    Args:
        source: A file, or a folder of them.
        glob: Which files of a folder: a pattern of names, or with a slash of paths in the folder.
        output: The folder for outputs; None replaces each input.

    Raises:
        UserError: where there is nothing to read, or an output would overwrite an input.
    """
    if not source.exists():
        raise UserError(f"{source} does not exist", where=named("input"), fix=find_nearest(source))
    if output is not None and output.exists() and not output.is_dir():
        raise UserError(f"{output} is a file", where=named("output"), fix="Name a folder.")
    paths = [source] if source.is_file() else list(_find_inputs(source, glob, output))
    base = source.parent if source.is_file() else source
    plans = [_plan_file(path, base, output) for path in paths]
    inputs = {os.path.realpath(plan.source) for plan in plans}
    for plan in plans:
        if not plan.in_place and os.path.realpath(plan.output) in inputs:
            fix = f"Choose another folder, or {named('inplace')}."
            raise UserError(f"{plan.output} is an input and would be overwritten", where=named("output"), fix=fix)
    return plans


def _plan_file(path: Path, base: Path, output: Path | None) -> FilePlan:
    name = path.relative_to(base).as_posix()
    if output is None:
        real = Path(os.path.realpath(path))
        return FilePlan(real, real, real.parent / STATE_FOLDER, real.name, in_place=True)
    return FilePlan(path, output / name, output / STATE_FOLDER, name)


def _find_inputs(folder: Path, glob: str | None, output: Path | None) -> Iterator[Path]:
    """Yield the files of a folder that fit, those of its sub-folders too."""
    own = os.path.realpath(output) if output else None
    all_files = sorted(_walk(folder, own))
    pattern = glob or "*"
    fitting = [
        path
        for path in all_files
        if fnmatch(path.relative_to(folder).as_posix() if "/" in pattern else path.name, pattern)
        and (glob or split_suffix(path)[0] in SUFFIXES)
    ]
    if not fitting:
        there = ", ".join(path.relative_to(folder).as_posix() for path in all_files[:SHOWN])
        what = f"no file fits {glob!r}" if glob else "no .json or .jsonl file is here"
        raise UserError(what, where=str(folder), fix=f"There are {there}." if there else "The folder is empty.")
    yield from fitting


def _walk(folder: Path, own: str | None) -> Iterator[Path]:
    for root, folders, names in os.walk(folder):
        folders[:] = [
            name
            for name in sorted(folders)
            if not name.startswith(".") and os.path.realpath(os.path.join(root, name)) != own  # noqa: PTH118
        ]
        yield from (Path(root) / name for name in names if not name.startswith("."))
