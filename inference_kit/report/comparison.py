"""Compare two result files of one data set, problem by problem.

Why: two accuracies hide which problems moved; the four cells show them.
Promises: results are joined on `index`; what only one side has is counted and left out; different data sets are
refused.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from inference_kit.errors import UserError
from inference_kit.report.tables import table

Entry = Mapping[str, Any]


@dataclass(slots=True)
class Comparison:
    """The four cells: how many problems both solve, and the pairs of result entries of the other three."""

    both_right: int = 0
    only_a: list[tuple[Entry, Entry]] = field(default_factory=list)
    only_b: list[tuple[Entry, Entry]] = field(default_factory=list)
    both_wrong: list[tuple[Entry, Entry]] = field(default_factory=list)
    unmatched_a: int = 0
    unmatched_b: int = 0

    @property
    def matched(self) -> int:
        """Problems that both sides have."""
        return self.both_right + len(self.only_a) + len(self.only_b) + len(self.both_wrong)

    def to_json(self) -> dict[str, Any]:
        return {
            "matched": self.matched,
            "both_right": self.both_right,
            "a_right_b_wrong": [_pair(*pair) for pair in self.only_a],
            "a_wrong_b_right": [_pair(*pair) for pair in self.only_b],
            "both_wrong": [_pair(*pair) for pair in self.both_wrong],
            "unmatched_a": self.unmatched_a,
            "unmatched_b": self.unmatched_b,
        }


def compare(a: Iterable[Entry], b: Iterable[Entry]) -> Comparison:
    """Join two lists of result entries on their index.

    Raises:
        UserError: where no problem is on both sides, or the same index asks another question: not the same data set.
    """
    found = Comparison()
    others = {_key(entry): entry for entry in b}
    for entry in a:
        other = others.pop(_key(entry), None)
        if other is None:
            found.unmatched_a += 1
            continue
        if entry["input"] != other["input"]:
            raise UserError(
                f"problem {entry['index']!r} differs between the two files", fix="Compare one data set only."
            )
        if entry["correct"] and other["correct"]:
            found.both_right += 1
        else:
            cells = {(True, False): found.only_a, (False, True): found.only_b, (False, False): found.both_wrong}
            cells[bool(entry["correct"]), bool(other["correct"])].append((entry, other))
    found.unmatched_b = len(others)
    if not found.matched:
        raise UserError("the two files have no problem in common", fix="Compare results of the same data set.")
    return found


def show(found: Comparison, names: tuple[str, str], *, shown: int) -> str:
    """The counts, and the first `shown` problems of each of the three lists."""
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
        table(("", "problems"), counts),
    ]
    if found.unmatched_a or found.unmatched_b:
        parts += ["", f"left out: {found.unmatched_a} only in A, {found.unmatched_b} only in B"]
    lists = {"A right, B wrong": found.only_a, "A wrong, B right": found.only_b, "both wrong": found.both_wrong}
    for title, pairs in lists.items():
        if pairs and shown:
            rest = f" (the first {shown} of {len(pairs)})" if len(pairs) > shown else ""
            parts += ["", title + rest, _listing(pairs[:shown])]
    return "\n".join(parts)


def _listing(pairs: Sequence[tuple[Entry, Entry]]) -> str:
    rows = [
        [
            str(a["index"]),
            _short(a["input"], 60),
            *(_short(value, 20) for value in (a["gold"], a["prediction"], b["prediction"])),
        ]
        for a, b in pairs
    ]
    return table(("index", "input", "gold", "A", "B"), rows, left=2)


def _pair(a: Entry, b: Entry) -> dict[str, Any]:
    shown = {key: a[key] for key in ("index", "input", "gold")}
    return shown | {"a": a["prediction"], "b": b["prediction"]}


def _short(value: Any, width: int) -> str:
    text = " ".join(str("-" if value is None else value).split())
    return text if len(text) <= width else text[: width - 1] + "…"


def _key(entry: Entry) -> tuple[str, Any]:
    return type(entry["index"]).__name__, entry["index"]
