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


ACCURACY_HEADERS = ("answer by", "accuracy", "95 % interval", "correct", "failed", "tokens/problem")
