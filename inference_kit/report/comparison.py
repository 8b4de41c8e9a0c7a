"""Comparison of two result files of one data set, problem by problem.

Why: two accuracies hide which problems changed; a table of right and wrong on both sides shows them.
Promises: results are joined on `index`. A failed problem is not correct, and is told apart from a wrong answer.
Problems of one side only, and those without a gold answer, are counted and left out. Different data sets are refused.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from inference_kit.errors import UserError
from inference_kit.records.indices import canonical_index
from inference_kit.report.tables import format_table

Entry = Mapping[str, Any]
"""One of the `results` of a final file."""


@dataclass(slots=True)
class Comparison:
    """Problems by right and wrong on both sides; all but those that both solve are kept, as pairs of entries."""

    both_right: int = 0
    only_a: list[tuple[Entry, Entry]] = field(default_factory=list)
    only_b: list[tuple[Entry, Entry]] = field(default_factory=list)
    both_wrong: list[tuple[Entry, Entry]] = field(default_factory=list)
    unmatched_a: int = 0
    unmatched_b: int = 0
    failed_a: int = 0
    failed_b: int = 0
    ungraded: int = 0

    @property
    def matched(self) -> int:
        """The number of problems that both sides have."""
        return self.both_right + len(self.only_a) + len(self.only_b) + len(self.both_wrong)

    def to_json(self) -> dict[str, Any]:
        """Return the counts and, of each kept pair, index, input, gold answer and both predictions."""
        return {
            "matched": self.matched,
            "both_right": self.both_right,
            "a_right_b_wrong": [_summarize(*pair) for pair in self.only_a],
            "a_wrong_b_right": [_summarize(*pair) for pair in self.only_b],
            "both_wrong": [_summarize(*pair) for pair in self.both_wrong],
            "unmatched_a": self.unmatched_a,
            "unmatched_b": self.unmatched_b,
            "failed_a": self.failed_a,
            "failed_b": self.failed_b,
            "ungraded": self.ungraded,
        }


def compare_results(a: Iterable[Entry], b: Iterable[Entry]) -> Comparison:
    """Join two lists of result entries on their index.

    Raises:
        UserError: where the data sets differ: no index is on both sides, or one stands for two questions.
    """
    found = Comparison()
    others = {canonical_index(entry["index"]): entry for entry in b}
    for entry in a:
        other = others.pop(canonical_index(entry["index"]), None)
        if other is None:
            found.unmatched_a += 1
            continue
        if entry["input"] != other["input"]:
            raise UserError(
                f"problem {entry['index']!r} differs between the two files", fix="Compare one data set only."
            )
        if entry["correct"] is None or other["correct"] is None:
            found.ungraded += 1
            continue
        found.failed_a += _has_failed(entry)
        found.failed_b += _has_failed(other)
        if entry["correct"] and other["correct"]:
            found.both_right += 1
        else:
            cells = {(True, False): found.only_a, (False, True): found.only_b, (False, False): found.both_wrong}
            cells[bool(entry["correct"]), bool(other["correct"])].append((entry, other))
    found.unmatched_b = len(others)
    if not found.matched and found.ungraded:
        raise UserError("no problem of the two files has a gold answer", fix="Evaluate results that can be graded.")
    if not found.matched:
        raise UserError("the two files have no problem in common", fix="Compare results of the same data set.")
    return found


def format_comparison(found: Comparison, names: tuple[str, str], *, shown: int) -> str:
    """Format the counts and the first `shown` problems of each of the three lists, for a terminal.

    Args:
        found: The comparison.
        names: Of the two sides.
        shown: Problems of each list; 0 shows counts only.
    """
    total = found.matched
    counts = [
        ["both right", str(found.both_right)],
        ["A right, B wrong", str(len(found.only_a))],
        ["A wrong, B right", str(len(found.only_b))],
        ["both wrong", str(len(found.both_wrong))],
    ]
    right_a, right_b = found.both_right + len(found.only_a), found.both_right + len(found.only_b)
    parts = [
        f"A: {names[0]}  {right_a}/{total} = {100 * right_a / total:.1f} %",
        f"B: {names[1]}  {right_b}/{total} = {100 * right_b / total:.1f} %",
        "",
        format_table(("", "problems"), counts),
    ]
    if found.failed_a or found.failed_b:
        parts += ["", f"failed, which is no wrong answer: {found.failed_a} in A, {found.failed_b} in B"]
    if found.ungraded:
        parts += ["", f"left out: {found.ungraded} without a gold answer"]
    if found.unmatched_a or found.unmatched_b:
        parts += ["", f"left out: {found.unmatched_a} only in A, {found.unmatched_b} only in B"]
    lists = {"A right, B wrong": found.only_a, "A wrong, B right": found.only_b, "both wrong": found.both_wrong}
    for title, pairs in lists.items():
        if pairs and shown:
            rest = f" (the first {shown} of {len(pairs)})" if len(pairs) > shown else ""
            parts += ["", title + rest, _format_pairs(pairs[:shown])]
    return "\n".join(parts)


def _format_pairs(pairs: Sequence[tuple[Entry, Entry]]) -> str:
    rows = [
        [
            str(a["index"]),
            _shorten(a["input"], 60),
            *(_shorten(value, 20) for value in (a["gold"], _show_answer(a), _show_answer(b))),
        ]
        for a, b in pairs
    ]
    return format_table(("index", "input", "gold", "A", "B"), rows, left=2)


def _summarize(a: Entry, b: Entry) -> dict[str, Any]:
    shown = {key: a[key] for key in ("index", "input", "gold")}
    failed = {f"{side}_failed": True for side, each in (("a", a), ("b", b)) if _has_failed(each)}
    return shown | {"a": a["prediction"], "b": b["prediction"]} | failed


def _has_failed(entry: Entry) -> bool:
    return entry.get("error") is not None


def _show_answer(entry: Entry) -> Any:
    return "(failed)" if _has_failed(entry) else entry["prediction"]


def _shorten(value: Any, width: int) -> str:
    text = " ".join(str("-" if value is None else value).split())
    return text if len(text) <= width else text[: width - 1] + "…"
