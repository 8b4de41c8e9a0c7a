"""`--explain`: every setting with its value, where that came from, and what it beat."""

import json
from collections.abc import Collection, Mapping

from inference_kit.config import Resolved
from inference_kit.report.tables import format_table

ASIDE = frozenset({"explain", "dry_run", "json", "debug"})
"""What is asked of this one call and says nothing of the others."""


def explained(settings: Mapping[str, Resolved], *, without: Collection[str] = ()) -> str:
    """A table of `settings`, less those named in `without`."""
    rows = [
        [name, json.dumps(each.value, ensure_ascii=False), each.source, _beaten(each)]
        for name, each in settings.items()
        if name not in ASIDE and name not in without
    ]
    return format_table(("setting", "value", "source", "instead of"), rows, left=4)


def _beaten(setting: Resolved) -> str:
    return "; ".join(f"{json.dumps(value, ensure_ascii=False)} ({source})" for source, value in setting.beaten)
