"""`--explain`: every setting with its value, where that came from, and what it beat."""

import json
from collections.abc import Mapping

from inference_kit.config import Resolved
from inference_kit.models.http.extras import mask_setting
from inference_kit.report.tables import format_table

ASIDE = frozenset({"explain", "dry_run", "json", "debug"})
"""What is asked of this one call and says nothing of the others."""


def format_settings(settings: Mapping[str, Resolved]) -> str:
    """Show `settings` as a table, less those that are asked of this one call."""
    rows = [
        [name, json.dumps(each.value, ensure_ascii=False), each.source, _list_beaten(each)]
        for name, each in ((name, mask_setting(name, each)) for name, each in settings.items())
        if name not in ASIDE
    ]
    return format_table(("setting", "value", "source", "instead of"), rows, left=4)


def _list_beaten(setting: Resolved) -> str:
    return "; ".join(f"{json.dumps(value, ensure_ascii=False)} ({source})" for source, value in setting.beaten)
