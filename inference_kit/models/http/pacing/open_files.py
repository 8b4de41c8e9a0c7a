"""Open files: how many connections this process may have, where each is a file to the operating system.

Why: many systems allow 256 or 1,024 open files by default, and hundreds of connections leave none for results.
Promises: the soft limit is raised as far as the hard one allows where that is needed; what does not fit is waited for,
never failed, and said once, though set-up and run each connect; some files stay free for results, the call log and
worker processes.
"""

import contextlib
import resource
from pathlib import Path

from loguru import logger

RESERVED = 40
"""Files that stay free for all but connections."""
_SAID: set[int] = set()
"""The wanted numbers of connections that this process has said to be too many."""


def limit_connections(wanted: int) -> int:
    """Return how many connections may be open at once: `wanted`, or as many as the system allows, at least 1.

    Half of what is free is left to a second server, that of a reward model.
    """
    used = _count_open_files() + RESERVED
    free = _raise_limit(used + 2 * wanted) - used
    allowed = max(1, min(wanted, free // 2))
    if allowed < wanted and wanted not in _SAID:
        _SAID.add(wanted)
        logger.warning(
            "so few files may be open here that the server gets {} at once, not {}; "
            "raise the limit (ulimit -n {}), or lower server_concurrency",
            "1 request" if allowed == 1 else f"{allowed} requests",
            wanted,
            used + 2 * wanted,
        )
    return allowed


def _count_open_files() -> int:
    try:
        return sum(1 for _ in Path("/dev/fd").iterdir())
    except OSError:
        return RESERVED


def _raise_limit(needed: int) -> int:
    """Raise the soft limit of open files to `needed` where it is lower, and return what it is then."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = needed if hard == resource.RLIM_INFINITY else min(needed, hard)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        with contextlib.suppress(OSError, ValueError):  # some systems allow less than their hard limit says
            resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return needed if soft == resource.RLIM_INFINITY else soft
