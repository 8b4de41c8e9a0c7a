"""Plain text tables, and numbers as people read them.

Why: a table should look the same in a terminal, a log and an issue.
"""

from collections.abc import Mapping, Sequence
from typing import Any


def format_table(headers: Sequence[str], rows: Sequence[Sequence[str]], *, left: int = 1) -> str:
    """Format `rows` under `headers`; the first `left` columns are aligned left, the others right."""
    widths = [max(len(row[column]) for row in [headers, *rows]) for column in range(len(headers))]

    def format_line(cells: Sequence[str]) -> str:
        """Pad each cell to the width of its column."""
        aligned = (
            cell.ljust(width) if column < left else cell.rjust(width)
            for column, (cell, width) in enumerate(zip(cells, widths, strict=True))
        )
        return "  ".join(aligned).rstrip()

    return "\n".join([format_line(headers), "  ".join("-" * width for width in widths), *map(format_line, rows)])


def format_percent(share: float | None) -> str:
    """Format a share in [0, 1] as percent with one decimal; a dash where it is unknown."""
    return "-" if share is None else f"{100 * share:.1f} %"


def format_interval(bounds: Sequence[float] | None) -> str:
    """Format a confidence interval in [0, 1] as percent; a dash where it is unknown."""
    return "-" if bounds is None else f"[{100 * bounds[0]:.1f}, {100 * bounds[1]:.1f}]"


def build_accuracy_row(name: str, metrics: Mapping[str, Any]) -> list[str]:
    """Build the row of an accuracy table, under `ACCURACY_HEADERS`, from the metrics of a final file."""
    tokens = metrics["generated_tokens"] + metrics["cached_tokens"]
    return [
        name,
        format_percent(metrics["accuracy"]),
        format_interval(metrics["ci95"]),
        f"{metrics['correct']}/{metrics.get('graded') or metrics['total']}",
        str(metrics["failed"]),
        f"{tokens / max(1, metrics['total']):,.0f}",
    ]


def format_accuracies(rows: Sequence[tuple[str, Mapping[str, Any]]], more: Sequence[Sequence[str]] = ()) -> str:
    """Format the accuracy table of named metrics; a data set's own metrics are columns behind those of the house.

    Args:
        rows: Each row's name and its metrics.
        more: Rows below them, as cells under `ACCURACY_HEADERS`.
    """
    own = list(dict.fromkeys(name for _, metrics in rows for name in metrics.get("own_metrics", ())))
    own = [name for name in own if name not in HOUSE_COLUMNS]
    cells = [[*build_accuracy_row(name, each), *(_format_value(each.get(key)) for key in own)] for name, each in rows]
    return format_table((*ACCURACY_HEADERS, *own), [*cells, *([*row, *("" for _ in own)] for row in more)])


def _format_value(value: Any) -> str:
    """Format a value of any type for a cell."""
    if value is None:
        return "-"
    text = f"{value:.4g}" if isinstance(value, float) else " ".join(str(value).split())
    return text if len(text) <= WIDEST else text[: WIDEST - 1] + "…"


WIDEST = 30
HOUSE_COLUMNS = ("accuracy", "ci95", "correct", "failed")
"""Metrics that have a column in each table; a data set may replace them by its own."""
ACCURACY_HEADERS = ("answer by", "accuracy", "95 % interval", "correct", "failed", "tokens/problem")
