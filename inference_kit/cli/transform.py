"""`transform`: a field of every record of JSON files, through a model and back; the same command again goes on."""

import os
import sys
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from loguru import logger

from inference_kit.cli.logs import log_to_terminal
from inference_kit.cli.options import Parser, add_options, parse, parse_known
from inference_kit.cli.shutdown import run_until_told
from inference_kit.config import Level, read_config
from inference_kit.errors import RunStopped
from inference_kit.setup.registries import Registries
from inference_kit.setup.request import read_file_level
from inference_kit.transform.job import check_job, choose_job, list_known
from inference_kit.transform.options import list_options, read_environment
from inference_kit.transform.progress import TransformProgress

PROG = "main.py transform"
ABOUT = "Rewrite a field of every record of JSON files with a model; the same command again goes on where it stopped."
INPUTS, OUTPUTS = ("input", "instruction"), ("output", "cache_dir")
"""Options that are paths; those of a config file are looked for beside it."""


def execute(arguments: Sequence[str], registries: Registries) -> int:
    """Transform what `arguments` ask for; 1 where records failed, 130 where it was interrupted or has met a limit."""
    words = [word for word in arguments if word not in ("-h", "--help")]
    if len(words) < len(arguments):
        _print_help(words)
        return 0
    levels, base = _read_levels(words)
    job = choose_job(levels, base=base)
    log_to_terminal(job.options.log_level, debug=job.options.debug)
    check_job(job)
    from inference_kit.transform.run import describe, transform  # what only help needs not

    if job.dry:
        print(describe(job))
        return 0
    if not job.options.output and not job.options.inplace:
        logger.info("outputs go to {}", job.files[0].output.parent)
    progress = TransformProgress(lambda line: print(line, file=sys.stderr))
    try:
        run_until_told(transform(job, progress))
    except (KeyboardInterrupt, RunStopped) as reason:
        logger.remove()
        print(f"{progress.summarize()}\n{_explain_how_to_go_on(str(reason))}", file=sys.stderr)
        return 130
    print(progress.summarize(job.files))
    return 1 if progress.failed or progress.broken else 0


def _read_levels(words: Sequence[str]) -> tuple[list[Level], Path | None]:
    """Read all words, the config file that they name and the environment; return the file's folder as well."""
    given, _ = parse_known(list_options(), words, prog=PROG)
    environment = read_environment(os.environ)
    path = Path(given["config"]).expanduser() if given.get("config") else None
    config = read_config(path, ()) if path else None
    chosen = {**environment.values, **(config.values if config else {}), **given}
    known = list_known(chosen)
    levels = [Level("command line", parse(known, words, prog=PROG), told=True)]
    if config and path:
        file = read_file_level(config, {option.name: option for option in known}, "config file")
        levels.append(replace(file, values=_place_paths(file.values, path.parent)))
        merged = {**(file.values.get("template_var") or {}), **(levels[0].values.get("template_var") or {})}
        if merged:
            levels[0] = replace(levels[0], values={**levels[0].values, "template_var": merged})
    return [*levels, environment], path.parent if path else None


def _place_paths(values: Mapping[str, Any], base: Path) -> dict[str, Any]:
    """Place the paths of a config file: what is read beside the file or else here, what is written beside the file."""
    placed = dict(values)
    for name in INPUTS:
        if name in values and (beside := base / str(values[name])).exists():
            here = Path(str(values[name]))
            if here.exists() and here.resolve() != beside.resolve():
                logger.warning("{} {} is there twice; the one beside the config file is taken", name, values[name])
            placed[name] = str(beside)
    for name in OUTPUTS:
        if name in values:
            placed[name] = str(base / Path(str(values[name])).expanduser())
    return placed


def _print_help(words: Sequence[str]) -> None:
    given, _ = parse_known(list_options(), words, prog=PROG)
    parser = Parser(prog=PROG, description=ABOUT, allow_abbrev=False)
    add_options(parser, list_known(given))
    parser.print_help()


def _explain_how_to_go_on(limit: str) -> str:
    why, higher = (f"Stopped, {limit}.", " with a higher limit") if limit else ("Interrupted.", "")
    return f"{why} Nothing is lost: the same command{higher} goes on from there."
