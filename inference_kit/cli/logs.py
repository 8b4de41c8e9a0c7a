"""Logging: human lines on standard error, everything in the run's `run.log`."""

import os
import sys
from pathlib import Path

from loguru import logger

from inference_kit.registry import unknown
from inference_kit.store.atomic import disk_error

LEVELS = ("DEBUG", "INFO", "WARNING", "ERROR")


def log_to_terminal(level: str | None, *, debug: bool = False) -> str:
    """Show messages of `level` and above on standard error; without one, `LOG_LEVEL` or INFO decides."""
    chosen = "DEBUG" if debug else (level or os.environ.get("LOG_LEVEL") or "INFO").upper()
    if chosen not in LEVELS:
        raise unknown(chosen, LEVELS, "log level", where="--log-level")
    logger.remove()
    logger.add(sys.stderr, level=chosen, format="{level.name}: {message}", backtrace=False, diagnose=False)
    return chosen


def log_to_folder(folder: Path) -> None:
    """Append everything as well to `run.log` in `folder`, with tracebacks."""
    try:
        logger.add(folder / "run.log", level="DEBUG", encoding="utf-8", errors="backslashreplace", diagnose=False)
    except OSError as error:
        raise disk_error(error, folder / "run.log") from error
